#include "dermis/metrics/classification.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "arguments.hpp"
#include "weighted_roc.hpp"

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

void check_rows(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities) {
  detail::check_labels(labels, static_cast<int>(probabilities.cols()));
  detail::check_same_rows(labels.size(), static_cast<std::size_t>(probabilities.rows()),
                          "rows of probabilities");
}

void check_scores(const std::vector<double>& scores, const std::vector<int>& positive) {
  detail::check_same_rows(positive.size(), scores.size(), "scores");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    check_argument(!std::isnan(scores[i]), "[metrics] expected scores without NaN, got NaN in row ",
                   i);
  }
}

void check_confusion(const Eigen::MatrixXi& confusion) {
  check_argument(confusion.rows() > 0 && confusion.rows() == confusion.cols() &&
                     confusion.minCoeff() >= 0 && confusion.maxCoeff() > 0,
                 "[metrics] expected counts [true, predicted] of at least 1 row, got ",
                 confusion.rows(), " x ", confusion.cols(), " with the sum ", confusion.sum());
}

using Ranking = double (*)(const std::vector<double>& scores, const std::vector<int>& positive);

/// `figure` of each class against the rest.
std::vector<double> one_vs_rest(const std::vector<int>& labels,
                                const Eigen::MatrixXd& probabilities, Ranking figure) {
  check_rows(labels, probabilities);
  std::vector<double> values;
  for (int c = 0; c < static_cast<int>(probabilities.cols()); ++c) {
    const Eigen::VectorXd column = probabilities.col(c);
    std::vector<int> positive(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) positive[i] = labels[i] == c;
    values.push_back(figure({column.data(), column.data() + column.size()}, positive));
  }
  return values;
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
  check_scores(scores, positive);
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
  return one_vs_rest(labels, probabilities, auc);
}

double macro_auc(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities) {
  return mean_defined(auc_one_vs_rest(labels, probabilities));
}

double auc_one_vs_one(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities) {
  check_rows(labels, probabilities);
  std::vector<double> areas;
  for (int a = 0; a < static_cast<int>(probabilities.cols()); ++a) {
    for (int b = a + 1; b < static_cast<int>(probabilities.cols()); ++b) {
      std::vector<double> by_a, by_b;
      std::vector<int> is_a, is_b;
      for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] != a && labels[i] != b) continue;
        by_a.push_back(probabilities(static_cast<Eigen::Index>(i), a));
        by_b.push_back(probabilities(static_cast<Eigen::Index>(i), b));
        is_a.push_back(labels[i] == a);
        is_b.push_back(labels[i] == b);
      }
      areas.push_back((auc(by_a, is_a) + auc(by_b, is_b)) / 2);
    }
  }
  return mean_defined(areas);
}

double average_precision(const std::vector<double>& scores, const std::vector<int>& positive) {
  check_scores(scores, positive);
  if (std::count(positive.begin(), positive.end(), 0) ==
      static_cast<std::ptrdiff_t>(positive.size())) {
    return nan;
  }
  return detail::average_precision(
      detail::weighted_roc(scores, std::vector<bool>(positive.begin(), positive.end()),
                           std::vector<double>(scores.size(), 1.0)));
}

std::vector<double> average_precision_one_vs_rest(const std::vector<int>& labels,
                                                  const Eigen::MatrixXd& probabilities) {
  return one_vs_rest(labels, probabilities, average_precision);
}

double mean_by_support(const std::vector<double>& values,
                       const std::vector<std::int64_t>& support) {
  check_argument(values.size() == support.size(), "[metrics] expected a support for each of ",
                 values.size(), " values, got ", support.size());
  double sum = 0, rows = 0;
  for (std::size_t c = 0; c < values.size(); ++c) {
    if (std::isnan(values[c])) continue;
    sum += values[c] * static_cast<double>(support[c]);
    rows += static_cast<double>(support[c]);
  }
  return ratio(sum, rows);
}

double cohen_kappa(const Eigen::MatrixXi& confusion, KappaWeights weights) {
  check_confusion(confusion);
  const Eigen::MatrixXd counts = confusion.cast<double>();
  const Eigen::MatrixXd expected = counts.rowwise().sum() * counts.colwise().sum() / counts.sum();
  double seen = 0, by_chance = 0;
  for (Eigen::Index i = 0; i < counts.rows(); ++i) {
    for (Eigen::Index j = 0; j < counts.cols(); ++j) {
      const auto apart = static_cast<double>(std::abs(i - j));
      const double w = weights == KappaWeights::None     ? (i == j ? 0 : 1)
                       : weights == KappaWeights::Linear ? apart
                                                         : apart * apart;
      seen += w * counts(i, j);
      by_chance += w * expected(i, j);
    }
  }
  return by_chance > 0 ? 1 - seen / by_chance : nan;
}

double matthews_correlation(const Eigen::MatrixXi& confusion) {
  check_confusion(confusion);
  const Eigen::MatrixXd counts = confusion.cast<double>();
  const Eigen::VectorXd truth = counts.rowwise().sum(), predicted = counts.colwise().sum();
  const double all = counts.sum();
  const double spread = (all * all - truth.squaredNorm()) * (all * all - predicted.squaredNorm());
  if (spread <= 0) return 0;
  return (counts.trace() * all - truth.dot(predicted)) / std::sqrt(spread);
}

double top_k_accuracy(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities, int k) {
  check_rows(labels, probabilities);
  detail::check_no_nan(probabilities, "probabilities");
  check_argument(k >= 1 && k <= static_cast<int>(probabilities.cols()),
                 "[metrics] expected k in 1 .. ", probabilities.cols(), ", got ", k);
  std::int64_t found = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.row(static_cast<Eigen::Index>(i));
    int before = 0;
    for (int c = 0; c < static_cast<int>(row.size()); ++c) {
      before += row(c) > row(labels[i]) || (row(c) == row(labels[i]) && c > labels[i]);
    }
    found += before < k;
  }
  return ratio(static_cast<double>(found), static_cast<double>(labels.size()));
}

}  // namespace dermis
