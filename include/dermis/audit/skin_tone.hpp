#pragma once
/// \file
/// Skin tone in sets of images: which tones a set holds, whether a generated set holds the same
/// ones as the real images of the class, and the groups to compare a classifier's figures by
/// (metrics/group_gaps.hpp).

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/io/skin_tone.hpp"
#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

/// estimate_tone() of every image.
std::vector<ToneEstimate> estimate_tones(const PixelSet& set, const ToneOptions& options = {});

/// The most probable group of each estimate, for group_gaps(): "" (unknown) where nothing was
/// measured or no group has at least `least_probability`. Images near a border of two groups are of
/// either; a gap between neighbouring groups is blurred by that, never made.
std::vector<std::string> tone_group_of(const std::vector<ToneEstimate>& estimates,
                                       double least_probability = 0);

/// A group's share of a set: the mean of its probability over the images where tone was measured.
using ToneShares = std::array<Interval, tone_groups>;

/// Tones of one class, or of all.
struct ToneComparison {
  std::string name;                                    ///< of the class, or "all"
  std::int64_t real_images = 0, synthetic_images = 0;  ///< with a measured tone
  ToneShares real, synthetic;  ///< bootstrap by lesion; NaN where there is no image
  Interval shift;              ///< mean ITA of synthetic less real images, degrees
  double distance = 0;  ///< Kolmogorov-Smirnov: largest difference of the shares up to an angle
  double p = 1;         ///< of the distance, by permutation of lesions, corrected (Holm)
  bool differs = false;
  std::string note;  ///< why it was not tested, or empty
};

struct ToneComparisonOptions {
  BootstrapOptions bootstrap;
  double alpha = 0.05;  ///< chance of any false alarm over all rows
  std::int64_t permutations = 2000;
  std::int64_t least_images = 10;  ///< with measured tone, on each side, to be tested
};

/// All images first, then each class, with its synthetic share of each tone beside the real one. A
/// generator that draws one class on light skin alone shows here. Throws std::invalid_argument
/// unless there are as many estimates as images, classes agree, and alpha lies in (0, 1).
std::vector<ToneComparison> compare_tones(const std::vector<ToneEstimate>& real,
                                          const PixelSet& real_set,
                                          const std::vector<ToneEstimate>& synthetic,
                                          const PixelSet& synthetic_set,
                                          const ToneComparisonOptions& options = {});

/// images, measured, colour_casts (images whose light is far from grey), ita (5, 25, 50, 75, 95 %
/// quantiles), error (median) and shares.
Json tone_summary(const std::vector<ToneEstimate>& estimates);

Json to_json(const ToneComparison& comparison);
Json to_json(const std::vector<ToneComparison>& comparisons);

}  // namespace dermis
