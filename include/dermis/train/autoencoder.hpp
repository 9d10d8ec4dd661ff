#pragma once
/// \file
/// Training the first stage of latent diffusion, and turning images into latents.

#include "dermis/models/kl_vae.hpp"
#include "dermis/models/patch_discriminator.hpp"
#include "dermis/train/perceptual.hpp"
#include "dermis/train/stage.hpp"

namespace dermis {

/// The loss is latent diffusion's (arXiv 2112.10752 appendix G): mean absolute error +
/// perceptual_weight * distance + kl_weight * KL / pixels + w * adversarial, where w =
/// adversarial_weight * min(|d(error + perceptual)| / (|d adversarial| + 1e-4), 1e4), gradients of
/// the decoder's last weights, brings the two to one size.
struct AutoencoderOptions {
  KLVAEOptions model;  ///< scaling_factor is measured after training
  StageSchedule training;
  AugmentOptions augment = {.rotate = 0, .scale_min = 1, .scale_max = 1, .shift = 0};
  /// Trains in colours of which none is larger than another, see ColourWhitening: hue is learned as
  /// soon as lightness, lightness later. Trained, the autoencoder takes and gives plain images.
  bool whiten_colours = false;
  double kl_weight = 1e-6;  ///< of the KL term, summed over latent values and divided by the pixels
  double perceptual_weight = 0;        ///< of the perceptual term, which needs feature maps; LDM: 1
  double adversarial_weight = 0;       ///< LDM: 0.5; 0: no discriminator
  std::int64_t adversarial_start = 0;  ///< steps before the discriminator judges and learns
  PatchDiscriminatorOptions discriminator;
  /// A published or own autoencoder to use as it is instead of training one: what load_autoencoder
  /// reads; empty: train. `model` and the terms are not read then.
  std::string weights;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, AutoencoderOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("training", o.training);
  visit("augment", o.augment);
  visit("whiten_colours", o.whiten_colours);
  visit("kl_weight", o.kl_weight);
  visit("perceptual_weight", o.perceptual_weight);
  visit("adversarial_weight", o.adversarial_weight);
  visit("adversarial_start", o.adversarial_start);
  visit("discriminator", o.discriminator);
  visit("weights", o.weights);
}

/// Trains a KL-VAE on `training` alone, then measures its latent scale there (1 / std of the
/// latents) and stores it in the model's options.
///
/// Autoencoder and discriminator learn in one step of one AdamW, the discriminator from the same
/// reconstruction, detached, so that `training` holds for both: learning rate, weight decay, the
/// norm that clip_norm limits and the average that ema_decay keeps. LDM takes two Adams in turn,
/// with beta1 0.5. The discriminator is thrown away in the end.
///
/// With `options.weights` that autoencoder is loaded and frozen; its latent scale is the file's,
/// or measured on `training` where the file has none.
/// \param perceptual  feature_maps(encoder) or load_lpips(file), on the context's device
/// \throws std::invalid_argument for options out of range, perceptual_weight without feature maps,
///         images too small for the discriminator, or of a side that is no multiple of
///         `weights`' factor
KLVAE train_autoencoder(const PixelSet& training, const AutoencoderOptions& options,
                        const StageContext& context, const std::string& name = "autoencoder",
                        TrainResult* result = nullptr, const PerceptualFeatures& perceptual = {});

/// How far an adversarial term must be scaled to pull at the decoder as hard as `error` does:
/// min(|d error / dw| / (|d adversarial / dw| + 1e-4), 1e4) for its last weights w; a scalar
/// without a gradient. The graphs of both losses stay.
at::Tensor adaptive_weight(const at::Tensor& error, const at::Tensor& adversarial,
                           const at::Tensor& last_weights);

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

/// The autoencoder of
/// - a file that save_autoencoder wrote;
/// - a folder of diffusers (its own or a pipeline's), or a file of its tensors;
/// - a safetensors file of CompVis: an autoencoder or a whole model (Stable Diffusion);
/// - Black Forest Labs' ae.safetensors (Flux).
/// In evaluation mode. A scaling_factor of 1 with shift_factor 0 means that the file has no latent
/// scale.
/// \throws std::runtime_error naming the file if it is none of these, or what of it does not fit
KLVAE load_autoencoder(const std::filesystem::path& path, at::Device device = at::kCPU);

}  // namespace dermis
