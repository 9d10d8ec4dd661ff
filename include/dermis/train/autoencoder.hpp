#pragma once
/// \file
/// Training the first stage of latent diffusion, and turning images into latents.

#include "dermis/models/kl_vae.hpp"
#include "dermis/train/stage.hpp"

namespace dermis {

struct AutoencoderOptions {
  KLVAEOptions model;  ///< scaling_factor is measured after training
  StageSchedule training;
  AugmentOptions augment = {.rotate = 0, .scale_min = 1, .scale_max = 1, .shift = 0};
  double kl_weight = 1e-6;  ///< of the KL term, summed over latent values and divided by the pixels
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, AutoencoderOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("training", o.training);
  visit("augment", o.augment);
  visit("kl_weight", o.kl_weight);
}

/// Trains a KL-VAE with mean absolute error + kl_weight KL / pixels on `training` alone, then
/// measures its latent scale there (1 / std of the latents) and stores it in the model's options.
KLVAE train_autoencoder(const PixelSet& training, const AutoencoderOptions& options,
                        const StageContext& context, const std::string& name = "autoencoder",
                        TrainResult* result = nullptr);

/// Scaled latents of uint8 images [N, 3, S, S]: the posterior's mean, float [N, C, h, w], about
/// unit variance, on the CPU.
at::Tensor encode_latents(KLVAE autoencoder, const at::Tensor& images);
/// Images of scaled latents: uint8 [N, 3, S, S] on the CPU.
at::Tensor decode_latents(KLVAE autoencoder, const at::Tensor& latents);

/// Peak signal-to-noise ratio in dB over all values of two uint8 tensors of one shape; infinite
/// when equal.
double psnr(const at::Tensor& a, const at::Tensor& b);
/// uint8 images after bicubic reduction by `factor` and enlargement back (antialiased): what a
/// reader of thumbnails would see.
at::Tensor bicubic_down_up(const at::Tensor& images, std::int64_t factor);

void save_autoencoder(const std::filesystem::path& path, const KLVAE& autoencoder);
KLVAE load_autoencoder(const std::filesystem::path& path, at::Device device = at::kCPU);

}  // namespace dermis
