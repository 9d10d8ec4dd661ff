// Classification: images a second, forward and training step, at the demo's sizes and ViT-S/16.
#include "dermis/models/vit.hpp"
#include "models.hpp"

namespace {

using namespace dermis;

const ViTOptions demo{.image_size = 64,
                      .patch_size = 8,
                      .dim = 128,
                      .depth = 6,
                      .heads = 4,
                      .num_classes = 8,
                      .mean_pooling = true};

ViTOptions small_of_8_classes() {
  auto options = vit_small();
  options.num_classes = 8;
  return options;
}

void forward(benchmark::State& state, bool bf16, const ViTOptions& options, std::int64_t batch) {
  ViT vit(options);
  vit->eval();
  const auto images = torch::rand({batch, 3, options.image_size, options.image_size});
  bench::forward_passes(state, batch, bf16, [&] { return vit->forward(images); });
}

void train(benchmark::State& state, bool bf16, const ViTOptions& options, std::int64_t batch) {
  ViT vit(options);
  const auto images = torch::rand({batch, 3, options.image_size, options.image_size});
  const auto labels = torch::arange(batch) % 8;
  bench::train_steps(state, *vit, batch, bf16,
                     [&] { return at::cross_entropy_loss(vit->forward(images), labels); });
}

const int registered[] = {
    bench::with_and_without_bf16(
        "vits16_b16_train",
        [](benchmark::State& state, bool bf16) { train(state, bf16, small_of_8_classes(), 16); }),
    bench::with_and_without_bf16(
        "vits16_b1_forward",
        [](benchmark::State& state, bool bf16) { forward(state, bf16, small_of_8_classes(), 1); }),
    bench::with_and_without_bf16(
        "vit_demo_b64_train",
        [](benchmark::State& state, bool bf16) { train(state, bf16, demo, 64); }),
    bench::with_and_without_bf16("vit_demo_b64_forward", [](benchmark::State& state, bool bf16) {
      forward(state, bf16, demo, 64);
    })};

}  // namespace
