#pragma once
/// \file
/// All settings of a DerMAE run in one value, with presets; what `--config FILE` overrides.

#include "dermis/train/distillation.hpp"
#include "dermis/train/generator.hpp"
#include "dermis/train/masked.hpp"
#include "dermis/train/parts.hpp"

namespace dermis {

/// Every stage's options. DerMAE (arXiv 2602.19848) publishes the order of the stages but few
/// numbers; the presets say what we chose.
struct DermaeRecipe {
  std::string preset = "demo";
  std::int64_t image_size = 64;                       ///< pixels along a side
  std::int64_t phantom_images = 2000;                 ///< training images of the embedded data
  std::int64_t phantom_validation_per_class = 40;     ///< lesions
  std::int64_t phantom_test_per_class = 200;          ///< lesions
  double validation_share = 0.15, test_share = 0.25;  ///< of a user's folder
  AutoencoderOptions autoencoder;
  std::string lpips;  ///< file for the autoencoder's perceptual term (load_lpips); empty: a MAE
                      ///< pre-trained on the same images
  GeneratorOptions generator;
  std::int64_t synthetic_target =
      0;  ///< real + synthetic training images a class; 0: as the most frequent class
  std::int64_t synthetic_minimum = 100;  ///< synthetic training images of every class at least
  PretrainingOptions pretraining;
  ClassifierOptions teacher;
  StudentOptions student;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DermaeRecipe>
void visit_fields(Self& o, Visitor&& visit) {
  visit("preset", o.preset);
  visit("image_size", o.image_size);
  visit("phantom_images", o.phantom_images);
  visit("phantom_validation_per_class", o.phantom_validation_per_class);
  visit("phantom_test_per_class", o.phantom_test_per_class);
  visit("validation_share", o.validation_share);
  visit("test_share", o.test_share);
  visit("autoencoder", o.autoencoder);
  visit("lpips", o.lpips);
  visit("generator", o.generator);
  visit("synthetic_target", o.synthetic_target);
  visit("synthetic_minimum", o.synthetic_minimum);
  visit("pretraining", o.pretraining);
  visit("teacher", o.teacher);
  visit("student", o.student);
}

/// The data of a recipe.
PartsOptions parts_options(const DermaeRecipe& recipe);

/// demo: under 25 minutes on two cores. study: about 90 minutes, long enough for the classifiers to
/// converge. paper: the published sizes (LDM KL-f4 and cin256's UNet at 256 px, ViT-H/14 by MAE
/// into ViT-B/16), for accelerators. std::invalid_argument for another name.
DermaeRecipe dermae_recipe(const std::string& preset);

/// Checks everything that can be known before training: sizes that divide, models that can be
/// built.
void validate(const DermaeRecipe& recipe);

/// Fits sizes that depend on the image's: patch grids, decoder, latents. Call after changing
/// image_size.
void set_image_size(DermaeRecipe& recipe, std::int64_t image_size);

/// What a run would do, without allocating a weight: per stage steps, batch, image passes,
/// parameters and a memory estimate (weights, gradients, two moments and with EMA its copy;
/// activations are not counted).
struct StagePlan {
  std::string stage;
  std::int64_t steps = 0, batch_size = 0, parameters = 0;
  double learning_rate = 0;
  double state_gigabytes = 0;
};
std::vector<StagePlan> plan(const DermaeRecipe& recipe, std::int64_t classes);
/// The same of one stage; `module` may be on the meta device. Frozen parameters are not counted.
StagePlan plan(const std::string& stage, const StageSchedule& training,
               const torch::nn::Module& module);

}  // namespace dermis
