#pragma once
/// \file
/// Does a generator copy its training images? Latent diffusion does on small medical sets (Dar et
/// al., arXiv 2402.01054). Every synthetic image is compared with every training image; how near is
/// too near is read off real images that the generator never saw.

#include <ATen/core/Tensor.h>

#include <Eigen/Core>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

struct MemorisationOptions {
  /// Features [N, D] of uint8 images [N, 3, S, S], e.g. of a MAE; empty: pixels alone are compared.
  std::function<Eigen::MatrixXd(const at::Tensor& images)> encoder = {};
  /// Share of clean sets that may be called memorised; half of it goes to single copies, half to
  /// the set as a whole. In (0, 1).
  double level = 0.05;
  /// The nearest training lesion is put in relation to the one of this rank, at least 2. Above 2,
  /// so that a photograph filed under two lesion names does not hide its copies.
  std::int64_t neighbour = 5;
  std::int64_t minimum_held_out = 100;  ///< lesions below which the calibration counts as weak
  std::uint64_t seed = 0;               ///< of the bootstrap
};

/// The training image nearest to an image, in one space.
struct NearestImage {
  std::int64_t training = -1;  ///< its index
  /// right_angle_view(training image, view) is what resembles the image.
  std::int64_t view = 0;
  double distance = 0;  ///< sqrt(1 - correlation), 0 to sqrt(2)
  double ratio = 1;     ///< distance over that to the lesion of rank `neighbour`, 0 to 1
  double p_value = 1;   ///< how probable so small a ratio is for a real image of another lesion
};

/// One synthetic image.
struct MemorisationImage {
  std::string id;
  int label = 0;
  NearestImage pixel;
  std::optional<NearestImage> feature;
  double p_value = 1;  ///< of pixel, or twice the lesser of both
  bool copy = false;   ///< a suspected copy
};

/// The null distribution: nearest training image of held-out real images, in one space.
struct DistanceCalibration {
  std::vector<NearestImage> held_out;
  double distance_limit = 0;  ///< 5 % quantile of their distances: what lies above is no copy
  double quartile = 0;        ///< of their ratios
  double exponent = 0;        ///< p = 1/4 (ratio / quartile)^exponent below the quartile
};

/// Of a set of synthetic images.
struct MemorisationResult {
  std::vector<MemorisationImage> images;  ///< in the order of the synthetic set
  DistanceCalibration pixel;
  std::optional<DistanceCalibration> feature;
  std::int64_t held_out_lesions = 0;
  /// Held-out images that share a lesion or patient with training: leaks, not used.
  std::int64_t held_out_left_out = 0;
  bool calibrated = false;  ///< enough held-out lesions

  std::int64_t copies = 0;
  Interval copy_share;               ///< Wilson's interval, 95 %
  double expected_false_alarms = 0;  ///< among `copies`, at most on average

  /// Probability that a synthetic image has a smaller ratio than a held-out one, 1/2 for equal
  /// distributions; with its bootstrap interval at 1 - level.
  Interval closeness;
  bool overfitted = false;  ///< closeness.lo above 0.6

  /// Synthetic images with another one as near as a copy would be.
  std::int64_t near_duplicates = 0;
  bool low_diversity = false;  ///< these are more than 5 %

  bool memorised() const { return copies > 0 || overfitted; }
  /// One line that begins with "memorised", "not calibrated" or "no copies found".
  std::string verdict() const;
};

/// Compares each image of `synthetic` with all of `training` in all eight right-angle views.
///
/// Pixels: images averaged to at most 16 x 16, each channel brought to mean 0 and deviation 1, so
/// that recompression and gains of colour or light change little. Features: the encoder's,
/// standardised by the training images'. Distances are taken by lesion: several views of one count
/// as one neighbour.
///
/// The statistic is the ratio of the nearest lesion's distance to that of rank `neighbour` (after
/// Carlini et al., arXiv 2301.13188): a copy has one very near neighbour, a smooth image many. Near
/// their lower end such ratios follow a power law whose exponent grows with the dimension of the
/// data; it is fitted to the lower quarter of the held-out ratios by medians, so that some held-out
/// copies of training images do not spoil it. Copies are what Benjamini and Hochberg's procedure
/// rejects at half of `level`.
///
/// Found are copies that cover the image: turned by right angles, mirrored, recompressed,
/// recoloured, noised, blurred as by a decoder of 16 x 16 latents. Not found are crops, other
/// angles and other photographs of the same lesion. Costs 6,000 multiply-adds a pair of images (and
/// 8 D with features): a set of 10,000 against 20,000 takes a minute or two of one core.
///
/// `held_out` holds real images of other lesions, made as `training`. Throws std::invalid_argument
/// for options out of range, images that are not uint8 [N, 3, S, S] of one size, fewer than 10
/// training or held-out lesions, no synthetic image, or features of the wrong shape or not finite.
MemorisationResult memorisation_audit(const PixelSet& training, const PixelSet& held_out,
                                      const PixelSet& synthetic,
                                      const MemorisationOptions& options = {});

/// Everything but the images' list, and of it the copies and the 20 least p-values, by id. The
/// training image is named by `training`'s ids.
Json to_json(const MemorisationResult& result, const PixelSet& training);

/// The `count` synthetic images of the least p-values, nearest first, a row each: the synthetic
/// image, the training image turned alike, their absolute difference. Throws std::invalid_argument
/// if `result` is of other sets.
Image memorisation_pictures(const PixelSet& training, const PixelSet& synthetic,
                            const MemorisationResult& result, std::int64_t count = 8,
                            std::int64_t scale = 1);

}  // namespace dermis
