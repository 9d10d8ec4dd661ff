#pragma once
/// \file
/// Does a classifier do as well for one group of people as for another? Figures by group (skin
/// tone, sex, hospital), the gaps between groups, and which of them is more than chance.

#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

struct GroupGapOptions {
  BootstrapOptions bootstrap;  ///< its level is the one of each figure's own interval
  double alpha = 0.05;         ///< chance of any false gap at all among those looked at
  /// A group is compared in a class only with so many lesions of it, and at all only with two such
  /// classes: recall of fewer is hardly a measurement.
  std::int64_t least_lesions = 10;
};

/// What is measured in one group.
struct GroupFigures {
  std::string group;
  std::int64_t images = 0;
  std::int64_t lesions = 0;
  Interval balanced_accuracy;    ///< over the classes that the group has
  std::vector<Interval> recall;  ///< [C], NaN for a class the group does not have
  /// Expected calibration error (15 bins). A small group's is larger by chance alone: it is no
  /// figure to compare groups by, overconfidence is.
  Interval calibration_error;
  Interval overconfidence;  ///< mean confidence less accuracy; 0 is calibrated on the average
  std::string note;         ///< why the group is not compared, or empty
};

/// One group's figure less another's.
struct GroupGap {
  std::string figure;  ///< "balanced accuracy" or "overconfidence"
  std::string first, second;
  std::vector<int> classes;  ///< the classes it is taken over: those both have enough lesions of
  /// `first` less `second`; the interval holds for all gaps of the report together.
  Interval difference;
  bool found = false;  ///< the interval excludes 0
};

struct GroupGaps {
  std::vector<GroupFigures> groups;  ///< in alphabetical order
  std::vector<GroupGap> gaps;        ///< all pairs that can be compared, the widest first
  std::int64_t unknown = 0;          ///< images without a group
  bool found = false;                ///< any gap was
};

/// Figures and gaps of `probabilities` [N, C] on images with the given labels, groups (the empty
/// string: unknown, left out) and lesions (see bootstrap_interval). Predictions are the largest
/// entries (predict_labels).
///
/// All gaps come from the same resamples of lesions, stratified by group and class so that no group
/// loses a class. Their intervals are corrected together (max-statistic): the half width is c times
/// the gap's standard error, c the 1 - alpha quantile over resamples of the largest
/// |gap - its estimate| / standard error, at least 1.96. The error is that of the resamples or, if
/// larger, the binomial one with half a hit and half a miss added to each recall, so that a recall
/// of 1 in few images is not taken for certain. Throws std::invalid_argument for unequal lengths,
/// labels outside 0 .. C - 1, NaN, probabilities outside [0, 1], alpha outside (0, 0.5) or
/// least_lesions below 2.
GroupGaps group_gaps(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities,
                     const std::vector<std::string>& groups,
                     const std::vector<std::string>& lesions, const GroupGapOptions& options = {});

/// groups [{...}], gaps [{...}], unknown, found; classes by their names.
Json to_json(const GroupGaps& gaps, const std::vector<std::string>& classes);

}  // namespace dermis
