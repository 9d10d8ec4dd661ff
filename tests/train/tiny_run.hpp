#pragma once
/// \file
/// A regression small enough to be trained many times in one test.

#include <torch/types.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "dermis/train/loop.hpp"
#include "fixtures.hpp"

namespace dermis::test::training {

namespace fs = std::filesystem;

inline const at::Tensor kInputs = normal({40, 4}, 100);
inline const at::Tensor kTargets = normal({40, 3}, 101);

/// Regression with hidden units dropped by the batch's generator, as drop path does.
inline StepLoss regression(TinyModule& module, const Batch& batch) {
  const at::Tensor keep = at::rand({module.weight1.size(0)}, batch.generator) > 0.3;
  const at::Tensor x = kInputs.index_select(0, batch.indices);
  const at::Tensor y = kTargets.index_select(0, batch.indices);
  module.calls.add_(1);
  const at::Tensor hidden = at::relu(at::linear(x, module.weight1, module.bias1)) * keep;
  const at::Tensor loss = (at::linear(hidden, module.weight2, module.bias2) - y).square().mean();
  return {loss, {{"kept", keep.sum().item<double>()}, {"first", batch.draws[0].index}}};
}

inline TrainOptions options_for(const fs::path& directory) {
  return {.name = "tiny",
          .directory = directory,
          .steps = 30,
          .batch_size = 7,
          .learning_rate = 0.02,
          .minimum_learning_rate = 1e-4,
          .warmup_steps = 5,
          .clip_norm = 0.5,
          .ema_decay = 0.9,
          .seed = 11,
          .log_every = 4,
          .checkpoint_every = 5,
          .progress = false,
          .configuration = Json::object({{"dim", 8}})};
}

inline Sampler sampler() {
  return Sampler::natural(40, 3, "tiny");
}

/// Trains with something happening before each step.
inline TrainResult run(TinyModule& module, const TrainOptions& options,
                       const std::function<void(std::int64_t)>& before = {}) {
  return train(
      module, parameter_groups(module, {.weight_decay = 0.05}), sampler(),
      [&](const Batch& batch) {
        if (before) before(batch.step);
        return regression(module, batch);
      },
      options);
}

inline std::vector<Json> metrics(const fs::path& directory) {
  std::vector<Json> lines;
  std::ifstream file(directory / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line, "metrics"));
  return lines;
}

}  // namespace dermis::test::training
