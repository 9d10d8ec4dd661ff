// The KL autoencoder: images a second.
#include "dermis/models/kl_vae.hpp"
#include "models.hpp"

namespace {

using namespace dermis;

/// A 4 x 32 x 32 latent to an image of 256 px.
void vae_decode256_b1(benchmark::State& state, bool bf16) {
  KLVAE vae(KLVAEOptions{.channels = {64, 128, 256, 256}});
  vae->eval();
  const auto latents = torch::randn({1, 4, 32, 32});
  bench::forward_passes(state, 1, bf16, [&] { return vae->decode(latents); });
}

/// The demo's, images of 64 px.
KLVAE demo_vae() {
  return KLVAE(KLVAEOptions{.channels = {16, 32, 64}, .norm_groups = 8});
}

void vae_demo_b16_train(benchmark::State& state, bool bf16) {
  auto vae = demo_vae();
  const auto images = torch::rand({16, 3, 64, 64}) * 2 - 1;
  bench::train_steps(state, *vae, 16, bf16, [&] {
    const auto posterior = vae->encode(images);
    const auto rebuilt = vae->decode(posterior.sample(torch::randn_like(posterior.mean)));
    return (rebuilt - images).abs().mean() + 1e-6 * posterior.kl().mean();
  });
}

void vae_demo_b16_encode(benchmark::State& state, bool bf16) {
  auto vae = demo_vae();
  const auto images = torch::rand({16, 3, 64, 64}) * 2 - 1;
  bench::forward_passes(state, 16, bf16, [&] { return vae->encode(images).mean; });
}

const int registered[] = {bench::with_and_without_bf16("vae_decode256_b1", vae_decode256_b1),
                          bench::with_and_without_bf16("vae_demo_b16_train", vae_demo_b16_train),
                          bench::with_and_without_bf16("vae_demo_b16_encode", vae_demo_b16_encode)};

}  // namespace
