#pragma once
/// \file
/// A data set that small networks learn in seconds, for tests of whole stages.

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <algorithm>
#include <filesystem>

#include "dermis/models/vit.hpp"
#include "dermis/train/stage.hpp"

namespace dermis::test {

/// Two classes that a network can tell apart: a bright disc's place is random, but one class has
/// stripes, the other has not.
inline PixelSet striped(std::int64_t count, std::uint64_t seed) {
  PixelSet set;
  set.classes = {"plain", "striped"};
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  set.images = torch::empty({count, 3, 16, 16}, torch::kByte);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<int>(i % 2);
    auto image = torch::rand({3, 16, 16}, generator) * 60 + 90;
    if (label == 1) image.slice(1, 0, 16, 4) += 90;
    set.images[i].copy_(image.to(torch::kByte));
    Sample sample;
    sample.id = "image" + std::to_string(seed) + "_" + std::to_string(i);
    sample.lesion = sample.id;
    sample.label = label;
    sample.original_width = 16;
    sample.original_height = 16;
    set.samples.push_back(sample);
    labels.push_back(label);
  }
  set.labels = torch::tensor(labels, torch::kLong);
  return set;
}

inline const ViTOptions small{
    .patch_size = 4, .dim = 32, .depth = 2, .heads = 2, .mean_pooling = true};
inline StageContext quiet(const std::filesystem::path& out = {}) {
  return {.out = out, .seed = 1, .progress = false};
}
inline StageSchedule steps(std::int64_t count) {
  return {.steps = count,
          .batch_size = 16,
          .learning_rate = 2e-3,
          .warmup_steps = std::min<std::int64_t>(5, count)};
}

}  // namespace dermis::test
