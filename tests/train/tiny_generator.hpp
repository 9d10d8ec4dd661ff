#pragma once
/// \file
/// A generator small enough to be trained, or drawn from, many times in one test.

#include "dermis/train/generator.hpp"
#include "stripes.hpp"
#include "support.hpp"

namespace dermis::test {

/// With random weights, but its latents have unit variance: what generators are tried on.
inline KLVAE random_autoencoder(const PixelSet& training) {
  KLVAE autoencoder(KLVAEOptions{.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4},
                    ParameterOptions{.generator = generator(3)});
  autoencoder->options.scaling_factor = 1.0;
  autoencoder->options.scaling_factor = latent_scale(encode_latents(autoencoder, training.images));
  return autoencoder;
}

inline GeneratorOptions tiny_generator_options(std::int64_t count) {
  return {.model = {.channels = {16, 16},
                    .layers_per_block = 1,
                    .attention = {0, 1},
                    .head_dim = 8,
                    .norm_groups = 4},
          .training = steps(count),
          .sampling_steps = 4};
}

/// Not trained: weights far enough from zero that time and class matter.
inline Generator random_generator(const GeneratorOptions& given = tiny_generator_options(1)) {
  const auto training = striped(8, 4);
  Generator drawn;
  drawn.autoencoder = random_autoencoder(training);
  drawn.options = given;
  drawn.options.model = network_options(given, drawn.autoencoder->options.latent_channels, 2);
  drawn.unet = UNet(drawn.options.model, ParameterOptions{.generator = generator(5)});
  drawn.classes = training.classes;
  drawn.image_size = 16;
  const torch::NoGradGuard no_grad;
  auto draws = generator(6);
  for (auto& p : drawn.unet->parameters()) p.add_(0.1 * torch::randn(p.sizes(), draws));
  return drawn;
}

/// Largest difference of two uint8 images.
inline int byte_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(torch::kInt) - b.to(torch::kInt)).abs().max().item<int>();
}

}  // namespace dermis::test
