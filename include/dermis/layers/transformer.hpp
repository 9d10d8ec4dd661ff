#pragma once
/// \file
/// The pre-norm transformer block that ViT and MAE share, with timm's names.

#include "dermis/layers/activation_checkpoint.hpp"
#include "dermis/layers/attention.hpp"
#include "dermis/layers/drop_path.hpp"
#include "dermis/layers/mlp.hpp"
#include "dermis/layers/norm.hpp"

namespace dermis {

/// Sizes of one block.
struct TransformerBlockOptions {
  std::int64_t dim = 768;
  std::int64_t heads = 12;
  double mlp_ratio = 4.0;  ///< hidden width of the perceptron over dim
  bool qkv_bias = true;
  double drop_path = 0.0;  ///< probability of dropping a branch in training
  double layer_scale =
      0.0;  ///< first value of the per-channel branch gains; 0: no LayerScale (arXiv 2103.17239)
  double norm_eps = 1e-6;
};

/// A learned gain per channel (timm: ls1.gamma, ls2.gamma). forward: x [*, D] -> [*, D].
class LayerScaleImpl : public torch::nn::Cloneable<LayerScaleImpl> {
 public:
  LayerScaleImpl(std::int64_t dim, double value, const ParameterOptions& parameters = {})
      : dim_(dim), value_(value), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    gamma = register_parameter("gamma", parameter_options_.empty({dim_}));
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    gamma.fill_(value_);
  }
  at::Tensor forward(const at::Tensor& x) const { return x * gamma; }
  at::Tensor gamma;

 private:
  std::int64_t dim_;
  double value_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(LayerScale);

/// x + drop_path(ls1(attn(norm1(x)))), then x + drop_path(ls2(mlp(norm2(x)))). forward: x [B, N, D]
/// -> [B, N, D].
class TransformerBlockImpl : public torch::nn::Cloneable<TransformerBlockImpl> {
 public:
  explicit TransformerBlockImpl(const TransformerBlockOptions& options_,
                                const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    norm1 = register_module("norm1", LayerNorm(o.dim, o.norm_eps, parameter_options_));
    attn = register_module("attn", Attention(o.dim, o.heads, o.qkv_bias, parameter_options_));
    norm2 = register_module("norm2", LayerNorm(o.dim, o.norm_eps, parameter_options_));
    const auto hidden = static_cast<std::int64_t>(static_cast<double>(o.dim) * o.mlp_ratio);
    mlp = register_module("mlp", Mlp(o.dim, hidden, parameter_options_));
    if (o.layer_scale > 0) {
      ls1 = register_module("ls1", LayerScale(o.dim, o.layer_scale, parameter_options_));
      ls2 = register_module("ls2", LayerScale(o.dim, o.layer_scale, parameter_options_));
    }
  }

  /// `generator` decides the dropped paths; `weights`, when given, receives the attention
  /// probabilities [B, heads, N, N].
  at::Tensor forward(const at::Tensor& x, const std::optional<at::Generator>& generator = {},
                     at::Tensor* weights = nullptr) {
    const auto attended = attn->forward(norm1->forward(x), weights);
    const auto y = x + drop_path(ls1 ? ls1->forward(attended) : attended, options.drop_path,
                                 is_training(), generator);
    const auto mixed = mlp->forward(norm2->forward(y));
    return y + drop_path(ls2 ? ls2->forward(mixed) : mixed, options.drop_path, is_training(),
                         generator);
  }

  TransformerBlockOptions options;
  LayerNorm norm1{nullptr}, norm2{nullptr};
  Attention attn{nullptr};
  Mlp mlp{nullptr};
  LayerScale ls1{nullptr}, ls2{nullptr};  ///< empty without LayerScale

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(TransformerBlock);

/// A TransformerBlock of a list, run with or without keeping its intermediate results for the
/// backward pass; attention `weights` are not checkpointed.
inline at::Tensor run_block(const std::shared_ptr<torch::nn::Module>& block, const at::Tensor& x,
                            bool checkpoint, const std::optional<at::Generator>& generator = {},
                            at::Tensor* weights = nullptr) {
  const auto forward = [block, generator](const at::Tensor& tokens, at::Tensor* attention) {
    return block->as<TransformerBlockImpl>()->forward(tokens, generator, attention);
  };
  if (!checkpoint || weights) return forward(x, weights);
  return checkpoint_activations(
      [forward](const at::Tensor& tokens) { return forward(tokens, nullptr); }, x, generator);
}

}  // namespace dermis
