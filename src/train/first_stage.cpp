#include "dermis/train/first_stage.hpp"

namespace dermis {

namespace {

PerceptualFeatures perceptual_features(const PixelSet& training, const DermaeRecipe& recipe,
                                       const StageContext& context) {
  if (recipe.autoencoder.perceptual_weight == 0 || !recipe.autoencoder.weights.empty()) return {};
  if (!recipe.lpips.empty()) return load_lpips(recipe.lpips, context.device);
  const auto mae = pretrain(training, measure_normalization(training), recipe.pretraining, context,
                            "perceptual");
  return feature_maps(mae.encoder());
}

}  // namespace

KLVAE train_first_stage(const PixelSet& training, const DermaeRecipe& recipe,
                        const StageContext& context, TrainResult* result) {
  return train_autoencoder(training, recipe.autoencoder, context, "autoencoder", result,
                           perceptual_features(training, recipe, context));
}

}  // namespace dermis
