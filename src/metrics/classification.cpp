#include "dermis/metrics/classification.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "arguments.hpp"

namespace dermis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : nan;
}

/// Predictions may also be `undecided`.
void check_predictions(const std::vector<int>& labels, const std::vector<int>& predictions,
                       int classes) {
  detail::check_same_rows(labels.size(), predictions.size(), "predictions");
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    check_argument(predictions[i] >= undecided && predictions[i] < classes,
                   "[metrics] expected predictions in 0 .. ", classes - 1, " or ", undecided,
                   " for undecided, got ", predictions[i], " in row ", i);
  }
}

/// Classes for the functions that are not told how many there are.
int classes_in(const std::vector<int>& labels, const std::vector<int>& predictions) {
  int highest = 0;
  for (const int label : labels) highest = std::max(highest, label);
  for (const int label : predictions) highest = std::max(highest, label);
  return highest + 1;
}

}  // namespace

std::vector<int> argmax(const Eigen::MatrixXd& probabilities) {
  check_argument(probabilities.cols() > 0, "[metrics] expected at least 1 class, got 0 columns");
  detail::check_no_nan(probabilities, "probabilities");
  std::vector<int> best(static_cast<std::size_t>(probabilities.rows()), 0);
  for (Eigen::Index row = 0; row < probabilities.rows(); ++row) {
    int& index = best[static_cast<std::size_t>(row)];
    for (Eigen::Index c = 1; c < probabilities.cols(); ++c) {
      if (probabilities(row, c) > probabilities(row, index)) index = static_cast<int>(c);
    }
  }
  return best;
}

std::vector<int> predict_labels(const Eigen::MatrixXd& probabilities) {
  std::vector<int> best = argmax(probabilities);
  for (Eigen::Index row = 0; row < probabilities.rows(); ++row) {
    int& index = best[static_cast<std::size_t>(row)];
    if ((probabilities.row(row).array() == probabilities(row, index)).count() > 1) {
      index = undecided;
    }
  }
  return best;
}

Eigen::MatrixXi confusion_matrix(const std::vector<int>& labels,
                                 const std::vector<int>& predictions, int classes) {
  detail::check_labels(labels, classes);
  check_predictions(labels, predictions, classes);
  Eigen::MatrixXi counts = Eigen::MatrixXi::Zero(classes, classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (predictions[i] != undecided) ++counts(labels[i], predictions[i]);
  }
  return counts;
}

double accuracy(const std::vector<int>& labels, const std::vector<int>& predictions) {
  const int classes = classes_in(labels, predictions);
  detail::check_labels(labels, classes);
  check_predictions(labels, predictions, classes);
  std::int64_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += labels[i] == predictions[i];
  return ratio(static_cast<double>(right), static_cast<double>(labels.size()));
}

double balanced_accuracy(const std::vector<int>& labels, const std::vector<int>& predictions) {
  return mean_defined(per_class(labels, predictions, classes_in(labels, predictions)).recall);
}

double balanced_accuracy(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities) {
  detail::check_labels(labels, static_cast<int>(probabilities.cols()));
  return balanced_accuracy(labels, predict_labels(probabilities));
}

PerClass per_class(const std::vector<int>& labels, const std::vector<int>& predictions,
                   int classes) {
  detail::check_labels(labels, classes);
  check_predictions(labels, predictions, classes);
  const auto size = static_cast<std::size_t>(classes);
  std::vector<std::int64_t> truth(size), predicted(size), right(size);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    ++truth[label];
    if (predictions[i] == undecided) continue;
    ++predicted[static_cast<std::size_t>(predictions[i])];
    if (predictions[i] == labels[i]) ++right[label];
  }
  PerClass figures;
  for (std::size_t c = 0; c < size; ++c) {
    const auto hits = static_cast<double>(right[c]);
    figures.recall.push_back(ratio(hits, static_cast<double>(truth[c])));
    figures.precision.push_back(ratio(hits, static_cast<double>(predicted[c])));
    figures.f1.push_back(ratio(2 * hits, static_cast<double>(truth[c] + predicted[c])));
  }
  figures.support = std::move(truth);
  return figures;
}

double mean_defined(const std::vector<double>& values) {
  double sum = 0;
  std::int64_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return ratio(sum, static_cast<double>(count));
}

double auc(const std::vector<double>& scores, const std::vector<int>& positive) {
  detail::check_same_rows(positive.size(), scores.size(), "scores");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    check_argument(!std::isnan(scores[i]), "[metrics] expected scores without NaN, got NaN in row ",
                   i);
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0;  // of the positives, ranks from 1
  double positives = 0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last < order.size() && scores[order[last]] == scores[order[first]]) ++last;
    const double mid_rank = (static_cast<double>(first) + static_cast<double>(last) + 1) / 2;
    for (; first < last; ++first) {
      if (positive[order[first]] == 0) continue;
      rank_sum += mid_rank;
      ++positives;
    }
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  return ratio(rank_sum - positives * (positives + 1) / 2, positives * negatives);
}

std::vector<double> auc_one_vs_rest(const std::vector<int>& labels,
                                    const Eigen::MatrixXd& probabilities) {
  detail::check_labels(labels, static_cast<int>(probabilities.cols()));
  detail::check_same_rows(labels.size(), static_cast<std::size_t>(probabilities.rows()),
                          "rows of probabilities");
  std::vector<double> areas;
  for (int c = 0; c < static_cast<int>(probabilities.cols()); ++c) {
    const Eigen::VectorXd column = probabilities.col(c);
    std::vector<int> positive(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) positive[i] = labels[i] == c;
    areas.push_back(auc({column.data(), column.data() + column.size()}, positive));
  }
  return areas;
}

double macro_auc(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities) {
  return mean_defined(auc_one_vs_rest(labels, probabilities));
}

}  // namespace dermis
