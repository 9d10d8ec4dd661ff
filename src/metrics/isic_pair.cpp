#include "isic_pair.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>

#include "dermis/core/check.hpp"
#include "dermis/io/submission.hpp"

namespace dermis::detail {
namespace {

using Eigen::MatrixXd;

/// Row numbers by image name.
std::vector<std::size_t> by_name(const std::vector<std::string>& images) {
  std::vector<std::size_t> order(images.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return images[a] < images[b]; });
  return order;
}

MatrixXd rows_of(const MatrixXd& matrix, const std::vector<std::size_t>& order) {
  MatrixXd rows(matrix.rows(), matrix.cols());
  for (std::size_t i = 0; i < order.size(); ++i) {
    rows.row(static_cast<Eigen::Index>(i)) = matrix.row(static_cast<Eigen::Index>(order[i]));
  }
  return rows;
}

std::vector<std::string> truth_images(const Table& truth) {
  const std::size_t image = image_column(truth);
  check_runtime(!truth.rows.empty(), "[isic] ", truth.source,
                ": expected a row for each image, got none");
  std::vector<std::string> images;
  for (std::size_t r = 0; r < truth.rows.size(); ++r) {
    images.push_back(truth.rows[r][image]);
    check_runtime(!images.back().empty(), "[isic] ", truth.source, ":", truth.lines[r],
                  ": expected an image name, got none");
  }
  const std::vector<std::size_t> order = by_name(images);
  for (std::size_t i = 1; i < order.size(); ++i) {
    check_runtime(images[order[i - 1]] != images[order[i]], "[isic] ", truth.source, ":",
                  std::max(truth.lines[order[i - 1]], truth.lines[order[i]]),
                  ": expected each image once, got ", images[order[i]], " a second time");
  }
  return images;
}

std::vector<std::string> truth_classes(const Table& truth) {
  std::vector<std::string> classes;
  const std::size_t image = image_column(truth);
  for (std::size_t c = 0; c < truth.columns.size(); ++c) {
    const std::string& name = truth.columns[c];
    check_runtime(!name.empty(), "[isic] ", truth.source,
                  ": expected a name for every column, got none for column ", c + 1);
    if (c != image && name != "score_weight" && name != "validation_weight") {
      classes.push_back(name);
    }
  }
  check_runtime(!classes.empty(), "[isic] ", truth.source, ": expected class columns, got none");
  return classes;
}

MatrixXd truth_values(const Table& truth, const std::vector<std::string>& classes) {
  MatrixXd values(static_cast<Eigen::Index>(truth.rows.size()),
                  static_cast<Eigen::Index>(classes.size()));
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto column = static_cast<std::size_t>(truth.column(classes[c]));
    for (std::size_t r = 0; r < truth.rows.size(); ++r) {
      const double value = number_in(truth, r, column);
      check_runtime(value == 0 || value == 1, "[isic] ", truth.source, ":", truth.lines[r],
                    ": expected 0 or 1 in column ", classes[c], ", got '", truth.rows[r][column],
                    "'");
      values(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(c)) = value;
    }
  }
  return values;
}

IsicWeights read_weights(const Table& truth, const std::vector<std::string>& images,
                         const std::vector<std::size_t>& order, const std::string& name) {
  IsicWeights weights;
  weights.placed.assign(images.size(), 1.0);
  const std::int64_t column = truth.column(name);
  for (std::size_t r = 0; r < images.size(); ++r) {
    if (column >= 0) {
      const double weight = number_in(truth, r, static_cast<std::size_t>(column));
      check_runtime(std::isfinite(weight) && weight >= 0, "[isic] ", truth.source, ":",
                    truth.lines[r], ": expected a finite weight of at least 0 in column ", name,
                    ", got '", truth.rows[r][static_cast<std::size_t>(column)], "'");
      weights.placed[r] = weight;
    }
    if (images[r] == "ISIC_0035068") weights.placed[r] = 0;  // as the package does
  }
  for (const std::size_t r : order) weights.own.push_back(weights.placed[r]);
  return weights;
}

/// Both lists are sorted.
void check_same_images(const std::vector<std::string>& expected, const std::string& truth,
                       const std::vector<std::string>& found, const std::string& prediction) {
  std::vector<std::string> missing, extra;
  std::set_difference(expected.begin(), expected.end(), found.begin(), found.end(),
                      std::back_inserter(missing));
  std::set_difference(found.begin(), found.end(), expected.begin(), expected.end(),
                      std::back_inserter(extra));
  check_runtime(missing.empty(), "[isic] ", prediction, ": expected the ", expected.size(),
                " images of ", truth, ", got none for ", missing.size(), ": ", first_few(missing));
  check_runtime(extra.empty(), "[isic] ", prediction, ": expected the ", expected.size(),
                " images of ", truth, ", got ", extra.size(), " others: ", first_few(extra));
}

}  // namespace

IsicPair read_pair(const Table& truth, const Table& prediction) {
  IsicPair pair;
  std::vector<std::string> images = truth_images(truth);
  const std::vector<std::size_t> order = by_name(images);
  pair.classes = truth_classes(truth);
  pair.truth = rows_of(truth_values(truth, pair.classes), order);
  pair.score = read_weights(truth, images, order, "score_weight");
  pair.validation = read_weights(truth, images, order, "validation_weight");

  Submission submission = parse_submission(prediction, pair.classes);
  pair.prediction = rows_of(submission.probabilities, by_name(submission.images));
  std::sort(images.begin(), images.end());
  std::sort(submission.images.begin(), submission.images.end());
  check_same_images(images, truth.source, submission.images, prediction.source);
  return pair;
}

}  // namespace dermis::detail
