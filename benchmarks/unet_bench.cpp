// Images a second of the demo's UNet (16 x 16 x 4 latents) and autoencoder (64 px), one thread.
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "dermis/models/kl_vae.hpp"
#include "dermis/models/unet.hpp"

namespace {

using namespace dermis;

const auto one_thread = [] {
  torch::set_num_threads(1);
  return 0;
}();

UNet demo_unet() {
  return UNet(UNetOptions{.num_classes = 8, .norm_groups = 8});
}
KLVAE demo_vae() {
  return KLVAE(KLVAEOptions{.channels = {16, 32, 64}, .norm_groups = 8});
}

void unet_train(benchmark::State& state) {
  auto unet = demo_unet();
  const auto batch = state.range(0);
  const auto x = torch::randn({batch, 4, 16, 16});
  const auto t = torch::randint(0, 1000, {batch}), labels = torch::randint(0, 9, {batch});
  for (auto _ : state) {
    unet->zero_grad();
    (unet->forward(x, t, labels) - x).square().mean().backward();
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(unet_train)->Arg(32)->Unit(benchmark::kMillisecond);

void unet_evaluate(benchmark::State& state) {
  torch::NoGradGuard no_grad;
  auto unet = demo_unet();
  const auto batch = state.range(0);
  const auto x = torch::randn({batch, 4, 16, 16});
  const auto t = torch::randint(0, 1000, {batch}), labels = torch::randint(0, 9, {batch});
  for (auto _ : state) benchmark::DoNotOptimize(unet->forward(x, t, labels));
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(unet_evaluate)->Arg(32)->Unit(benchmark::kMillisecond);

void vae_train(benchmark::State& state) {
  auto vae = demo_vae();
  const auto batch = state.range(0);
  const auto images = torch::rand({batch, 3, 64, 64}) * 2 - 1;
  for (auto _ : state) {
    vae->zero_grad();
    const auto posterior = vae->encode(images);
    const auto rebuilt = vae->decode(posterior.sample(torch::randn_like(posterior.mean)));
    ((rebuilt - images).abs().mean() + 1e-6 * posterior.kl().mean()).backward();
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(vae_train)->Arg(16)->Unit(benchmark::kMillisecond);

void vae_encode(benchmark::State& state) {
  torch::NoGradGuard no_grad;
  auto vae = demo_vae();
  const auto images = torch::rand({state.range(0), 3, 64, 64}) * 2 - 1;
  for (auto _ : state) benchmark::DoNotOptimize(vae->encode(images).mean);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(vae_encode)->Arg(16)->Unit(benchmark::kMillisecond);

void vae_decode(benchmark::State& state) {
  torch::NoGradGuard no_grad;
  auto vae = demo_vae();
  const auto latents = torch::randn({state.range(0), 4, 16, 16});
  for (auto _ : state) benchmark::DoNotOptimize(vae->decode(latents));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(vae_decode)->Arg(16)->Unit(benchmark::kMillisecond);

}  // namespace
