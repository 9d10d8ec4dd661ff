#pragma once
/// \file
/// ROC curves of weighted rows, counted as scikit-learn 1.9 counts them: which points are corners
/// is asked of floating-point sums, so the order of summation is part of the result.

#include <vector>

#include "dermis/metrics/isic_score.hpp"

namespace dermis::detail {

/// Sums of weights at or above each different score, by falling score. Rows of weight 0 are not in
/// it.
struct WeightedRoc {
  std::vector<double> threshold;
  std::vector<double> false_positives;
  std::vector<double> true_positives;
};

/// `scores`, `positive` and `weights` have equal lengths. The functions below expect that at least
/// one weight is not 0.
WeightedRoc weighted_roc(const std::vector<double>& scores, const std::vector<bool>& positive,
                         const std::vector<double>& weights);

/// Area under the curve, NaN without positives or negatives.
double area(const WeightedRoc& roc);

/// Area under the part of the curve to the right of the point where sensitivity reaches
/// `sensitivity` in (0, 1]; NaN without negatives. Expects positives.
double area_above_sensitivity(const WeightedRoc& roc, double sensitivity);

/// Sum over thresholds of precision times the rise of recall; 0 without positives.
double average_precision(const WeightedRoc& roc);

/// The corners of the curve as rates, simplified where there are more than 100.
IsicRoc corners(const WeightedRoc& roc);

}  // namespace dermis::detail
