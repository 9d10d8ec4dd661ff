#pragma once
/// \file
/// Real and synthetic sets whose difference is known, on train/stripes.hpp's images.

#include "../train/stripes.hpp"
#include "dermis/train/classifier.hpp"

namespace dermis::test {

/// The same images, called synthetic.
inline PixelSet as_synthetic(PixelSet set) {
  for (auto& sample : set.samples) {
    sample.id = "synthetic_" + sample.id;
    sample.lesion.clear();
    sample.synthetic = true;
  }
  return set;
}

/// The same images with `levels` (one for all, or one an image: [N]) added to every value.
inline PixelSet brighter(PixelSet set, const at::Tensor& levels) {
  const auto shift = levels.dim() == 0 ? levels : levels.view({-1, 1, 1, 1});
  set.images = (set.images.to(torch::kInt) + shift).clamp(0, 255).to(torch::kByte);
  return set;
}

/// Mean of each channel of each quarter, a feature that needs no network: [N, 12].
inline Eigen::MatrixXd quarters(const at::Tensor& images) {
  return to_eigen(torch::avg_pool2d(images.to(torch::kFloat), 8).flatten(1));
}

}  // namespace dermis::test
