#pragma once
/// \file
/// Augmentation by name: which random views of the training images a model learns from. As with
/// augment(), a view depends on (seed, purpose, epoch, index) alone.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dermis/data/augment.hpp"
#include "dermis/data/pixels.hpp"

namespace dermis {

enum class Recipe {
  /// augment() with RecipeOptions::lesion.
  Lesion,
  /// timm's training transforms as MAE's fine-tuning uses them (arXiv 2111.06377, Table 9):
  /// RandomResizedCrop (area 0.08 to 1, aspect 3/4 to 4/3, bicubic), horizontal flip,
  /// RandAugment m9-mstd0.5-inc1 on 8-bit values, and with probability 0.25 a rectangle (area 0.02
  /// to 1/3, aspect 0.3 to 1/0.3) erased with noise: mean + std N(0, 1) for each value, which
  /// RecipeOptions::normalization turns into N(0, 1). The noise is not clamped. Mixup and CutMix
  /// come after, on the batch: see mixup.hpp.
  Mae,
  /// SkinDistilViT's (arXiv 2308.08669) with albumentations' defaults: resized by 450/400;
  /// ShiftScaleRotate (shift and scale 0.05, 90 degrees, probability 0.75, bilinear, reflect-101);
  /// a random crop of the images' size; RGBShift +-15/255 (0.5); brightness and contrast +-0.2
  /// (0.5). The original resizes to 450 pixels, crops 400 and resizes that to the model's input;
  /// here all steps up to the crop are one bilinear look-up, and values are not rounded between
  /// steps.
  SkinDistilViT,
};
std::string name(Recipe recipe);
void from_name(Recipe& recipe, const std::string& text);

struct RecipeOptions {
  Recipe recipe = Recipe::Lesion;
  AugmentOptions lesion;        ///< Recipe::Lesion only
  Normalization normalization;  ///< the model's; Recipe::Mae only: colour of what comes into view
                                ///< from outside, and scale of the erasing noise
};

/// Views of stored images [B, 3, S, S] uint8 -> float [B, 3, S, S] in 0..1 (but for the noise of
/// Recipe::Mae), on the same device; all but Recipe::Lesion compute on the CPU. `indices` holds the
/// B keys. No gradient is recorded. Throws std::invalid_argument on anything that does not fit.
at::Tensor augment(const at::Tensor& images, const RecipeOptions& options, std::uint64_t seed,
                   std::string_view purpose, std::uint64_t epoch,
                   const std::vector<int64_t>& indices);

}  // namespace dermis
