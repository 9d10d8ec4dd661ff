#pragma once
/// \file
/// The levels, the encoder and the decoder of the KL autoencoder. Parameter names are diffusers'.

#include "dermis/layers/resnet.hpp"
#include "dermis/layers/spatial_attention.hpp"
#include "dermis/models/kl_vae_options.hpp"

namespace dermis {

namespace detail {

constexpr double vae_norm_eps = 1e-6;  // the whole autoencoder; the UNet has 1e-5

inline ResnetBlock vae_resnet(const KLVAEOptions& o, std::int64_t in, std::int64_t out,
                              const ParameterOptions& parameters) {
  return ResnetBlock(ResnetOptions{.in_channels = in,
                                   .out_channels = out,
                                   .norm_groups = o.norm_groups,
                                   .norm_eps = vae_norm_eps},
                     parameters);
}

inline Conv2d vae_conv(std::int64_t in, std::int64_t out, std::int64_t kernel,
                       const ParameterOptions& parameters) {
  return Conv2d(
      Conv2dOptions{
          .in_channels = in, .out_channels = out, .kernel = kernel, .padding = kernel / 2},
      parameters);
}

}  // namespace detail

/// One resolution of the encoder or the decoder: residual blocks, then at most one resampler.
/// forward: x [B, in, H, W] -> [B, out, H', W'].
class VAELevelImpl : public torch::nn::Cloneable<VAELevelImpl> {
 public:
  enum class Resample { None, Down, Up };

  VAELevelImpl(const KLVAEOptions& options, std::int64_t in_channels, std::int64_t out_channels,
               std::int64_t layers, Resample resample, const ParameterOptions& parameters)
      : options_(options),
        in_(in_channels),
        out_(out_channels),
        layers_(layers),
        resample_(resample),
        parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    resnets = register_module("resnets", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < layers_; ++i)
      resnets->push_back(detail::vae_resnet(options_, i ? out_ : in_, out_, parameter_options_));
    if (resample_ == Resample::Down)
      downsamplers = register_module(
          "downsamplers", torch::nn::ModuleList(Downsample(out_, true, parameter_options_)));
    if (resample_ == Resample::Up)
      upsamplers =
          register_module("upsamplers", torch::nn::ModuleList(Upsample(out_, parameter_options_)));
  }

  at::Tensor forward(at::Tensor x) {
    for (const auto& resnet : *resnets) x = resnet->as<ResnetBlock>()->forward(x);
    if (resample_ == Resample::Down) x = downsamplers[0]->as<Downsample>()->forward(x);
    if (resample_ == Resample::Up) x = upsamplers[0]->as<Upsample>()->forward(x);
    return x;
  }

  torch::nn::ModuleList resnets = nullptr;                             ///< ResnetBlock
  torch::nn::ModuleList downsamplers = nullptr, upsamplers = nullptr;  ///< at most one of them

 private:
  KLVAEOptions options_;
  std::int64_t in_, out_, layers_;
  Resample resample_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(VAELevel);

/// The coarsest grid: residual block, optional attention, residual block. forward: x [B, C, H, W]
/// -> same.
class VAEMidBlockImpl : public torch::nn::Cloneable<VAEMidBlockImpl> {
 public:
  VAEMidBlockImpl(const KLVAEOptions& options, const ParameterOptions& parameters)
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto c = options_.channels.back();
    resnets = register_module(
        "resnets", torch::nn::ModuleList(detail::vae_resnet(options_, c, c, parameter_options_),
                                         detail::vae_resnet(options_, c, c, parameter_options_)));
    if (options_.mid_attention) {
      const SpatialAttentionOptions attention{
          .channels = c, .norm_groups = options_.norm_groups, .norm_eps = detail::vae_norm_eps};
      attentions = register_module(
          "attentions", torch::nn::ModuleList(SpatialAttention(attention, parameter_options_)));
    }
  }

  at::Tensor forward(at::Tensor x) {
    x = resnets[0]->as<ResnetBlock>()->forward(x);
    if (options_.mid_attention) x = attentions[0]->as<SpatialAttention>()->forward(x);
    return resnets[1]->as<ResnetBlock>()->forward(x);
  }

