#pragma once
/// \file
/// The levels of the denoising UNet: down, middle, up. Parameter names are diffusers'.

#include <functional>
#include <memory>

#include "dermis/layers/activation_checkpoint.hpp"
#include "dermis/layers/resnet.hpp"
#include "dermis/layers/spatial_transformer.hpp"
#include "dermis/models/unet_options.hpp"

namespace dermis {

/// What every block of a UNet is conditioned on.
struct UNetCondition {
  at::Tensor embedding;  ///< time (and class), [B, time_channels]
  at::Tensor context;    ///< tokens to attend to, [B, M, cross_attention_dim]; undefined if none
  std::optional<at::Tensor> context_bias = {};  ///< added to the scores, [B, 1, 1, M]
  /// Where activations are checkpointed: the same, computed anew. A graph can be walked back only
  /// once, so what runs again must not share this one's.
  std::function<UNetCondition()> again = {};
};

namespace detail {

inline ResnetBlock unet_resnet(const UNetOptions& o, std::int64_t in, std::int64_t out,
                               const ParameterOptions& parameters,
                               Resample resample = Resample::None) {
  return ResnetBlock(ResnetOptions{.in_channels = in,
                                   .out_channels = out,
                                   .time_channels = o.time_channels(),
                                   .norm_groups = o.norm_groups,
                                   .norm_eps = o.norm_eps,
                                   .scale_shift = o.scale_shift,
                                   .zero_init = true,
                                   .resample = resample},
                     parameters);
}

/// Appends the kind of attention that the options ask for on a level. `norm_groups` is read by the
/// plain one.
inline void add_unet_attention(torch::nn::ModuleList& list, const UNetOptions& o, std::size_t level,
                               std::int64_t norm_groups, const ParameterOptions& parameters) {
  if (o.cross_attention_dim > 0)
    list->push_back(
        SpatialTransformer(SpatialTransformerOptions{.channels = o.channels[level],
                                                     .context_dim = o.cross_attention_dim,
                                                     .heads = o.heads_at(level),
                                                     .depth = o.depth_at(level),
                                                     .norm_groups = o.norm_groups,
                                                     .linear_projection = o.linear_projection},
                           parameters));
  else
    list->push_back(SpatialAttention(SpatialAttentionOptions{.channels = o.channels[level],
                                                             .heads = o.heads_at(level),
                                                             .norm_groups = norm_groups,
                                                             .norm_eps = o.norm_eps,
                                                             .zero_init = true},
                                     parameters));
}

inline at::Tensor unet_attend(torch::nn::Module& module, const at::Tensor& x,
                              const UNetCondition& condition) {
  if (auto* transformer = module.as<SpatialTransformer>())
    return transformer->forward(x, condition.context, condition.context_bias);
  return module.as<SpatialAttention>()->forward(x);
}

/// A residual block and the attention after it (null: none). With condition.again, x is all that is
/// kept for the backward pass.
inline at::Tensor unet_layer(const std::shared_ptr<torch::nn::Module>& resnet,
                             const std::shared_ptr<torch::nn::Module>& attention,
                             const at::Tensor& x, const UNetCondition& condition) {
  const auto forward = [resnet, attention](const at::Tensor& h, const UNetCondition& c) {
    const auto y = resnet->as<ResnetBlock>()->forward(h, c.embedding);
    return attention ? unet_attend(*attention, y, c) : y;
  };
  if (!condition.again) return forward(x, condition);
  return checkpoint_activations(
      [forward, again = condition.again](const at::Tensor& h) { return forward(h, again()); }, x);
}

/// Entry i of `list`, or null if it is empty.
inline std::shared_ptr<torch::nn::Module> entry_or_null(const torch::nn::ModuleList& list,
                                                        std::size_t i) {
  return list->is_empty() ? nullptr : list->ptr(i);
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
      if (options_.attends(level_, false))
        detail::add_unet_attention(attentions, options_, level_, options_.norm_groups,
                                   parameter_options_);
    }
    if (level_ + 1 == c.size()) return;
    if (options_.resamples_by_resnet(level_, false))
      downsamplers->push_back(
          detail::unet_resnet(options_, out, out, parameter_options_, Resample::Down));
    else
      downsamplers->push_back(
          Downsample(out, options_.downsample_padding == 0, parameter_options_));
  }

  at::Tensor forward(at::Tensor x, const UNetCondition& condition, std::vector<at::Tensor>& skips) {
    for (std::size_t i = 0; i < resnets->size(); ++i) {
      x = detail::unet_layer(resnets->ptr(i), detail::entry_or_null(attentions, i), x, condition);
      skips.push_back(x);
    }
    if (!downsamplers->is_empty()) {
      auto* resnet = downsamplers[0]->as<ResnetBlock>();
      x = resnet ? detail::unet_layer(downsamplers->ptr(0), nullptr, x, condition)
                 : downsamplers[0]->as<Downsample>()->forward(x);
      skips.push_back(x);
    }
    return observed(*this, x);
  }

  torch::nn::ModuleList resnets = nullptr;     ///< ResnetBlock
  torch::nn::ModuleList attentions = nullptr;  ///< one for each resnet, or none
  torch::nn::ModuleList downsamplers =
      nullptr;  ///< one Downsample or ResnetBlock, none on the last level

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
      detail::add_unet_attention(
          attentions, options_, options_.channels.size() - 1,
          options_.mid_norm_groups < 0 ? options_.norm_groups : options_.mid_norm_groups,
          parameter_options_);
  }

  at::Tensor forward(at::Tensor x, const UNetCondition& condition) {
    x = detail::unet_layer(resnets->ptr(0), detail::entry_or_null(attentions, 0), x, condition);
    return observed(*this, detail::unet_layer(resnets->ptr(1), nullptr, x, condition));
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
      if (options_.attends(level_, true))
        detail::add_unet_attention(attentions, options_, level_, options_.norm_groups,
                                   parameter_options_);
    }
    if (level_ == 0) return;
    if (options_.resamples_by_resnet(level_, true))
      upsamplers->push_back(
          detail::unet_resnet(options_, out, out, parameter_options_, Resample::Up));
    else
      upsamplers->push_back(Upsample(out, parameter_options_));
  }

  at::Tensor forward(at::Tensor x, const UNetCondition& condition, std::vector<at::Tensor>& skips) {
    for (std::size_t i = 0; i < resnets->size(); ++i) {
      x = at::cat({x, skips.back()}, 1);  // [B, C + skip, H, W]
      skips.pop_back();
      x = detail::unet_layer(resnets->ptr(i), detail::entry_or_null(attentions, i), x, condition);
    }
    // The size of the next skip, not twice ours: an odd size was rounded up on the way down.
    if (!upsamplers->is_empty()) {
      const auto size = skips.back().sizes().slice(2);
      auto* resnet = upsamplers[0]->as<ResnetBlock>();
      x = resnet ? resnet->forward(x, condition.embedding, size)
                 : upsamplers[0]->as<Upsample>()->forward(x, size);
    }
    return observed(*this, x);
  }

  torch::nn::ModuleList resnets = nullptr;     ///< ResnetBlock, one more than on the way down
  torch::nn::ModuleList attentions = nullptr;  ///< one for each resnet, or none
  torch::nn::ModuleList upsamplers =
      nullptr;  ///< one Upsample or ResnetBlock, none on the finest level

 private:
  UNetOptions options_;
  std::size_t level_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(UNetUpBlock);

}  // namespace dermis
