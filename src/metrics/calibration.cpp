#include "dermis/metrics/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "arguments.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

using Eigen::MatrixXd;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

void check_rows(const MatrixXd& values, const std::vector<int>& labels, const char* what) {
  detail::check_labels(labels, static_cast<int>(values.cols()));
  detail::check_same_rows(labels.size(), static_cast<std::size_t>(values.rows()), what);
}

void check_probabilities(const MatrixXd& probabilities, const std::vector<int>& labels) {
  check_rows(probabilities, labels, "rows of probabilities");
  detail::check_no_nan(probabilities, "probabilities");
  for (Eigen::Index i = 0; i < probabilities.rows(); ++i) {
    const auto row = probabilities.row(i);
    // A softmax in single precision may exceed 1 by a rounding error.
    check_argument(row.minCoeff() >= -1e-6 && row.maxCoeff() <= 1 + 1e-6,
                   "[calibration] expected probabilities in [0, 1], got ", row.minCoeff(), " .. ",
                   row.maxCoeff(), " in row ", i);
  }
}

/// Sum over equal-mass bins of |rows of class `c` - sum of its probabilities|.
double adaptive_gap(const MatrixXd& probabilities, const std::vector<int>& labels, int c,
                    int bins) {
  const auto p = [&](std::size_t row) { return probabilities(static_cast<Eigen::Index>(row), c); };
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p(a) < p(b); });
  double sum = 0;
  std::size_t at = 0;
  for (int b = 0; b < bins; ++b) {
    const std::size_t end =
        order.size() * (static_cast<std::size_t>(b) + 1) / static_cast<std::size_t>(bins);
    double gap = 0;
    for (const std::size_t first = at;
         at < end || (at > first && at < order.size() && p(order[at]) == p(order[at - 1])); ++at) {
      gap += (labels[order[at]] == c ? 1 : 0) - p(order[at]);
    }
    sum += std::abs(gap);
  }
  return sum;
}

/// Derivative of the mean negative log-likelihood by the inverse temperature: the mean over rows of
/// (expected logit - logit of the label), from `logits` whose largest in each row is 0.
double slope(const MatrixXd& logits, const Eigen::VectorXd& own_logit, double inverse_temperature) {
  const Eigen::ArrayXXd weights = (logits * inverse_temperature).array().exp();
  const Eigen::ArrayXd expected =
      (weights * logits.array()).rowwise().sum() / weights.rowwise().sum();
  return (expected - own_logit.array()).mean();
}

}  // namespace

std::vector<ReliabilityBin> reliability_bins(const Eigen::MatrixXd& probabilities,
                                             const std::vector<int>& labels, int bins) {
  check_argument(bins > 0, "[calibration] expected at least 1 bin, got ", bins);
  check_probabilities(probabilities, labels);
  const std::vector<int> predictions = argmax(probabilities);
  std::vector<ReliabilityBin> result(static_cast<std::size_t>(bins));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double highest = probabilities.row(static_cast<Eigen::Index>(i)).maxCoeff();
    const double confidence = std::clamp(highest, 0.0, 1.0);
    const int index = std::clamp(static_cast<int>(std::ceil(confidence * bins)) - 1, 0, bins - 1);
    ReliabilityBin& bin = result[static_cast<std::size_t>(index)];
    ++bin.count;
    bin.confidence += confidence;
    bin.accuracy += predictions[i] == labels[i] ? 1 : 0;
  }
  for (int b = 0; b < bins; ++b) {
    ReliabilityBin& bin = result[static_cast<std::size_t>(b)];
    bin.lower = static_cast<double>(b) / bins;
    bin.upper = static_cast<double>(b + 1) / bins;
    const double count = bin.count > 0 ? static_cast<double>(bin.count) : nan;
    bin.confidence /= count;
    bin.accuracy /= count;
  }
  return result;
}

double expected_calibration_error(const Eigen::MatrixXd& probabilities,
                                  const std::vector<int>& labels, int bins) {
  double sum = 0;
  for (const ReliabilityBin& bin : reliability_bins(probabilities, labels, bins)) {
    if (bin.count > 0) {
      sum += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
    }
  }
  return labels.empty() ? nan : sum / static_cast<double>(labels.size());
}

