// Masked pre-training: images a second.
#include "dermis/models/mae.hpp"
#include "models.hpp"

namespace {

using namespace dermis;

/// ViT-S/16 with a narrow decoder: 147 of 196 patches hidden.
void mae_vits16_b16_train(benchmark::State& state, bool bf16) {
  MAE mae(MAEOptions{
      .encoder = vit_small(), .decoder_dim = 256, .decoder_depth = 4, .decoder_heads = 8});
  const auto images = torch::rand({16, 3, 224, 224});
  bench::train_steps(state, *mae, 16, bf16, [&] {
    return mae->forward(images, torch::rand({16, 196})).loss;
  });
}

/// The demo's.
void mae_demo_b64_train(benchmark::State& state, bool bf16) {
  MAE mae(
      MAEOptions{.encoder = {.image_size = 64, .patch_size = 8, .dim = 128, .depth = 6, .heads = 4},
                 .decoder_dim = 96,
                 .decoder_depth = 2,
                 .decoder_heads = 4});
  const auto images = torch::rand({64, 3, 64, 64});
  bench::train_steps(state, *mae, 64, bf16, [&] {
    return mae->forward(images, torch::rand({64, 64})).loss;
  });
}

const int registered[] = {
    bench::with_and_without_bf16("mae_vits16_b16_train", mae_vits16_b16_train),
    bench::with_and_without_bf16("mae_demo_b64_train", mae_demo_b64_train)};

}  // namespace
