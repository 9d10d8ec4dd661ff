#pragma once
/// \file
/// Mixup (Zhang et al., arXiv 1710.09412) and CutMix (Yun et al., arXiv 1905.04899) of a batch, as
/// timm's `Mixup` in batch mode.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "dermis/core/random.hpp"
#include "dermis/io/image.hpp"

namespace dermis {

/// The defaults are MAE's fine-tuning.
struct MixupOptions {
  double mixup_alpha = 0.8;         ///< share lambda ~ Beta(alpha, alpha); 0 = no mixup
  double cutmix_alpha = 1.0;        ///< likewise for the kept area; 0 = no CutMix
  double switch_probability = 0.5;  ///< of CutMix where both are on
  double probability = 1;           ///< that a batch is mixed at all
  double label_smoothing = 0.1;     ///< in [0, 1); a loss that smooths too would do it twice
};

/// Throws std::invalid_argument that names the first field out of range.
void validate(const MixupOptions& options);

struct MixedBatch {
  at::Tensor images;   ///< float [B, 3, S, S]
  at::Tensor targets;  ///< float [B, C], each row adds up to 1
};

/// Mixes image i with image B - 1 - i, all by the same lambda (or the same box, whose part inside
/// the image corrects lambda), and their smoothed labels alike.
///
///     auto [x, t] = mixup(images, labels, classes, {}, RandomStream(seed, "mixup", step));
///
/// \param images  floating [B, 3, H, W], normalised or not; left unchanged
/// \param labels  int64 [B] in [0, num_classes), on the images' device
/// \param stream  what happens to the batch; one of its own for each step
/// \throws std::invalid_argument on shapes or options that do not fit
MixedBatch mixup(const at::Tensor& images, const at::Tensor& labels, std::int64_t num_classes,
                 const MixupOptions& options, RandomStream stream);

/// Mixup with a share of one's own: image i times `lambda` plus image B - 1 - i times 1 - lambda,
/// labels (smoothed) alike. Arguments as above, lambda in [0, 1].
MixedBatch mixup_by(const at::Tensor& images, const at::Tensor& labels, std::int64_t num_classes,
                    double lambda, double label_smoothing = 0);

/// CutMix with a box of one's own, inside the image: there image i takes the pixels of image B - 1
/// - i. Labels are mixed by kept_share.
MixedBatch cutmix_by(const at::Tensor& images, const at::Tensor& labels, std::int64_t num_classes,
                     const Box& box, double label_smoothing = 0);

/// The share of an image's pixels outside the box: the lambda of CutMix.
double kept_share(const Box& box, std::int64_t height, std::int64_t width);

}  // namespace dermis
