#pragma once
/// \file
/// Classification metrics: confusion matrix, accuracy, balanced accuracy (the official ISIC
/// metric), precision, recall, F1 and one-vs-rest AUC. Labels and predictions are class indices 0
/// .. C-1; probabilities are [N, C], rows need not sum to 1. All functions throw
/// std::invalid_argument for labels out of range, unequal lengths or NaN.

#include <Eigen/Core>
#include <cstdint>
#include <vector>

namespace dermis {

/// What `predict_labels` returns for a row whose maximum is shared; equal to no class, hence always
/// wrong.
inline constexpr int undecided = -1;

/// Index of the largest entry of each row of `probabilities` [N, C], the first one if several are
/// equal.
std::vector<int> argmax(const Eigen::MatrixXd& probabilities);

/// The rule of the ISIC scoring package (isic-challenge-scoring, classification.py): like argmax,
/// but a tie for the maximum is `undecided`.
std::vector<int> predict_labels(const Eigen::MatrixXd& probabilities);

/// Counts as [true, predicted], shape [classes, classes]. Undecided predictions have no column: a
/// row then adds up to less than the class has images.
Eigen::MatrixXi confusion_matrix(const std::vector<int>& labels,
                                 const std::vector<int>& predictions, int classes);

/// Share of correct predictions, in [0, 1]; NaN without rows.
double accuracy(const std::vector<int>& labels, const std::vector<int>& predictions);

/// Mean over the classes that occur in `labels` of their recall, in [0, 1]; a class without truth
/// rows is skipped, not counted as 0. NaN without rows.
double balanced_accuracy(const std::vector<int>& labels, const std::vector<int>& predictions);

/// Balanced accuracy under the ISIC rule for ties: balanced_accuracy(labels,
/// predict_labels(probabilities)).
double balanced_accuracy(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities);

/// Figures of each class, each vector [classes]. NaN where a figure is undefined: recall of a class
/// without truth rows, precision of a class never predicted, F1 of a class that is neither.
struct PerClass {
  std::vector<double> recall;
  std::vector<double> precision;
  std::vector<double> f1;             ///< 2 TP / (2 TP + FP + FN)
  std::vector<std::int64_t> support;  ///< truth rows
};
PerClass per_class(const std::vector<int>& labels, const std::vector<int>& predictions,
                   int classes);

/// Mean of the values that are not NaN (macro average over the classes where a figure is defined);
/// NaN if there is none.
double mean_defined(const std::vector<double>& values);

/// Area under the ROC curve of `scores` against `positive` (non-zero = positive): the probability
/// that a positive scores above a negative, ties counting one half (Mann-Whitney U with mid-ranks).
/// NaN if either side is empty.
double auc(const std::vector<double>& scores, const std::vector<int>& positive);

/// AUC of each class against the rest from `probabilities` [N, C]; NaN for a class that is absent
/// or the only one.
std::vector<double> auc_one_vs_rest(const std::vector<int>& labels,
                                    const Eigen::MatrixXd& probabilities);

/// Unweighted mean of the defined one-vs-rest AUCs.
double macro_auc(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities);

/// AUC of each unordered pair of classes a, b over the rows of either, the mean of ranking them by
/// the column of a and by that of b, averaged over the pairs of classes that have rows (Hand and
/// Till 2001; scikit-learn's multi_class="ovo"). NaN with fewer than two such classes.
double auc_one_vs_one(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities);

/// Average precision: the sum over different scores, from the highest, of precision times the rise
/// of recall (no interpolation). NaN without positives.
double average_precision(const std::vector<double>& scores, const std::vector<int>& positive);

/// Average precision of each class against the rest; NaN for a class that is absent.
std::vector<double> average_precision_one_vs_rest(const std::vector<int>& labels,
                                                  const Eigen::MatrixXd& probabilities);

/// Mean of the values that are not NaN, each weighed by its class's rows (`PerClass::support`); NaN
/// if there is none.
double mean_by_support(const std::vector<double>& values, const std::vector<std::int64_t>& support);

/// How far apart two classes are for Cohen's kappa: by whether they differ, or by the first or
/// second power of the difference of their indices (for grades).
enum class KappaWeights { None, Linear, Quadratic };

/// Cohen's kappa of counts [true, predicted]: 1 - sum w observed / sum w expected. NaN where one
/// class makes up both sides.
double cohen_kappa(const Eigen::MatrixXi& confusion, KappaWeights weights = KappaWeights::None);

/// Matthews' correlation of counts [true, predicted] (Gorodkin 2004 for more than two classes), in
/// [-1, 1]; 0 where one class makes up a side.
double matthews_correlation(const Eigen::MatrixXi& confusion);

/// Share of rows whose label is among the k largest entries; of equal ones the later class goes
/// first (scikit-learn's order). k in 1 .. C; NaN without rows.
double top_k_accuracy(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities, int k);

}  // namespace dermis
