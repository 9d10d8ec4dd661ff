#pragma once
/// \file
/// Multi-head self-attention as in ViT (arXiv 2010.11929, appendix A), with timm's names.

#include "dermis/layers/linear.hpp"
#include "dermis/layers/scaled_dot_product.hpp"

namespace dermis {

/// softmax(q k^T / sqrt(d)) v over all tokens; qkv is fused, rows [q; k; v] as in timm.
/// forward: x [B, N, D] -> [B, N, D].
class AttentionImpl : public torch::nn::Cloneable<AttentionImpl> {
 public:
  AttentionImpl(std::int64_t dim, std::int64_t heads, bool qkv_bias = true,
                const ParameterOptions& parameters = {})
      : dim_(dim), heads_(heads), qkv_bias_(qkv_bias), parameter_options_(parameters) {
    check_argument(dim > 0 && heads > 0 && dim % heads == 0,
                   "[attention] expected dim divisible by heads, got dim ", dim, " and ", heads,
                   " heads");
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    qkv = register_module("qkv", Linear(dim_, 3 * dim_, qkv_bias_, parameter_options_));
    proj = register_module("proj", Linear(dim_, dim_, true, parameter_options_));
  }

  /// With `weights`, also stores the attention probabilities there: [B, heads, N, N], rows sum
  /// to 1.
  at::Tensor forward(const at::Tensor& x, at::Tensor* weights = nullptr) {
    const auto batch = x.size(0), count = x.size(1), head_dim = dim_ / heads_;
    const auto parts = qkv->forward(x)
                           .reshape({batch, count, 3, heads_, head_dim})
                           .permute({2, 0, 3, 1, 4})  // [3, B, heads, N, d]
                           .unbind(0);
    const auto &q = parts[0], &k = parts[1], &v = parts[2];
    if (weights) *weights = attention_probabilities(q, k);
    const auto mixed = weights ? at::matmul(*weights, v) : scaled_dot_product(q, k, v);
    return proj->forward(mixed.transpose(1, 2).reshape({batch, count, dim_}));  // [B, N, D]
  }

  Linear qkv{nullptr}, proj{nullptr};

 private:
  std::int64_t dim_, heads_;
  bool qkv_bias_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(Attention);

}  // namespace dermis
