#pragma once
/// \file
/// The KL-regularised autoencoder of latent diffusion (arXiv 2112.10752, section 3.1): images to a
/// small latent grid and back. Structure and parameter names are diffusers' AutoencoderKL.

#include "dermis/models/kl_vae_blocks.hpp"

namespace dermis {

/// A normal distribution with one mean and variance per latent value.
struct DiagonalGaussian {
  at::Tensor mean;    ///< [B, C, H, W]
  at::Tensor logvar;  ///< [B, C, H, W], in -30..20

  at::Tensor std() const { return (0.5 * logvar).exp(); }
  /// mean + std * noise; noise [B, C, H, W] of N(0, 1).
  at::Tensor sample(const at::Tensor& noise) const { return mean + std() * noise; }
  /// KL divergence to N(0, 1), summed over each image: 0.5 sum(mean^2 + var - 1 - logvar), [B].
  at::Tensor kl() const {
    return 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).flatten(1).sum(1);
  }
};

/// Encoder and decoder. Inside, maps lie channels-last, which makes convolutions and resampling
/// quicker on a CPU; what comes out is contiguous.
///
///     KLVAE vae(KLVAEOptions{.channels = {16, 32, 64}, .norm_groups = 8});  // 64 px -> 16 x 16 x
///     4 auto posterior = vae->encode(images);                                 // images in -1..1
///     auto rebuilt = vae->decode(posterior.sample(noise));
class KLVAEImpl : public torch::nn::Cloneable<KLVAEImpl> {
 public:
  explicit KLVAEImpl(const KLVAEOptions& options_ = {}, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    validate(options);
    reset();
    detail::lay_out_channels_last(*this);
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto c = options.latent_channels, inner = options.inner();
    encoder = register_module("encoder", VAEEncoder(options, parameter_options_));
    decoder = register_module("decoder", VAEDecoder(options, parameter_options_));
    if (options.use_quant_conv)
      quant_conv =
          register_module("quant_conv", detail::vae_conv(2 * inner, 2 * c, 1, parameter_options_));
    if (options.use_post_quant_conv)
      post_quant_conv =
          register_module("post_quant_conv", detail::vae_conv(c, inner, 1, parameter_options_));
  }

  /// images [B, 3, H, W] in -1..1 -> posterior of [B, latent_channels, H / factor, W / factor].
  /// A size that is no multiple of the factor is rounded down.
  DiagonalGaussian encode(const at::Tensor& images) {
    check_argument(images.dim() == 4 && images.size(1) == options.in_channels &&
                       images.size(2) >= options.factor() && images.size(3) >= options.factor() &&
                       images.is_floating_point(),
                   "[kl_vae] expected floating-point images of shape [B, ", options.in_channels,
                   ", H, W] with H and W of at least ", options.factor(), ", got ",
                   shape_text(images), " of ", images.dtype().name());
    auto moments = encoder->forward(images);
    if (options.use_quant_conv) moments = quant_conv->forward(moments);
    const auto halves = moments.chunk(2, 1);
    return {halves[0], halves[1].clamp(-30.0, 20.0)};
  }

  /// latents [B, latent_channels, h, w] as encode() yields them (not scaled) -> images
  /// [B, 3, h factor, w factor], about -1..1 but not clamped.
  at::Tensor decode(const at::Tensor& latents) {
    check_argument(latents.dim() == 4 && latents.size(1) == options.latent_channels,
                   "[kl_vae] expected latents of shape [B, ", options.latent_channels,
                   ", h, w], got ", shape_text(latents));
    return decoder->forward(options.use_post_quant_conv ? post_quant_conv->forward(latents)
                                                        : latents);
  }

  /// Latents as diffusion sees them: about zero mean and unit variance.
  at::Tensor scale(const at::Tensor& latents) const {
    return (latents - options.shift_factor) * options.scaling_factor;
  }
  /// The inverse of scale().
  at::Tensor unscale(const at::Tensor& latents) const {
    return latents / options.scaling_factor + options.shift_factor;
  }

  KLVAEOptions options;  ///< the two factors may be set after training (see latent_scale)
  VAEEncoder encoder = nullptr;
  VAEDecoder decoder = nullptr;
  Conv2d quant_conv = nullptr, post_quant_conv = nullptr;  ///< empty when switched off

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(KLVAE);

/// 1 / standard deviation of training latents [N, C, h, w]: LDM's scale_by_std, the scaling_factor
/// that makes diffusion see unit variance.
inline double latent_scale(const at::Tensor& latents) {
  const double std = latents.to(at::kDouble).std().item<double>();
  check_argument(std > 0 && std::isfinite(std),
                 "[latent_scale] expected latents with a positive standard deviation, got ", std);
  return 1.0 / std;
}

}  // namespace dermis
