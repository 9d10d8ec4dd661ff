#include "dermis/metrics/decision.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "arguments.hpp"
#include "dermis/metrics/classification.hpp"
#include "weighted_roc.hpp"

namespace dermis {
namespace {

using Eigen::MatrixXd;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : nan;
}

void check_scores(const std::vector<double>& scores, const std::vector<int>& positive) {
  detail::check_same_rows(positive.size(), scores.size(), "scores");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    check_argument(std::isfinite(scores[i]), "[metrics] expected finite scores, got ", scores[i],
                   " in row ", i);
  }
}

void check_labelled(const MatrixXd& probabilities, const std::vector<int>& labels) {
  detail::check_labels(labels, static_cast<int>(probabilities.cols()));
  detail::check_same_rows(labels.size(), static_cast<std::size_t>(probabilities.rows()),
                          "rows of probabilities");
  detail::check_no_nan(probabilities, "probabilities");
}

/// Row numbers by falling value.
std::vector<std::size_t> falling(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return order;
}

}  // namespace

OperatingPoint point_at(double threshold, const std::vector<double>& scores,
                        const std::vector<int>& positive) {
  check_scores(scores, positive);
  check_argument(!std::isnan(threshold), "[decision] expected a threshold, got NaN");
  double positives = 0, hits = 0, rejected = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool called = scores[i] >= threshold;
    positives += positive[i] != 0;
    hits += called && positive[i] != 0;
    rejected += !called && positive[i] == 0;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  return {threshold, ratio(hits, positives), ratio(rejected, negatives)};
}

std::vector<OperatingPoint> roc_curve(const std::vector<double>& scores,
                                      const std::vector<int>& positive) {
  check_scores(scores, positive);
  const auto positives = static_cast<double>(
      std::count_if(positive.begin(), positive.end(), [](int p) { return p != 0; }));
  const double negatives = static_cast<double>(scores.size()) - positives;
  std::vector<OperatingPoint> curve{{infinity, ratio(0, positives), ratio(negatives, negatives)}};
  const auto counts =
      detail::weighted_roc(scores, std::vector<bool>(positive.begin(), positive.end()),
                           std::vector<double>(scores.size(), 1.0));
  for (std::size_t k = 0; k < counts.threshold.size(); ++k) {
    curve.push_back({counts.threshold[k], ratio(counts.true_positives[k], positives),
                     ratio(negatives - counts.false_positives[k], negatives)});
  }
  return curve;
}

std::vector<PrecisionRecallPoint> precision_recall_curve(const std::vector<double>& scores,
                                                         const std::vector<int>& positive) {
  check_scores(scores, positive);
  const auto positives = static_cast<double>(
      std::count_if(positive.begin(), positive.end(), [](int p) { return p != 0; }));
  std::vector<PrecisionRecallPoint> curve{{infinity, 1, ratio(0, positives)}};
  const auto counts =
      detail::weighted_roc(scores, std::vector<bool>(positive.begin(), positive.end()),
                           std::vector<double>(scores.size(), 1.0));
  for (std::size_t k = 0; k < counts.threshold.size(); ++k) {
    const double hits = counts.true_positives[k];
    curve.push_back(
        {counts.threshold[k], hits / (hits + counts.false_positives[k]), ratio(hits, positives)});
  }
  return curve;
}

OperatingPoint operating_point(const std::vector<double>& scores, const std::vector<int>& positive,
                               double sensitivity) {
  check_argument(sensitivity > 0 && sensitivity <= 1,
                 "[decision] expected a sensitivity above 0 and at most 1, got ", sensitivity);
  for (const OperatingPoint& point : roc_curve(scores, positive)) {
    if (point.sensitivity >= sensitivity) return point;
  }
  throw std::invalid_argument(text("[decision] expected positives to choose a threshold, got ",
                                   scores.size(), " rows without one"));
}

