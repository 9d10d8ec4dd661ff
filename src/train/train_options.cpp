#include "train_options.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "dermis/core/check.hpp"
#include "dermis/core/hash.hpp"

namespace dermis::detail {

void check(const TrainOptions& options) {
  const auto expect = [&](bool ok, const char* wish, double got) {
    check_argument(ok, "[train] ", options.name, ": expected ", wish, ", got ", got);
  };
  expect(options.steps >= 1, "steps of at least 1", static_cast<double>(options.steps));
  expect(options.batch_size >= 1, "batch_size of at least 1",
         static_cast<double>(options.batch_size));
  expect(options.warmup_steps >= 0 && options.warmup_steps <= options.steps,
         "warmup_steps in [0, steps]", static_cast<double>(options.warmup_steps));
  expect(options.learning_rate > 0 && std::isfinite(options.learning_rate), "learning_rate above 0",
         options.learning_rate);
  expect(
      options.minimum_learning_rate >= 0 && options.minimum_learning_rate <= options.learning_rate,
      "minimum_learning_rate in [0, learning_rate]", options.minimum_learning_rate);
  expect(options.clip_norm >= 0, "clip_norm of at least 0", options.clip_norm);
  expect(options.ema_decay >= 0 && options.ema_decay < 1, "ema_decay in [0, 1)", options.ema_decay);
  expect(options.log_every >= 1, "log_every of at least 1", static_cast<double>(options.log_every));
  expect(options.accumulate >= 1 && options.batch_size % options.accumulate == 0,
         "accumulate to divide batch_size", static_cast<double>(options.accumulate));
  expect(options.keep_checkpoints >= 1, "keep_checkpoints of at least 1",
         static_cast<double>(options.keep_checkpoints));
  expect(options.validate_every >= 0 && options.validate_every % options.log_every == 0,
         "validate_every to be a multiple of log_every",
         static_cast<double>(options.validate_every));
  expect(options.preview_every >= 0, "preview_every of at least 0",
         static_cast<double>(options.preview_every));
  expect(options.checkpoint_every >= 0, "checkpoint_every of at least 0",
         static_cast<double>(options.checkpoint_every));
}

Json configuration_of(const TrainOptions& options, const std::vector<ParameterGroup>& groups,
                      const Sampler& sampler) {
  std::string parameters;
  for (const ParameterGroup& group : groups) {
    parameters += text(group.learning_rate_scale, ' ', group.weight_decay, ':');
    for (const std::string& name : group.names) parameters += ' ' + name;
    parameters += '\n';
  }
  return Json::object({{"name", options.name},
                       {"steps", options.steps},
                       {"batch_size", options.batch_size},
                       {"accumulate", options.accumulate},
                       {"validate_every", options.validate_every},
                       {"learning_rate", options.learning_rate},
                       {"minimum_learning_rate", options.minimum_learning_rate},
                       {"warmup_steps", options.warmup_steps},
                       {"decay", static_cast<int>(options.decay)},
                       {"beta1", options.beta1},
                       {"beta2", options.beta2},
                       {"epsilon", options.epsilon},
                       {"clip_norm", options.clip_norm},
                       {"ema_decay", options.ema_decay},
                       {"bf16", options.bf16},
                       {"seed", std::to_string(options.seed)},  // JSON integers end at 2^63
                       {"parameter_groups", fingerprint(std::string_view(parameters))},
                       {"sampler", sampler.configuration()},
                       {"configuration", options.configuration}});
}

std::string announcement(const TrainOptions& options, const std::vector<ParameterGroup>& groups) {
  std::int64_t parameters = 0;
  double scale = 1;
  for (const ParameterGroup& group : groups) {
    scale = std::min(scale, group.learning_rate_scale);
    for (const at::Tensor& parameter : group.parameters) parameters += parameter.numel();
  }
  const double rate = options.learning_rate;
  const auto batch = static_cast<double>(options.batch_size);
  return text(
      options.name, ": ", options.steps, " steps of ", options.batch_size, " images, ",
      options.steps * options.batch_size, " image passes; learning rate ", rate, " (",
      rate * 256 / batch, " for 256 images",
      scale < 1 ? text("; ", rate * scale, " in the first layer") : std::string(), "); ",
      parameters, " parameters trained, ",
      std::round(1e-4 * static_cast<double>(state_bytes(parameters, options.ema_decay > 0))) / 100,
      " MB of weights, gradients and moments");
}

std::int64_t state_bytes(std::int64_t parameters, bool ema) {
  return parameters * 4 * (ema ? 5 : 4);
}

}  // namespace dermis::detail
