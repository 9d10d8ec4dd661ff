#pragma once
/// \file
/// RandAugment (Cubuk et al., arXiv 1909.13719) as timm's `rand-m9-mstd0.5-inc1`, the policy of
/// MAE's fine-tuning. LibTorch-free.

#include "dermis/core/random.hpp"
#include "dermis/data/image_operations.hpp"

namespace dermis {

/// timm's fifteen "increasing" operations: strength grows with the magnitude m of 0..10. The first
/// three have one strength only; signed ones go either way.
enum class Distortion {
  AutoContrast,
  Equalize,
  Invert,
  Rotate,       ///< +-3 m degrees
  Posterize,    ///< keeps 4 - int(0.4 m) bits: none at m = 10, which is black
  Solarize,     ///< from 256 - int(25.6 m) on
  SolarizeAdd,  ///< int(11 m)
  Color,        ///< factor 1 +- 0.09 m, as the three below
  Contrast,     ///< see Color
  Brightness,   ///< see Color
  Sharpness,    ///< see Color
  ShearX,       ///< +-0.03 m
  ShearY,       ///< +-0.03 m
  TranslateX,   ///< +-0.045 m of the width
  TranslateY,   ///< +-0.045 m of the height
};
inline constexpr int distortion_count = 15;

/// One operation. `negative`: the sign of a signed one, no effect on the others. `fill` is what
/// comes into view from outside. Throws std::invalid_argument unless magnitude is in 0..10.
Image distort(const Image& image, Distortion distortion, double magnitude, bool negative,
              const Rgb& fill);

struct RandAugmentOptions {
  int operations = 2;          ///< drawn an image, with replacement; at least 0
  double probability = 0.5;    ///< that a drawn operation is applied at all (timm's default)
  double magnitude = 9;        ///< mean, in 0..10
  double magnitude_std = 0.5;  ///< of a normal draw for each operation, clamped to 0..10
  Rgb fill = {128, 128, 128};  ///< timm: the normalisation's mean in 0..255
};

/// Throws std::invalid_argument that names the first field out of range.
void validate(const RandAugmentOptions& options);

/// A distorted copy; what happens is drawn from `stream`.
Image rand_augment(Image image, const RandAugmentOptions& options, RandomStream& stream);

}  // namespace dermis