  torch::nn::ModuleList resnets = nullptr;     ///< two ResnetBlock
  torch::nn::ModuleList attentions = nullptr;  ///< one SpatialAttention, or empty

 private:
  KLVAEOptions options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(VAEMidBlock);

/// forward: images [B, 3, H, W] -> moments [B, 2 latent_channels, H / factor, W / factor].
class VAEEncoderImpl : public torch::nn::Cloneable<VAEEncoderImpl> {
 public:
  VAEEncoderImpl(const KLVAEOptions& options, const ParameterOptions& parameters)
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& c = options_.channels;
    conv_in = register_module(
        "conv_in", detail::vae_conv(options_.in_channels, c.front(), 3, parameter_options_));
    down_blocks = register_module("down_blocks", torch::nn::ModuleList());
    for (std::size_t i = 0; i < c.size(); ++i)
      down_blocks->push_back(
          VAELevel(options_, c[i ? i - 1 : 0], c[i], options_.layers_per_block,
                   i + 1 < c.size() ? VAELevelImpl::Resample::Down : VAELevelImpl::Resample::None,
                   parameter_options_));
    mid_block = register_module("mid_block", VAEMidBlock(options_, parameter_options_));
    conv_norm_out = register_module(
        "conv_norm_out",
        GroupNorm(options_.norm_groups, c.back(), detail::vae_norm_eps, parameter_options_));
    conv_out = register_module("conv_out", detail::vae_conv(c.back(), 2 * options_.latent_channels,
                                                            3, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& images) {
    auto h = conv_in->forward(images.contiguous(at::MemoryFormat::ChannelsLast));
    for (const auto& block : *down_blocks) h = block->as<VAELevel>()->forward(h);
    h = mid_block->forward(h);
    return conv_out->forward(at::silu(conv_norm_out->forward(h))).contiguous();
  }

  Conv2d conv_in = nullptr, conv_out = nullptr;
  torch::nn::ModuleList down_blocks = nullptr;  ///< VAELevel, finest first
  VAEMidBlock mid_block = nullptr;
  GroupNorm conv_norm_out = nullptr;

 private:
  KLVAEOptions options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(VAEEncoder);

/// forward: latents [B, latent_channels, h, w] -> images [B, 3, h factor, w factor].
class VAEDecoderImpl : public torch::nn::Cloneable<VAEDecoderImpl> {
 public:
  VAEDecoderImpl(const KLVAEOptions& options, const ParameterOptions& parameters)
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const std::vector<std::int64_t> c(options_.channels.rbegin(), options_.channels.rend());
    conv_in = register_module(
        "conv_in", detail::vae_conv(options_.latent_channels, c.front(), 3, parameter_options_));
    mid_block = register_module("mid_block", VAEMidBlock(options_, parameter_options_));
    up_blocks = register_module("up_blocks", torch::nn::ModuleList());
    for (std::size_t i = 0; i < c.size(); ++i)
      up_blocks->push_back(
          VAELevel(options_, c[i ? i - 1 : 0], c[i], options_.layers_per_block + 1,
                   i + 1 < c.size() ? VAELevelImpl::Resample::Up : VAELevelImpl::Resample::None,
                   parameter_options_));
    conv_norm_out = register_module(
        "conv_norm_out",
        GroupNorm(options_.norm_groups, c.back(), detail::vae_norm_eps, parameter_options_));
    conv_out = register_module(
        "conv_out", detail::vae_conv(c.back(), options_.in_channels, 3, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& latents) {
    auto h = conv_in->forward(latents.contiguous(at::MemoryFormat::ChannelsLast));
    h = mid_block->forward(h);
    for (const auto& block : *up_blocks) h = block->as<VAELevel>()->forward(h);
    return conv_out->forward(at::silu(conv_norm_out->forward(h))).contiguous();
  }

  Conv2d conv_in = nullptr, conv_out = nullptr;
  VAEMidBlock mid_block = nullptr;
  torch::nn::ModuleList up_blocks = nullptr;  ///< VAELevel, coarsest first
  GroupNorm conv_norm_out = nullptr;

 private:
  KLVAEOptions options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(VAEDecoder);

}  // namespace dermis
