#pragma once
/// \file
/// The first stage as a recipe asks for it, with whatever its perceptual term looks through.

#include "dermis/train/recipe.hpp"

namespace dermis {

/// train_autoencoder(recipe.autoencoder) on `training`. A perceptual term sees through recipe.lpips
/// where that names a file, otherwise through a MAE of recipe.pretraining that is pre-trained on
/// the same images first, as stage "perceptual".
KLVAE train_first_stage(const PixelSet& training, const DermaeRecipe& recipe,
                        const StageContext& context, TrainResult* result = nullptr);

}  // namespace dermis
