#pragma once
/// \file
/// The levels of the denoising UNet: down, middle, up. Parameter names are diffusers'.

#include "dermis/layers/resnet.hpp"
#include "dermis/layers/spatial_transformer.hpp"
#include "dermis/models/unet_options.hpp"

namespace dermis {

/// What every block of a UNet is conditioned on.
struct UNetCondition {
  at::Tensor embedding;  ///< time (and class), [B, time_channels]
  at::Tensor context;    ///< tokens to attend to, [B, M, cross_attention_dim]; undefined if none
};

namespace detail {

inline ResnetBlock unet_resnet(const UNetOptions& o, std::int64_t in, std::int64_t out,
                               const ParameterOptions& parameters) {
  return ResnetBlock(ResnetOptions{.in_channels = in,
                                   .out_channels = out,
                                   .time_channels = o.time_channels(),
                                   .norm_groups = o.norm_groups,
                                   .norm_eps = o.norm_eps,
                                   .scale_shift = o.scale_shift,
                                   .zero_init = true},
                     parameters);
}

/// Appends the kind of attention that the options ask for.
inline void add_unet_attention(torch::nn::ModuleList& list, const UNetOptions& o,
                               std::int64_t channels, const ParameterOptions& parameters) {
  if (o.cross_attention_dim > 0)
    list->push_back(
        SpatialTransformer(SpatialTransformerOptions{.channels = channels,
                                                     .context_dim = o.cross_attention_dim,
                                                     .heads = o.heads_of(channels),
                                                     .depth = o.transformer_depth,
                                                     .norm_groups = o.norm_groups},
                           parameters));
  else
    list->push_back(SpatialAttention(SpatialAttentionOptions{.channels = channels,
                                                             .heads = o.heads_of(channels),
                                                             .norm_groups = o.norm_groups,
                                                             .norm_eps = o.norm_eps,
                                                             .zero_init = true},
                                     parameters));
}

inline at::Tensor unet_attend(torch::nn::Module& module, const at::Tensor& x,
                              const at::Tensor& context) {
  if (auto* transformer = module.as<SpatialTransformer>()) return transformer->forward(x, context);
  return module.as<SpatialAttention>()->forward(x);
}

}  // namespace detail

/// One level on the way down. forward appends every map that the way up will need to `skips`.
class UNetDownBlockImpl : public torch::nn::Cloneable<UNetDownBlockImpl> {
 public:
  UNetDownBlockImpl(const UNetOptions& options, std::size_t level,
                    const ParameterOptions& parameters)
      : options_(options), level_(level), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& c = options_.channels;
    const auto in = c[level_ ? level_ - 1 : 0], out = c[level_];
    resnets = register_module("resnets", torch::nn::ModuleList());
    attentions = register_module("attentions", torch::nn::ModuleList());
    downsamplers = register_module("downsamplers", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < options_.layers_per_block; ++i) {
      resnets->push_back(detail::unet_resnet(options_, i ? out : in, out, parameter_options_));
      if (options_.attention[level_] != 0)
        detail::add_unet_attention(attentions, options_, out, parameter_options_);
    }
    if (level_ + 1 < c.size()) downsamplers->push_back(Downsample(out, false, parameter_options_));
  }

  at::Tensor forward(at::Tensor x, const UNetCondition& condition, std::vector<at::Tensor>& skips) {
    for (std::size_t i = 0; i < resnets->size(); ++i) {
      x = resnets[i]->as<ResnetBlock>()->forward(x, condition.embedding);
      if (!attentions->is_empty()) x = detail::unet_attend(*attentions[i], x, condition.context);
      skips.push_back(x);
    }
    if (!downsamplers->is_empty()) {
      x = downsamplers[0]->as<Downsample>()->forward(x);
      skips.push_back(x);
    }
    return x;
  }

