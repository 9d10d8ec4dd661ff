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

inline SpatialAttention vae_attention(const KLVAEOptions& o, std::int64_t channels,
                                      const ParameterOptions& parameters) {
  return SpatialAttention(
      SpatialAttentionOptions{
          .channels = channels, .norm_groups = o.norm_groups, .norm_eps = vae_norm_eps},
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

/// One resolution of the encoder or the decoder: residual blocks, each with attention behind it if
/// the level has any, then at most one resampler.
/// forward: x [B, in, H, W] -> [B, out, H', W'].
class VAELevelImpl : public torch::nn::Cloneable<VAELevelImpl> {
 public:
  VAELevelImpl(const KLVAEOptions& options, std::size_t level, std::int64_t in_channels,
               std::int64_t layers, Resample resample, const ParameterOptions& parameters)
      : options_(options),
        level_(level),
        in_(in_channels),
        out_(options.channels[level]),
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
    if (options_.attends(level_)) {
      attentions = register_module("attentions", torch::nn::ModuleList());
      for (std::int64_t i = 0; i < layers_; ++i)
        attentions->push_back(detail::vae_attention(options_, out_, parameter_options_));
    }
    if (resample_ == Resample::Down)
      downsamplers = register_module(
          "downsamplers", torch::nn::ModuleList(Downsample(out_, true, parameter_options_)));
    if (resample_ == Resample::Up)
      upsamplers =
          register_module("upsamplers", torch::nn::ModuleList(Upsample(out_, parameter_options_)));
  }

  at::Tensor forward(at::Tensor x) {
    for (std::size_t i = 0; i < resnets->size(); ++i) {
      x = resnets[i]->as<ResnetBlock>()->forward(x);
      if (!attentions.is_empty()) x = attentions[i]->as<SpatialAttention>()->forward(x);
    }
    if (resample_ == Resample::Down) x = downsamplers[0]->as<Downsample>()->forward(x);
    if (resample_ == Resample::Up) x = upsamplers[0]->as<Upsample>()->forward(x);
    return observed(*this, x);
  }

  torch::nn::ModuleList resnets = nullptr;                             ///< ResnetBlock
  torch::nn::ModuleList attentions = nullptr;                          ///< one a resnet, or empty
  torch::nn::ModuleList downsamplers = nullptr, upsamplers = nullptr;  ///< at most one of them

 private:
  KLVAEOptions options_;
  std::size_t level_;
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
    if (options_.mid_attention)
      attentions = register_module("attentions", torch::nn::ModuleList(detail::vae_attention(
                                                     options_, c, parameter_options_)));
  }

  at::Tensor forward(at::Tensor x) {
    x = resnets[0]->as<ResnetBlock>()->forward(x);
    if (options_.mid_attention) x = attentions[0]->as<SpatialAttention>()->forward(x);
    return observed(*this, resnets[1]->as<ResnetBlock>()->forward(x));
  }

  torch::nn::ModuleList resnets = nullptr;     ///< two ResnetBlock
  torch::nn::ModuleList attentions = nullptr;  ///< one SpatialAttention, or empty

 private:
  KLVAEOptions options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(VAEMidBlock);

/// forward: images [B, 3, H, W] -> moments [B, 2 inner, H / factor, W / factor], inner as in
/// KLVAEOptions.
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
        "conv_in", detail::vae_conv(options_.in_channels, options_.stem(), 3, parameter_options_));
    down_blocks = register_module("down_blocks", torch::nn::ModuleList());
    for (std::size_t i = 0; i < c.size(); ++i)
      down_blocks->push_back(
          VAELevel(options_, i, i ? c[i - 1] : options_.stem(), options_.layers_per_block,
                   i + 1 < c.size() ? Resample::Down : Resample::None, parameter_options_));
    mid_block = register_module("mid_block", VAEMidBlock(options_, parameter_options_));
    conv_norm_out = register_module(
        "conv_norm_out",
        GroupNorm(options_.norm_groups, c.back(), detail::vae_norm_eps, parameter_options_));
    conv_out = register_module(
        "conv_out", detail::vae_conv(c.back(), 2 * options_.inner(), 3, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& images) {
    auto h = conv_in->forward(images.contiguous(at::MemoryFormat::ChannelsLast));
    for (const auto& block : *down_blocks) h = block->as<VAELevel>()->forward(h);
    h = mid_block->forward(h);
    return observed(*this, conv_out->forward(at::silu(conv_norm_out->forward(h))).contiguous());
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

/// forward: latents [B, inner, h, w] -> images [B, 3, h factor, w factor].
class VAEDecoderImpl : public torch::nn::Cloneable<VAEDecoderImpl> {
 public:
  VAEDecoderImpl(const KLVAEOptions& options, const ParameterOptions& parameters)
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const std::vector<std::int64_t> c(options_.channels.rbegin(), options_.channels.rend());
    conv_in = register_module("conv_in",
                              detail::vae_conv(options_.inner(), c.front(), 3, parameter_options_));
    mid_block = register_module("mid_block", VAEMidBlock(options_, parameter_options_));
    up_blocks = register_module("up_blocks", torch::nn::ModuleList());
    for (std::size_t i = 0; i < c.size(); ++i)
      up_blocks->push_back(
          VAELevel(options_, c.size() - 1 - i, c[i ? i - 1 : 0], options_.layers_per_block + 1,
                   i + 1 < c.size() ? Resample::Up : Resample::None, parameter_options_));
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
    return observed(*this, conv_out->forward(at::silu(conv_norm_out->forward(h))).contiguous());
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
