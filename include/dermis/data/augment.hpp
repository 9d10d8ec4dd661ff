#pragma once
/// \file
/// Random views of training images. What happens to an image depends on (seed, purpose, epoch, its
/// index) alone: batch size, batch order, resuming and threads change nothing.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace dermis {

/// Ranges that parameters are drawn from. The defaults suit dermoscopy, where a lesion has no
/// upright position. Every parameter is drawn even where its range is empty, so switching one off
/// leaves the others as they were.
struct AugmentOptions {
  bool flip = true;     ///< mirror half of the images (with any rotation this covers both axes)
  double rotate = 180;  ///< degrees, angle uniform in [-rotate, rotate]
  double scale_min =
      0.8;  ///< size of the content relative to the original, log-uniform in [scale_min, scale_max]
  double scale_max = 1.25;  ///< above 1 zooms in
  double shift = 0.1;       ///< of the side, per axis, uniform in [-shift, shift]
  double brightness = 0.2;  ///< factor on all values, uniform in [1 - brightness, 1 + brightness]
  double contrast = 0.2;    ///< factor on the distance from the image's mean grey, likewise
  double saturation = 0.2;  ///< factor on the distance from each pixel's grey, likewise
};

/// Options that change nothing, to switch single ones on: `auto o = no_augmentation(); o.flip =
/// true;`.
AugmentOptions no_augmentation();

/// Throws std::invalid_argument that names the first field out of range.
void validate(const AugmentOptions& options);

/// images [B, 3, S, S] uint8 (0..255) or float (0..1) -> float [B, 3, S, S] in 0..1, clamped, on
/// the same device. `indices` holds the B sample indices that key the streams. Rotation, scale,
/// flip and shift are one bilinear sampling with reflection at the borders; then brightness,
/// contrast and saturation in this order, as in torchvision's ColorJitter but clamped once at the
/// end. No gradient is recorded.
at::Tensor augment(const at::Tensor& images, const AugmentOptions& options, std::uint64_t seed,
                   std::string_view purpose, std::uint64_t epoch,
                   const std::vector<int64_t>& indices);

}  // namespace dermis