  torch::nn::ModuleList resnets = nullptr;       ///< ResnetBlock
  torch::nn::ModuleList attentions = nullptr;    ///< one for each resnet, or none
  torch::nn::ModuleList downsamplers = nullptr;  ///< one Downsample, or none on the last level

 private:
  UNetOptions options_;
  std::size_t level_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(UNetDownBlock);

/// The coarsest grid: residual block, optional attention, residual block.
class UNetMidBlockImpl : public torch::nn::Cloneable<UNetMidBlockImpl> {
 public:
  UNetMidBlockImpl(const UNetOptions& options, const ParameterOptions& parameters)
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto c = options_.channels.back();
    resnets = register_module(
        "resnets", torch::nn::ModuleList(detail::unet_resnet(options_, c, c, parameter_options_),
                                         detail::unet_resnet(options_, c, c, parameter_options_)));
    attentions = register_module("attentions", torch::nn::ModuleList());
    if (options_.mid_attention)
      detail::add_unet_attention(attentions, options_, c, parameter_options_);
  }

  at::Tensor forward(at::Tensor x, const UNetCondition& condition) {
    x = resnets[0]->as<ResnetBlock>()->forward(x, condition.embedding);
    if (!attentions->is_empty()) x = detail::unet_attend(*attentions[0], x, condition.context);
    return resnets[1]->as<ResnetBlock>()->forward(x, condition.embedding);
  }

  torch::nn::ModuleList resnets = nullptr, attentions = nullptr;  ///< two ResnetBlock; one or none

 private:
  UNetOptions options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(UNetMidBlock);

/// One level on the way up: each residual block reads the last of `skips` and removes it.
class UNetUpBlockImpl : public torch::nn::Cloneable<UNetUpBlockImpl> {
 public:
  UNetUpBlockImpl(const UNetOptions& options, std::size_t level, const ParameterOptions& parameters)
      : options_(options), level_(level), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& c = options_.channels;
    const auto out = c[level_];
    const auto below = c[level_ + 1 < c.size() ? level_ + 1 : level_];  // channels that arrive
    const auto above = c[level_ ? level_ - 1 : 0];  // channels of this level's first skip
    resnets = register_module("resnets", torch::nn::ModuleList());
    attentions = register_module("attentions", torch::nn::ModuleList());
    upsamplers = register_module("upsamplers", torch::nn::ModuleList());
    for (std::int64_t i = 0; i <= options_.layers_per_block; ++i) {
      const auto skip = i == options_.layers_per_block ? above : out;
      resnets->push_back(
          detail::unet_resnet(options_, (i ? out : below) + skip, out, parameter_options_));
      if (options_.attention[level_] != 0)
        detail::add_unet_attention(attentions, options_, out, parameter_options_);
    }
    if (level_ > 0) upsamplers->push_back(Upsample(out, parameter_options_));
  }

  at::Tensor forward(at::Tensor x, const UNetCondition& condition, std::vector<at::Tensor>& skips) {
    for (std::size_t i = 0; i < resnets->size(); ++i) {
      x = at::cat({x, skips.back()}, 1);  // [B, C + skip, H, W]
      skips.pop_back();
      x = resnets[i]->as<ResnetBlock>()->forward(x, condition.embedding);
      if (!attentions->is_empty()) x = detail::unet_attend(*attentions[i], x, condition.context);
    }
    // The size of the next skip, not twice ours: an odd size was rounded up on the way down.
    if (!upsamplers->is_empty())
      x = upsamplers[0]->as<Upsample>()->forward(x, skips.back().sizes().slice(2));
    return x;
  }

  torch::nn::ModuleList resnets = nullptr;     ///< ResnetBlock, one more than on the way down
  torch::nn::ModuleList attentions = nullptr;  ///< one for each resnet, or none
  torch::nn::ModuleList upsamplers = nullptr;  ///< one Upsample, or none on the finest level

 private:
  UNetOptions options_;
  std::size_t level_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(UNetUpBlock);

}  // namespace dermis
