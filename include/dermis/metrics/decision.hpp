#pragma once
/// \file
/// From scores to decisions: ROC curves and operating points of one class against the rest,
/// conformal prediction sets, and decisions that may be withheld. Scores are finite, larger = more
/// likely positive; `positive` is non-zero for positives; a row is called positive at a threshold
/// if its score is at least that. Labels are class indices 0 .. C-1. All functions throw
/// std::invalid_argument for NaN, unequal lengths and labels out of range.

#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <vector>

#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

/// A threshold and what it achieves. Sensitivity is the share of positives called positive,
/// specificity that of negatives called negative; NaN without such rows.
struct OperatingPoint {
  double threshold = 0;
  double sensitivity = 0;
  double specificity = 0;
};

/// The point at `threshold`.
OperatingPoint point_at(double threshold, const std::vector<double>& scores,
                        const std::vector<int>& positive);

/// All points of the ROC curve by falling threshold: first infinity (nothing is positive), then
/// every different score, so that rows of equal score make one step.
std::vector<OperatingPoint> roc_curve(const std::vector<double>& scores,
                                      const std::vector<int>& positive);

/// A threshold, how many of the rows called positive are, and how many of the positives are called.
struct PrecisionRecallPoint {
  double threshold = 0;
  double precision = 1;  ///< 1 where nothing is called positive
  double recall = 0;     ///< NaN without positives
};

/// All points of the precision-recall curve by falling threshold: first infinity, then every
/// different score, as roc_curve(). scikit-learn's precision_recall_curve is the same backwards.
std::vector<PrecisionRecallPoint> precision_recall_curve(const std::vector<double>& scores,
                                                         const std::vector<int>& positive);

/// The highest of the scores, as a threshold, whose sensitivity is at least `sensitivity` in
/// (0, 1]. Choose it on validation rows, then `apply` it to those to be judged. Throws
/// std::invalid_argument without positives.
OperatingPoint operating_point(const std::vector<double>& scores, const std::vector<int>& positive,
                               double sensitivity);

/// The lowest threshold (a score, or infinity: nothing is positive) whose specificity is at least
/// `specificity` in [0, 1]: the highest sensitivity to be had at that specificity without drawing
/// lots between two thresholds. Throws std::invalid_argument without negatives.
OperatingPoint point_at_specificity(const std::vector<double>& scores,
                                    const std::vector<int>& positive, double specificity);

/// What an operating point achieves on other rows.
struct AppliedPoint {
  Interval sensitivity;
  Interval specificity;
};

/// Sensitivity and specificity of `point` on rows it was not chosen on, with intervals by lesion
/// (`lesions`: see bootstrap_interval). They hold the threshold fixed: its own uncertainty is not
/// in them.
AppliedPoint apply(const OperatingPoint& point, const std::vector<double>& scores,
                   const std::vector<int>& positive, const std::vector<std::string>& lesions,
                   const BootstrapOptions& options = {});

/// The area below the ROC curve (points joined by straight lines) and above `min_sensitivity` in
/// [0, 1): in [0, 1 - min_sensitivity], for chance (1 - min_sensitivity)^2 / 2. At 0.8 the metric
/// of ISIC 2024, in [0, 0.2]; at 0 the whole AUC. NaN without positives or negatives.
double partial_auc(const std::vector<double>& scores, const std::vector<int>& positive,
                   double min_sensitivity = 0.8);

/// Split conformal prediction with a guarantee for each class (Mondrian: Vovk, arXiv 1209.2673;
/// the score 1 - p: Sadinle et al., arXiv 1609.00451). For a new row of class c the set holds c
/// with probability at least 1 - alpha (over calibration rows and the new one), whatever the model,
/// if the class's calibration and new rows are exchangeable. Where lesions have several views, take
/// one view a lesion to calibrate.
struct ConformalSets {
  double alpha = 0.1;
  /// [C] The largest 1 - p with which a class is in the set: of the n calibration rows of the class
  /// the ceil((n + 1)(1 - alpha))-th smallest 1 - p[label]. Infinity (the class is in every set)
  /// where n is too small for that, n < 1 / alpha - 1: 9 rows are needed at alpha 0.1, 19 at 0.05.
  std::vector<double> quantiles;
  std::vector<std::int64_t> calibration_rows;  ///< [C]
};

/// Fits the quantiles on `probabilities` [N, C] of rows that the model was not trained on. Throws
/// std::invalid_argument for alpha outside (0, 1).
ConformalSets fit_conformal(const Eigen::MatrixXd& probabilities, const std::vector<int>& labels,
                            double alpha = 0.1);

/// The classes in the set of each row of `probabilities` [N, C], ascending; a set may be empty.
std::vector<std::vector<int>> prediction_sets(const ConformalSets& fitted,
                                              const Eigen::MatrixXd& probabilities);

/// How prediction sets turned out.
struct SetFigures {
  std::vector<double> coverage;  ///< [C] share of the class's rows whose set holds it; NaN: no rows
  double mean_size = 0;          ///< classes in a set, mean over rows; NaN without rows
};
SetFigures set_figures(const std::vector<std::vector<int>>& sets, const std::vector<int>& labels,
                       int classes);

/// What is gained by withholding decisions on the least confident rows (largest probability).
struct RiskCoverage {
  std::vector<double> coverage;  ///< ascending shares of rows decided, the last is 1
  std::vector<double> accuracy;  ///< of these rows
  /// Area under the risk-coverage curve (AURC: Geifman et al., arXiv 1805.08206): mean over rows of
  /// the risk, 1 - accuracy, when this row is the least confident one decided. 0 is best.
  double area = 0;
};

/// The curve of `probabilities` [N, C] under the ISIC rule for ties (predict_labels). Rows of equal
/// confidence are decided together. With `balanced` accuracy is balanced accuracy over the classes
/// that still have rows: one that is withheld altogether no longer counts, so read it beside the
/// plain one. Area NaN without rows.
RiskCoverage risk_coverage(const Eigen::MatrixXd& probabilities, const std::vector<int>& labels,
                           bool balanced = false);

/// Predicted labels (predict_labels), `undecided` where the largest probability is below
/// `threshold`.
std::vector<int> decide(const Eigen::MatrixXd& probabilities, double threshold);

/// `probabilities` [N, C] with a column UNK for "none of these" (ISIC 2019), [N, C + 1]:
/// min(1, (1 - m) t / (1 - t)) of the row's largest probability m and the threshold t in (0, 1). It
/// falls with m and exceeds m exactly where m < t, so that the largest entry is UNK for just those
/// rows that `decide` withholds for their confidence; at t = 0.5 it is 1 - m. The known columns
/// stay as they are, hence rows no longer sum to 1, which ISIC does not ask for. A classifier that
/// was never shown unknowns can be sure of them: this flags doubt, it does not detect the unknown.
/// Throws std::invalid_argument for probabilities outside [0, 1].
Eigen::MatrixXd append_unknown(const Eigen::MatrixXd& probabilities, double threshold);

}  // namespace dermis
