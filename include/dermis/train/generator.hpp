#pragma once
/// \file
/// The class-conditioned generator: a UNet trained on cached latents by diffusion or rectified
/// flow, sampled with guidance, decoded.

#include "dermis/data/lineage.hpp"
#include "dermis/metrics/bootstrap.hpp"
#include "dermis/models/unet.hpp"
#include "dermis/train/autoencoder.hpp"
#include "dermis/train/generator_options.hpp"

namespace dermis {

/// Both stages of latent diffusion, ready to draw.
struct Generator {
  KLVAE autoencoder{nullptr};
  UNet unet{nullptr};
  GeneratorOptions options;
  std::vector<std::string> classes;
  std::int64_t image_size = 0;
  Lineage lineage = {};  ///< of the training images; files of before it have none

  /// One uint8 image per label: [N, 3, S, S], in full precision. Image i depends on (seed,
  /// labels[i], indices[i]) alone, not on the batch it is drawn in. Throws std::invalid_argument if
  /// the options cannot be.
  at::Tensor sample(const std::vector<int>& labels, const std::vector<std::int64_t>& indices,
                    std::uint64_t seed) const;
};

/// Caches the latents of `training`, then trains a UNet on them. The latents' scale is the
/// autoencoder's. The generator's `options` say what was trained: its `model` is the network's.
Generator train_generator(const PixelSet& training, const KLVAE& autoencoder,
                          GeneratorOptions options, const StageContext& context,
                          const std::string& name = "generator", TrainResult* result = nullptr);

/// Held-out denoising: mean squared error on the same latents, times and noise.
struct DenoisingComparison {
  double model = 0;               ///< with true labels
  double shuffled = 0;            ///< with another image's label
  double linear = 0;              ///< the best linear (Gaussian) denoiser of the training latents
  Interval linear_minus_model;    ///< paired by image: above 0, the model beats the linear denoiser
  Interval shuffled_minus_model;  ///< paired by image: above 0, the model uses its labels
};
DenoisingComparison compare_denoising(const Generator& generator, const PixelSet& training,
                                      const PixelSet& held_out, std::uint64_t seed,
                                      std::int64_t times = 16);

/// autoencoder.safetensors and generator.safetensors in `directory`.
void save_generator(const std::filesystem::path& directory, const Generator& generator);
Generator load_generator(const std::filesystem::path& directory, at::Device device = at::kCPU);

}  // namespace dermis
