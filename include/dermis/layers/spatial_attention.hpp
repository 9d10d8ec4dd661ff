#pragma once
/// \file
/// Self-attention among the pixels of a feature map, as the KL autoencoder and the plain UNet use
/// it.

#include <optional>

#include <torch/nn/modules/container/modulelist.h>

#include "dermis/layers/linear.hpp"
#include "dermis/layers/norm.hpp"
#include "dermis/layers/scaled_dot_product.hpp"

namespace dermis {

namespace detail {

/// softmax(q k^T / sqrt(d) + bias) v per head. q [B, N, C], k and v [B, M, C], bias that broadcasts
/// to [B, heads, N, M] or none -> [B, N, C].
inline at::Tensor multi_head_attention(const at::Tensor& q, const at::Tensor& k,
                                       const at::Tensor& v, std::int64_t heads,
                                       const std::optional<at::Tensor>& bias = {}) {
  const auto split = [heads](const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), heads, -1}).transpose(1, 2);  // [B, heads, N, d]
  };
  const auto mixed = bias ? at::scaled_dot_product_attention(split(q), split(k), split(v), bias)
                          : scaled_dot_product(split(q), split(k), split(v));
  return mixed.transpose(1, 2).reshape({q.size(0), q.size(1), q.size(2)});
}

}  // namespace detail

/// Sizes of a SpatialAttention.
struct SpatialAttentionOptions {
  std::int64_t channels = 0;
  std::int64_t heads = 1;
  std::int64_t norm_groups = 32;  ///< 0: no norm
  double norm_eps = 1e-6;
  bool zero_init = false;  ///< to_out starts at zero, so that the layer starts as the identity
};

/// x + out(attention(GroupNorm(x))). Names are diffusers' Attention (LDM has 1x1 convolutions
/// here). forward: x [B, C, H, W] -> same.
class SpatialAttentionImpl : public torch::nn::Cloneable<SpatialAttentionImpl> {
 public:
  explicit SpatialAttentionImpl(const SpatialAttentionOptions& options_,
                                const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    check_argument(options.heads > 0 && options.channels % options.heads == 0,
                   "[spatial_attention] expected channels divisible by heads, got ",
                   options.channels, " channels and ", options.heads, " heads");
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto c = options.channels;
    if (options.norm_groups > 0)
      group_norm = register_module(
          "group_norm", GroupNorm(options.norm_groups, c, options.norm_eps, parameter_options_));
    to_q = register_module("to_q", Linear(c, c, true, parameter_options_));
    to_k = register_module("to_k", Linear(c, c, true, parameter_options_));
    to_v = register_module("to_v", Linear(c, c, true, parameter_options_));
    Linear out(c, c, true, parameter_options_);
    if (options.zero_init && parameter_options_.draws()) {
      torch::NoGradGuard no_grad;
      out->weight.zero_();
      out->bias.zero_();
    }
    to_out = register_module("to_out", torch::nn::ModuleList(out));  // "to_out.0", as diffusers
  }

  at::Tensor forward(const at::Tensor& x) {
    const auto normed = group_norm.is_empty() ? x : group_norm->forward(x);
    const auto tokens = normed.flatten(2).transpose(1, 2);  // [B, HW, C]
    const auto mixed = detail::multi_head_attention(to_q->forward(tokens), to_k->forward(tokens),
                                                    to_v->forward(tokens), options.heads);
    const auto out = to_out[0]->as<Linear>()->forward(mixed);  // [B, HW, C]
    return observed(*this, x + out.transpose(1, 2).reshape(x.sizes()));
  }

  SpatialAttentionOptions options;
  GroupNorm group_norm = nullptr;  ///< empty without norm_groups
  Linear to_q = nullptr, to_k = nullptr, to_v = nullptr;
  torch::nn::ModuleList to_out = nullptr;  ///< one Linear

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(SpatialAttention);

}  // namespace dermis
