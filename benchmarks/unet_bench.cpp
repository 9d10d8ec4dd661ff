// The denoising UNet: latents a second, forward and training step.
#include "dermis/models/unet.hpp"
#include "models.hpp"

namespace {

using namespace dermis;

/// For 4 x 32 x 32 latents, those of images of 256 px.
UNet unet32() {
  return UNet(UNetOptions{.channels = {128, 256, 256}, .attention = {0, 1, 1}, .num_classes = 9});
}
/// The demo's, for 4 x 16 x 16 latents.
UNet demo_unet() {
  return UNet(UNetOptions{.num_classes = 8, .norm_groups = 8});
}

struct Noisy {
  Noisy(std::int64_t batch, std::int64_t side, std::int64_t classes)
      : x(torch::randn({batch, 4, side, side})),
        noise(torch::randn_like(x)),
        t(torch::randint(0, 1000, {batch}, torch::kLong)),
        labels(torch::randint(0, classes, {batch}, torch::kLong)) {}
  at::Tensor x, noise, t, labels;
};

void forward(benchmark::State& state, bool bf16, UNet unet, const Noisy& batch) {
  unet->eval();
  bench::forward_passes(state, batch.x.size(0), bf16,
                        [&] { return unet->forward(batch.x, batch.t, batch.labels); });
}

void train(benchmark::State& state, bool bf16, UNet unet, const Noisy& batch) {
  bench::train_steps(state, *unet, batch.x.size(0), bf16, [&] {
    return at::mse_loss(unet->forward(batch.x, batch.t, batch.labels).to(at::kFloat), batch.noise);
  });
}

const int registered[] = {
    bench::with_and_without_bf16("unet32_b8_forward",
                                 [](benchmark::State& state, bool bf16) {
                                   forward(state, bf16, unet32(), Noisy(8, 32, 9));
                                 }),
    bench::with_and_without_bf16(
        "unet32_b8_train",
        [](benchmark::State& state, bool bf16) { train(state, bf16, unet32(), Noisy(8, 32, 9)); }),
    bench::with_and_without_bf16("unet_demo_b32_forward",
                                 [](benchmark::State& state, bool bf16) {
                                   forward(state, bf16, demo_unet(), Noisy(32, 16, 8));
                                 }),
    bench::with_and_without_bf16("unet_demo_b32_train", [](benchmark::State& state, bool bf16) {
      train(state, bf16, demo_unet(), Noisy(32, 16, 8));
    })};

}  // namespace
