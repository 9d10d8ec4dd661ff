#pragma once
/// \file
/// The official score of the ISIC classification challenges: what isic-challenge-scoring 5.8.0
/// (classification.py) computes from a truth and a prediction CSV, figure by figure.

#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/io/csv.hpp"

namespace dermis {

/// The metric that ranks submissions: `overall` and `validation` of a score.
enum class IsicTarget { BalancedAccuracy, AUC, AveragePrecision, Dice };

/// Figures of one class against the rest, weighted by score_weight. An image is positive, in truth
/// and prediction, above 0.5. Where a share has an empty denominator it is 1, as the package says.
struct IsicFigures {
  double accuracy = 0;
  double sensitivity = 0;
  double specificity = 0;
  double dice = 0;
  double ppv = 0;
  double npv = 0;
  double auc = 0;          ///< NaN without negatives
  double auc_sens_80 = 0;  ///< area below the ROC curve to the right of the point where sensitivity
                           ///< reaches 0.8, not rescaled: in [0, 1]; NaN without negatives
  double ap = 0;           ///< average precision
};

/// The corners of a ROC curve by falling threshold, the first at (0, 0) with threshold 1. From 101
/// corners on simplified (Ramer-Douglas-Peucker, epsilon 0.001), as the package does.
struct IsicRoc {
  std::vector<double> threshold;
  std::vector<double> fpr;
  std::vector<double> tpr;
};

struct IsicScore {
  double overall = 0;                     ///< the target over the images by score_weight
  double validation = 0;                  ///< the target over the images by validation_weight
  std::vector<std::string> categories;    ///< [C] class columns of the truth
  std::vector<IsicFigures> per_category;  ///< [C]
  IsicFigures macro_average;              ///< mean over the classes where a figure is not NaN
  double balanced_accuracy = 0;           ///< over the images by score_weight
  std::vector<IsicRoc> rocs;              ///< [C]
};

/// Scores `prediction` against `truth`, tables made by `read_csv`:
///
///     const IsicScore score = score_isic(read_csv("truth.csv"), read_csv("predictions.csv"));
///     write_atomically("score.json", to_json(score).dump(2));
///
/// The truth has a column image (or lesion_id), 0 or 1 for each class, and optionally score_weight
/// and validation_weight (1 if absent). Image ISIC_0035068 weighs 0, whatever the file says. In
/// balanced accuracy a row whose maximum is tied is undecided: a wrong prediction, and no truth.
///
/// In a truth file that is not sorted by image the package pairs its k-th line's weight with the
/// k-th image in sorted order (only the frequencies of classes in balanced accuracy, and which
/// images the ROC curves leave out, go by the image's own weight). So do we, for a score that
/// differs is not the official one: sort a truth file that has weights.
///
/// Departs from the package in what is accepted, never in a figure: a truth of -1 and 1 or of True
/// and False, negative weights and lines that all have a surplus cell are refused; images whose
/// names pandas takes for numbers or missing values are not.
///
/// Throws std::runtime_error that names the file, and where it can line and column, for a
/// prediction that `parse_submission` refuses or whose images are not those of the truth, and for a
/// truth that cannot be scored: no class, an image listed twice, a value other than 0 and 1, a
/// weight that is negative or not finite, weights that are all 0 (with IsicTarget::Dice
/// validation_weight may be), a class without a positive image of non-zero score_weight, no image
/// of exactly one class.
IsicScore score_isic(const Table& truth, const Table& prediction,
                     IsicTarget target = IsicTarget::BalancedAccuracy);

/// Balanced accuracy alone.
struct IsicBalancedAccuracy {
  double overall = 0;     ///< by score_weight
  double validation = 0;  ///< by validation_weight
};

/// As above, for truths in which classes have no images (UNK in the training part of ISIC 2019):
/// these are left out of the mean. NaN where weights of 0 leave no class.
IsicBalancedAccuracy isic_balanced_accuracy(const Table& truth, const Table& prediction);

/// The structure of the package's `to_dict(rocs)`, members in its order. NaN becomes null in the
/// text.
Json to_json(const IsicScore& score, bool rocs = true);

}  // namespace dermis