OperatingPoint point_at_specificity(const std::vector<double>& scores,
                                    const std::vector<int>& positive, double specificity) {
  check_argument(specificity >= 0 && specificity <= 1,
                 "[decision] expected a specificity between 0 and 1, got ", specificity);
  const std::vector<OperatingPoint> curve = roc_curve(scores, positive);
  check_argument(!std::isnan(curve.back().specificity),
                 "[decision] expected negatives to choose a threshold, got ", scores.size(),
                 " rows without one");
  // Specificity falls along the curve and begins at 1.
  const auto end = std::find_if(curve.begin(), curve.end(), [&](const OperatingPoint& point) {
    return point.specificity < specificity;
  });
  return *(end - 1);
}

AppliedPoint apply(const OperatingPoint& point, const std::vector<double>& scores,
                   const std::vector<int>& positive, const std::vector<std::string>& lesions,
                   const BootstrapOptions& options) {
  check_scores(scores, positive);
  detail::check_same_rows(positive.size(), lesions.size(), "lesions");
  const auto interval = [&](double OperatingPoint::*figure) {
    return bootstrap_interval(
        lesions,
        [&](const std::vector<std::int64_t>& rows) {
          return point_at(point.threshold, select(scores, rows), select(positive, rows)).*figure;
        },
        options);
  };
  return {interval(&OperatingPoint::sensitivity), interval(&OperatingPoint::specificity)};
}

double partial_auc(const std::vector<double>& scores, const std::vector<int>& positive,
                   double min_sensitivity) {
  check_argument(min_sensitivity >= 0 && min_sensitivity < 1,
                 "[decision] expected a smallest sensitivity of at least 0 and below 1, got ",
                 min_sensitivity);
  const std::vector<OperatingPoint> curve = roc_curve(scores, positive);
  if (std::isnan(curve.back().sensitivity) || std::isnan(curve.back().specificity)) return nan;
  double area = 0;  // to the left of the curve, over rising sensitivity
  for (std::size_t k = 1; k < curve.size(); ++k) {
    const OperatingPoint& a = curve[k - 1];
    const OperatingPoint& b = curve[k];
    const double from = std::max(a.sensitivity, min_sensitivity);
    if (b.sensitivity <= from) continue;
    const double share = (from - a.sensitivity) / (b.sensitivity - a.sensitivity);
    const double specificity = a.specificity + share * (b.specificity - a.specificity);
    area += (b.sensitivity - from) * (specificity + b.specificity) / 2;
  }
  return area;
}

ConformalSets fit_conformal(const MatrixXd& probabilities, const std::vector<int>& labels,
                            double alpha) {
  check_argument(alpha > 0 && alpha < 1, "[decision] expected alpha between 0 and 1, got ", alpha);
  check_labelled(probabilities, labels);
  std::vector<std::vector<double>> scores(static_cast<std::size_t>(probabilities.cols()));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    scores[static_cast<std::size_t>(labels[i])].push_back(
        1 - probabilities(static_cast<Eigen::Index>(i), labels[i]));
  }
  ConformalSets fitted;
  fitted.alpha = alpha;
  for (std::vector<double>& of_class : scores) {
    std::sort(of_class.begin(), of_class.end());
    const auto rows = static_cast<double>(of_class.size());
    // Rounding must not turn a whole number, such as 20 * 0.95, into the next one.
    const double rank = std::max(1.0, std::ceil((rows + 1) * (1 - alpha) - 1e-9));
    fitted.quantiles.push_back(rank > rows ? infinity
                                           : of_class[static_cast<std::size_t>(rank) - 1]);
    fitted.calibration_rows.push_back(static_cast<std::int64_t>(of_class.size()));
  }
  return fitted;
}

std::vector<std::vector<int>> prediction_sets(const ConformalSets& fitted,
                                              const MatrixXd& probabilities) {
  check_argument(static_cast<std::size_t>(probabilities.cols()) == fitted.quantiles.size(),
                 "[decision] expected probabilities of ", fitted.quantiles.size(), " classes, got ",
                 probabilities.cols());
  detail::check_no_nan(probabilities, "probabilities");
  std::vector<std::vector<int>> sets(static_cast<std::size_t>(probabilities.rows()));
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (std::size_t c = 0; c < fitted.quantiles.size(); ++c) {
      const double p = probabilities(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c));
      if (1 - p <= fitted.quantiles[c]) sets[i].push_back(static_cast<int>(c));
    }
  }
  return sets;
}

