#include "dermis/train/stage.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>

#include "dermis/core/file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/tensors.hpp"

namespace dermis {

Json stage_configuration(const std::string& stage, Json options, const Sampler& sampler,
                         const PixelSet& training, const std::vector<Json::Member>& more) {
  auto configuration = Json::object({{"stage", stage},
                                     {"options", std::move(options)},
                                     {"sampler", sampler.configuration()},
                                     {"data", fingerprint(training)}});
  for (const auto& [key, value] : more) configuration[key] = value;
  return configuration;
}

std::function<void(std::int64_t step)> preview_writer(const StageContext& context,
                                                      const std::string& name,
                                                      std::function<Image()> draw) {
  if (context.out.empty()) return {};
  return [folder = context.out / name / "samples", draw = std::move(draw)](std::int64_t step) {
    const auto digits = std::to_string(step);
    make_directories(folder);
    write_png(folder / ("step_" + std::string(6 - std::min<std::size_t>(6, digits.size()), '0') +
                        digits + ".png"),
              draw());
  };
}

TrainOptions train_options(const StageSchedule& schedule, const StageContext& context,
                           const std::string& name, Json configuration) {
  check_argument(schedule.validations >= 1, "[", name, "] expected validations of at least 1, got ",
                 schedule.validations);
  check_argument(schedule.previews >= 0, "[", name, "] expected previews of at least 0, got ",
                 schedule.previews);
  configuration["seed"] = context.seed;
  const auto log_every = std::max<std::int64_t>(1, schedule.steps / 50);
  const auto between = std::max<std::int64_t>(1, schedule.steps / schedule.validations / log_every);
  return {.name = name,
          .directory = context.out.empty() ? std::filesystem::path() : context.out / name,
          .steps = schedule.steps,
          .batch_size = schedule.batch_size,
          .accumulate = schedule.accumulate,
          .learning_rate = schedule.learning_rate,
          .minimum_learning_rate = schedule.minimum_learning_rate,
          .warmup_steps = schedule.warmup_steps,
          .decay = schedule.decay,
          .beta1 = schedule.beta1,
          .beta2 = schedule.beta2,
          .clip_norm = schedule.clip_norm,
          .ema_decay = schedule.ema_decay,
          .bf16 = context.bf16,
          .seed = context.seed,
          .log_every = log_every,
          .checkpoint_every = std::max<std::int64_t>(100, schedule.steps / 8),
          .keep_checkpoints = schedule.keep_checkpoints,
          .validate_every = between * log_every,
          .preview_every = schedule.previews == 0
                               ? 0
                               : std::max<std::int64_t>(1, schedule.steps / schedule.previews),
          .resume = context.resume,
          .progress = context.progress,
          .tensorboard = context.tensorboard,
          .configuration = std::move(configuration)};
}

ParameterOptions first_weights(const StageContext& context, const std::string& name) {
  RandomStream stream(context.seed, "weights/" + name);
  return {.generator = at::make_generator<at::CPUGeneratorImpl>(stream.bits64())};
}

Sampler stage_sampler(const PixelSet& training, bool class_balanced, const StageContext& context,
                      const std::string& name, double real_share) {
  check_argument(real_share >= 0 && real_share <= 1,
                 "[sampler] expected real_share in [0, 1], got ", real_share);
  if (!class_balanced) return Sampler::natural(training.size(), context.seed, name);
  if (real_share == 0) return Sampler::class_balanced(labels_of(training), context.seed, name);
  std::vector<bool> synthetic;
  for (const auto& sample : training.samples) synthetic.push_back(sample.synthetic);
  return Sampler::class_balanced(labels_of(training), synthetic, real_share, context.seed, name);
}

std::vector<int> labels_of(const PixelSet& set) {
  std::vector<int> labels;
  for (const auto& sample : set.samples) labels.push_back(sample.label);
  return labels;
}

std::vector<std::string> lesions_of(const PixelSet& set) {
  std::vector<std::string> lesions;
  for (const auto& sample : set.samples) lesions.push_back(sample.lesion);
  return lesions;
}

std::string fingerprint(const PixelSet& set) {
  std::string names;
  for (const auto& name : set.classes) names += name + '\n';
  for (const auto& sample : set.samples) names += sample.id + '\n';
  return fingerprint(names +
                     fingerprint(StateDict{{"images", set.images}, {"labels", set.labels}}));
}

std::vector<std::int64_t> view_keys(const PixelSet& set, const Batch& batch) {
  std::vector<std::int64_t> keys;
  keys.reserve(batch.draws.size());
  for (const auto& draw : batch.draws) keys.push_back(draw.epoch * set.size() + draw.index);
  return keys;
}

at::Tensor augmented(const PixelSet& set, const Batch& batch, const AugmentOptions& options,
                     std::uint64_t seed, const std::string& purpose, at::Device device) {
  return augmented(set, batch, RecipeOptions{.recipe = Recipe::Lesion, .lesion = options}, seed,
                   purpose, device);
}

at::Tensor augmented(const PixelSet& set, const Batch& batch, const RecipeOptions& options,
                     std::uint64_t seed, const std::string& purpose, at::Device device) {
  return augment(set.images.index_select(0, batch.indices), options, seed, purpose, 0,
                 view_keys(set, batch))
      .to(device);
}

void in_batches(std::int64_t rows, std::int64_t batch_size,
                const std::function<void(std::int64_t first, std::int64_t last)>& body) {
  torch::NoGradGuard no_grad;
  for (std::int64_t first = 0; first < rows; first += batch_size)
    body(first, std::min(rows, first + batch_size));
}

}  // namespace dermis
