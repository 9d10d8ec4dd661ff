/// \file
/// Hot paths of classification and masked pre-training: images a second, forward and training step,
/// at the demo's sizes and ViT-S/16.

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "dermis/data/augment.hpp"
#include "dermis/models/mae.hpp"

namespace {

using namespace dermis;

const ViTOptions demo_teacher{.image_size = 64,
                              .patch_size = 8,
                              .dim = 128,
                              .depth = 6,
                              .heads = 4,
                              .num_classes = 8,
                              .mean_pooling = true};

ViTOptions small_224() {
  auto options = vit_small();
  options.num_classes = 8;
  return options;
}

void vit_forward(benchmark::State& state, const ViTOptions& options) {
  torch::NoGradGuard no_grad;
  ViT vit(options);
  vit->eval();
  const auto images = torch::rand({state.range(0), 3, options.image_size, options.image_size});
  for (auto _ : state) benchmark::DoNotOptimize(vit->forward(images));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void vit_training_step(benchmark::State& state, const ViTOptions& options) {
  ViT vit(options);
  const auto images = torch::rand({state.range(0), 3, options.image_size, options.image_size});
  for (auto _ : state) {
    vit->zero_grad();
    vit->forward(images).square().mean().backward();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void mae_training_step(benchmark::State& state) {
  MAE mae(MAEOptions{
      .encoder = demo_teacher, .decoder_dim = 96, .decoder_depth = 2, .decoder_heads = 4});
  const auto images = torch::rand({state.range(0), 3, 64, 64});
  for (auto _ : state) {
    mae->zero_grad();
    mae->forward(images, torch::rand({state.range(0), 64})).loss.backward();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void augmentation(benchmark::State& state) {
  const auto images = torch::randint(256, {64, 3, 64, 64}, torch::kByte);
  std::vector<std::int64_t> indices(64);
  std::int64_t epoch = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        augment(images, {}, 0, "bench", static_cast<std::uint64_t>(epoch++), indices));
  state.SetItemsProcessed(state.iterations() * 64);
}

BENCHMARK_CAPTURE(vit_forward, demo_teacher, demo_teacher)
    ->Arg(1)
    ->Arg(64)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(vit_forward, vit_small_224, small_224())->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(vit_training_step, demo_teacher, demo_teacher)
    ->Arg(64)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(mae_training_step)->Arg(64)->Unit(benchmark::kMillisecond);
BENCHMARK(augmentation)->Unit(benchmark::kMillisecond);

}  // namespace