SetFigures set_figures(const std::vector<std::vector<int>>& sets, const std::vector<int>& labels,
                       int classes) {
  detail::check_labels(labels, classes);
  detail::check_same_rows(labels.size(), sets.size(), "sets");
  std::vector<double> rows(static_cast<std::size_t>(classes)), covered(rows);
  double sizes = 0;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    rows[label] += 1;
    covered[label] += std::count(sets[i].begin(), sets[i].end(), labels[i]) > 0;
    sizes += static_cast<double>(sets[i].size());
  }
  SetFigures figures;
  for (std::size_t c = 0; c < rows.size(); ++c) {
    figures.coverage.push_back(ratio(covered[c], rows[c]));
  }
  figures.mean_size = ratio(sizes, static_cast<double>(sets.size()));
  return figures;
}

RiskCoverage risk_coverage(const MatrixXd& probabilities, const std::vector<int>& labels,
                           bool balanced) {
  check_labelled(probabilities, labels);
  const std::vector<int> predictions = predict_labels(probabilities);
  std::vector<double> confidence(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    confidence[i] = probabilities.row(static_cast<Eigen::Index>(i)).maxCoeff();
  }
  const std::vector<std::size_t> order = falling(confidence);
  const auto total = static_cast<double>(labels.size());
  // Rows decided so far and right ones; one bin for all, or one a class.
  std::vector<double> rows(balanced ? static_cast<std::size_t>(probabilities.cols()) : 1);
  std::vector<double> right(rows);
  RiskCoverage curve;
  double risk_sum = 0;
  for (std::size_t k = 0, first = 0; k < order.size(); ++k) {
    const std::size_t i = order[k];
    const std::size_t bin = balanced ? static_cast<std::size_t>(labels[i]) : 0;
    rows[bin] += 1;
    right[bin] += predictions[i] == labels[i];
    if (k + 1 < order.size() && confidence[order[k + 1]] == confidence[i]) continue;
    std::vector<double> recall(rows.size());
    std::transform(right.begin(), right.end(), rows.begin(), recall.begin(), ratio);
    curve.coverage.push_back(static_cast<double>(k + 1) / total);
    curve.accuracy.push_back(mean_defined(recall));
    risk_sum += static_cast<double>(k + 1 - first) * (1 - curve.accuracy.back());
    first = k + 1;
  }
  curve.area = ratio(risk_sum, total);
  return curve;
}

std::vector<int> decide(const MatrixXd& probabilities, double threshold) {
  check_argument(!std::isnan(threshold), "[decision] expected a threshold, got NaN");
  std::vector<int> labels = predict_labels(probabilities);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double highest = probabilities.row(static_cast<Eigen::Index>(i)).maxCoeff();
    if (highest < threshold) labels[i] = undecided;
  }
  return labels;
}

MatrixXd append_unknown(const MatrixXd& probabilities, double threshold) {
  check_argument(threshold > 0 && threshold < 1,
                 "[decision] expected a threshold between 0 and 1, got ", threshold);
  check_argument(probabilities.cols() > 0, "[decision] expected at least 1 class, got none");
  detail::check_no_nan(probabilities, "probabilities");
  MatrixXd extended(probabilities.rows(), probabilities.cols() + 1);
  extended.leftCols(probabilities.cols()) = probabilities;
  for (Eigen::Index i = 0; i < probabilities.rows(); ++i) {
    const double lowest = probabilities.row(i).minCoeff();
    const double highest = probabilities.row(i).maxCoeff();
    // A softmax in single precision may exceed 1 by a rounding error.
    check_argument(lowest >= -1e-6 && highest <= 1 + 1e-6,
                   "[decision] expected probabilities in [0, 1], got ", lowest, " .. ", highest,
                   " in row ", i);
    const double unknown = std::clamp((1 - highest) * threshold / (1 - threshold), 0.0, 1.0);
    // At the threshold the two are equal up to rounding, which must not decide.
    extended(i, probabilities.cols()) = highest < threshold
                                            ? std::max(unknown, std::nextafter(highest, 1.0))
                                            : std::min(unknown, std::nextafter(highest, 0.0));
  }
  return extended;
}

}  // namespace dermis
