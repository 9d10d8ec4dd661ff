#pragma once
/// \file
/// What all training stages share: how long and how fast one trains, where it writes, and how raw
/// pixels reach a model.

#include <concepts>
#include <filesystem>
#include <string>
#include <type_traits>

#include "dermis/core/options.hpp"
#include "dermis/data/mixup.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/data/recipes.hpp"
#include "dermis/layers/parameter.hpp"
#include "dermis/train/loop.hpp"

namespace dermis {

/// Length and optimizer of a stage (AdamW, warm-up, decay).
struct StageSchedule {
  std::int64_t steps = 1000;
  std::int64_t batch_size = 64;
  std::int64_t accumulate = 1;  ///< equal parts that a batch is computed in, to save memory
  double learning_rate = 1e-3;  ///< reached after the warm-up
  double minimum_learning_rate = 0;
  std::int64_t warmup_steps = 50;
  Decay decay = Decay::Cosine;
  double weight_decay = 0.05;
  double beta1 = 0.9;  ///< 0.5 is usual against a discriminator
  double beta2 = 0.999;
  double clip_norm = 1.0;  ///< 0 = off
  double ema_decay =
      0;  ///< 0 = off; otherwise the averaged weights are what is evaluated and saved
  std::int64_t validations = 10;      ///< during training, where there is something to validate on
  std::int64_t keep_checkpoints = 1;  ///< the newest that stay on the disk
  std::int64_t previews = 4;  ///< pictures of how far it is, where there is something to see

  std::int64_t image_passes() const { return steps * batch_size; }
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, StageSchedule>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("batch_size", o.batch_size);
  visit("accumulate", o.accumulate);
  visit("learning_rate", o.learning_rate);
  visit("minimum_learning_rate", o.minimum_learning_rate);
  visit("warmup_steps", o.warmup_steps);
  visit("decay", o.decay);
  visit("weight_decay", o.weight_decay);
  visit("beta1", o.beta1);
  visit("beta2", o.beta2);
  visit("clip_norm", o.clip_norm);
  visit("ema_decay", o.ema_decay);
  visit("validations", o.validations);
  visit("keep_checkpoints", o.keep_checkpoints);
  visit("previews", o.previews);
}

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, AugmentOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("flip", o.flip);
  visit("rotate", o.rotate);
  visit("scale_min", o.scale_min);
  visit("scale_max", o.scale_max);
  visit("shift", o.shift);
  visit("brightness", o.brightness);
  visit("contrast", o.contrast);
  visit("saturation", o.saturation);
}

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, MixupOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("mixup_alpha", o.mixup_alpha);
  visit("cutmix_alpha", o.cutmix_alpha);
  visit("switch_probability", o.switch_probability);
  visit("probability", o.probability);
}

/// Where and how a program runs its stages.
struct StageContext {
  std::filesystem::path out;  ///< each stage writes below out/<stage name>
  std::uint64_t seed = 0;     ///< of weights, order, augmentation and noise
  at::Device device = at::kCPU;
  bool resume = false;  ///< finished stages are loaded, an interrupted one goes on
  bool bf16 = false;    ///< bfloat16 autocast in training
  bool progress = true;
  bool tensorboard = false;          ///< event files in out/<stage name>/tensorboard
  std::filesystem::path cache = {};  ///< teachers' answers, see train/teacher_cache.hpp; empty:
                                     ///< none are kept. Changes no weight.
};

/// What must agree when stage `stage` is resumed: its options, sampler, training data, and `more`.
Json stage_configuration(const std::string& stage, Json options, const Sampler& sampler,
                         const PixelSet& training, const std::vector<Json::Member>& more = {});

/// TrainHooks::preview: writes what `draw` yields as out/<stage name>/samples/step_000500.png.
std::function<void(std::int64_t step)> preview_writer(const StageContext& context,
                                                      const std::string& name,
                                                      std::function<Image()> draw);

/// The loop's options for stage `name`; `configuration` (model, data, loss) must agree on resume.
TrainOptions train_options(const StageSchedule& schedule, const StageContext& context,
                           const std::string& name, Json configuration);

/// First weights of stage `name`: a generator keyed by (seed, name), so that stages do not disturb
/// each other. Values are drawn on the CPU, the same for every device; move the module afterwards.
ParameterOptions first_weights(const StageContext& context, const std::string& name);

/// The order of a stage's images: as frequent as they are, or every class equally often. With
/// `real_share` above 0 and synthetic images in the set, each class that has both is drawn real in
/// that share of cases, so that looking synthetic tells nothing about the class.
Sampler stage_sampler(const PixelSet& training, bool class_balanced, const StageContext& context,
                      const std::string& name, double real_share = 0);

/// The label of each image, as metrics take them.
std::vector<int> labels_of(const PixelSet& set);
/// The lesion of each image, as bootstrap_interval takes them.
std::vector<std::string> lesions_of(const PixelSet& set);

/// 16 digits that stand for a data set: pixels, labels, ids and classes.
std::string fingerprint(const PixelSet& set);

/// The numbers that tell views apart: draws of one batch may belong to different passes, the pair
/// becomes one key.
std::vector<std::int64_t> view_keys(const PixelSet& set, const Batch& batch);

/// Augmented views of a batch: float [B, 3, S, S] in 0..1 on `device`. What a view looks like
/// depends on (seed, purpose, epoch, image) alone.
at::Tensor augmented(const PixelSet& set, const Batch& batch, const AugmentOptions& options,
                     std::uint64_t seed, const std::string& purpose, at::Device device);
at::Tensor augmented(const PixelSet& set, const Batch& batch, const RecipeOptions& options,
                     std::uint64_t seed, const std::string& purpose, at::Device device);

/// Calls `body(first, last)` over rows in pieces of `batch_size`, without gradients.
void in_batches(std::int64_t rows, std::int64_t batch_size,
                const std::function<void(std::int64_t first, std::int64_t last)>& body);

}  // namespace dermis