double maximum_calibration_error(const Eigen::MatrixXd& probabilities,
                                 const std::vector<int>& labels, int bins) {
  double largest = 0;
  for (const ReliabilityBin& bin : reliability_bins(probabilities, labels, bins)) {
    if (bin.count > 0) largest = std::max(largest, std::abs(bin.accuracy - bin.confidence));
  }
  return labels.empty() ? nan : largest;
}

double rms_calibration_error(const Eigen::MatrixXd& probabilities, const std::vector<int>& labels,
                             int bins) {
  double sum = 0;
  for (const ReliabilityBin& bin : reliability_bins(probabilities, labels, bins)) {
    if (bin.count > 0) {
      sum += static_cast<double>(bin.count) * std::pow(bin.accuracy - bin.confidence, 2);
    }
  }
  return labels.empty() ? nan : std::sqrt(sum / static_cast<double>(labels.size()));
}

double adaptive_calibration_error(const MatrixXd& probabilities, const std::vector<int>& labels,
                                  int bins) {
  check_argument(bins > 0, "[calibration] expected at least 1 bin, got ", bins);
  check_probabilities(probabilities, labels);
  double sum = 0;
  for (int c = 0; c < static_cast<int>(probabilities.cols()); ++c) {
    sum += adaptive_gap(probabilities, labels, c, bins);
  }
  return labels.empty() ? nan : sum / static_cast<double>(probabilities.size());
}

double brier_score(const MatrixXd& probabilities, const std::vector<int>& labels) {
  check_probabilities(probabilities, labels);
  MatrixXd error = probabilities;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    error(static_cast<Eigen::Index>(i), labels[i]) -= 1;
  }
  return labels.empty() ? nan : error.squaredNorm() / static_cast<double>(labels.size());
}

double log_loss(const MatrixXd& probabilities, const std::vector<int>& labels) {
  check_probabilities(probabilities, labels);
  constexpr double smallest = std::numeric_limits<double>::epsilon();
  double sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double p = probabilities(static_cast<Eigen::Index>(i), labels[i]);
    sum -= std::log(std::clamp(p, smallest, 1 - smallest));
  }
  return labels.empty() ? nan : sum / static_cast<double>(labels.size());
}

MatrixXd softmax(const MatrixXd& logits, double temperature) {
  check_argument(temperature > 0 && std::isfinite(temperature),
                 "[calibration] expected a temperature above 0, got ", temperature);
  detail::check_finite(logits, "logits");
  if (logits.size() == 0) return logits;
  const Eigen::VectorXd highest = logits.rowwise().maxCoeff();
  MatrixXd p = ((logits.colwise() - highest) / temperature).array().exp();
  const Eigen::VectorXd sums = p.rowwise().sum();
  p.array().colwise() /= sums.array();
  return p;
}

double fit_temperature(const MatrixXd& logits, const std::vector<int>& labels) {
  check_rows(logits, labels, "rows of logits");
  detail::check_finite(logits, "logits");
  check_argument(std::any_of(labels.begin(), labels.end(), [&](int l) { return l != labels[0]; }),
                 "[calibration] expected labels of at least 2 classes to fit a temperature, got ",
                 labels.empty() ? "no rows" : "one class");
  const Eigen::VectorXd highest = logits.rowwise().maxCoeff();
  const MatrixXd relative = logits.colwise() - highest;
  Eigen::VectorXd own_logit(logits.rows());
  for (Eigen::Index i = 0; i < logits.rows(); ++i) {
    own_logit(i) = relative(i, labels[static_cast<std::size_t>(i)]);
  }
  check_argument(own_logit.minCoeff() < 0,
                 "[calibration] expected a wrong row to fit a temperature, got ", labels.size(),
                 " rows that are all right");
  check_argument(slope(relative, own_logit, 0) < 0,
                 "[calibration] expected logits that favour the labels to fit a temperature, got "
                 "no better than chance");

  // The likelihood is concave in the inverse temperature: its slope has one root. Bracketed by
  // doubling from a scale at which the largest logit matters, then halved in log space.
  double high = 1 / relative.cwiseAbs().maxCoeff();
  double low = high;
  while (slope(relative, own_logit, high) < 0) high *= 2;
  while (slope(relative, own_logit, low) >= 0) low /= 2;
  for (int step = 0; step < 60; ++step) {
    const double middle = std::sqrt(low) * std::sqrt(high);
    (slope(relative, own_logit, middle) < 0 ? low : high) = middle;
  }
  return 1 / (std::sqrt(low) * std::sqrt(high));
}

}  // namespace dermis
