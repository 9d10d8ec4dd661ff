#pragma once
/// \file
/// Whether a map over an image (attention, Grad-CAM, occlusion) lies on the lesion: its share
/// inside the lesion's mask and the pointing game (Zhang et al., arXiv 1608.00507), each beside
/// what a map would get that knows nothing; for right and wrong predictions, and by class.

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

/// A lesion that a map should lie on, row by row, a byte a pixel.
struct LocalisationTarget {
  std::vector<std::uint8_t> mask;  ///< not 0 in the lesion
  std::vector<std::uint8_t> near;  ///< 1 in the lesion and within the tolerance of it
  double area = 0;                 ///< share of pixels in the mask
  double near_area = 0;            ///< share of pixels that are near
};

/// The target of a mask with rows of `width` pixels. `tolerance` [pixels]: how far from the mask a
/// pointing map may miss it (Zhang et al.: 15 of 224). Throws std::invalid_argument for a mask that
/// is no rectangle, or has no or only lesion pixels, or a negative tolerance.
LocalisationTarget localisation_target(std::vector<std::uint8_t> mask, std::int64_t width,
                                       double tolerance);

/// How one map does on its target. A map without a positive value points nowhere: share and hit are
/// then NaN.
struct LocalisedMap {
  double share = 0;      ///< of the map's sum that lies in the mask
  double area = 0;       ///< what a uniform map's share is
  double hit = 0;        ///< 1 if the largest pixel is near; of equal ones the share that is
  double near_area = 0;  ///< what a random pixel hits
};

/// `map` holds a value a pixel, in the mask's order. Throws std::invalid_argument for another
/// number of values, or for one that is negative or not finite.
LocalisedMap localise(const std::vector<float>& map, const LocalisationTarget& target);

/// Means over some images with intervals by lesion; maps that point nowhere are left out of the
/// means, and of the areas, so that both sides speak of the same images.
struct LocalisationSummary {
  std::int64_t images = 0;
  std::int64_t empty = 0;  ///< maps that point nowhere
  Interval share, area;
  Interval gain;  ///< share less area: above 0, the lesion is looked at more than its size explains
  Interval hit, near_area;
};

/// A class, and how often it is recognised.
struct ClassLocalisation {
  std::string name;
  double recall = 0;  ///< NaN without images
  LocalisationSummary maps;
};

/// What a method's maps say of a set of images.
struct Localisation {
  LocalisationSummary all, right, wrong;  ///< wrong: other than the label, or undecided
  Interval gain_difference;               ///< gain of right less that of wrong predictions
  Interval hit_difference;                ///< as much for hit
  std::vector<ClassLocalisation> classes;
  /// Spearman's correlation over classes of recall and mean gain, and of recall and mean hit.
  /// The interval draws lesions, not classes: it does not speak of classes that are not here.
  Interval recall_gain, recall_hit;
};

/// Puts the maps of N images together: labels and predictions as in metrics/classification.hpp,
/// `lesions` as in bootstrap_interval. A class without rows is left out. Throws
/// std::invalid_argument without rows, for unequal lengths or labels outside `classes`.
Localisation localisation(const std::vector<LocalisedMap>& maps, const std::vector<int>& labels,
                          const std::vector<int>& predictions,
                          const std::vector<std::string>& lesions,
                          const std::vector<std::string>& classes,
                          const BootstrapOptions& options = {});

/// all, right, wrong {images, empty, share, area, gain, hit, near_area}, gain_difference,
/// hit_difference, classes by name {recall, ...}, recall_gain, recall_hit.
Json to_json(const Localisation& found);

}  // namespace dermis
