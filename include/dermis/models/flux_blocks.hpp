#pragma once
/// \file
/// The blocks of Flux: attention over text and image together, steered by time, guidance and the
/// pooled text through shifts, scales and gates (adaLN, arXiv 2212.09748). Names are those of
/// black-forest-labs/flux.

#include <string>
#include <vector>

#include "dermis/layers/linear.hpp"
#include "dermis/layers/norm.hpp"
#include "dermis/layers/rotary.hpp"
#include "dermis/layers/scaled_dot_product.hpp"
#include "dermis/models/flux_options.hpp"

namespace dermis {

/// Linear, SiLU, Linear. forward: x [B, in] -> [B, dim].
class FluxEmbedderImpl : public torch::nn::Cloneable<FluxEmbedderImpl> {
 public:
  FluxEmbedderImpl(std::int64_t in_channels, std::int64_t dim,
                   const ParameterOptions& parameters = {})
      : in_(in_channels), dim_(dim), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    in_layer = register_module("in_layer", Linear(in_, dim_, true, parameter_options_));
    out_layer = register_module("out_layer", Linear(dim_, dim_, true, parameter_options_));
  }
  at::Tensor forward(const at::Tensor& x) {
    return observed(*this, out_layer->forward(at::silu(in_layer->forward(x))));
  }

  Linear in_layer = nullptr, out_layer = nullptr;

 private:
  std::int64_t in_, dim_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxEmbedder);

/// Linear, GELU (tanh), Linear under the names 0 and 2. forward: x [*, dim] -> same.
class FluxMlpImpl : public torch::nn::Cloneable<FluxMlpImpl> {
 public:
  FluxMlpImpl(std::int64_t dim, std::int64_t hidden, const ParameterOptions& parameters = {})
      : dim_(dim), hidden_(hidden), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    in_layer = register_module("0", Linear(dim_, hidden_, true, parameter_options_));
    out_layer = register_module("2", Linear(hidden_, dim_, true, parameter_options_));
  }
  at::Tensor forward(const at::Tensor& x) {
    return out_layer->forward(at::gelu(in_layer->forward(x), "tanh"));
  }

  Linear in_layer = nullptr, out_layer = nullptr;

 private:
  std::int64_t dim_, hidden_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxMlp);

/// The norms of queries and keys, each over a head's channels.
class FluxQKNormImpl : public torch::nn::Cloneable<FluxQKNormImpl> {
 public:
  explicit FluxQKNormImpl(std::int64_t head_dim, const ParameterOptions& parameters = {})
      : head_dim_(head_dim), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    const auto norm = [this] { return RMSNorm(head_dim_, 1e-6, parameter_options_, "scale"); };
    query_norm = register_module("query_norm", norm());
    key_norm = register_module("key_norm", norm());
  }

  RMSNorm query_norm = nullptr, key_norm = nullptr;

 private:
  std::int64_t head_dim_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxQKNorm);

/// What attention multiplies: [B, heads, N, d] each.
struct FluxHeads {
  at::Tensor q, k, v;
};

namespace detail {

/// Fused rows [q; k; v], [B, N, 3 D], as normalised heads.
inline FluxHeads flux_heads(const at::Tensor& qkv, std::int64_t heads, const FluxQKNorm& norm) {
  const auto parts = qkv.unflatten(-1, {3, heads, -1}).permute({2, 0, 3, 1, 4}).unbind(0);
  return {norm.ptr()->query_norm->forward(parts[0]), norm.ptr()->key_norm->forward(parts[1]),
          parts[2]};
}

/// softmax(q k^T / sqrt(d)) v with turned q and k -> [B, N, D].
inline at::Tensor flux_attention(const FluxHeads& heads, const Rotation& rotation) {
  return scaled_dot_product(rotate(heads.q, rotation), rotate(heads.k, rotation), heads.v)
      .transpose(1, 2)
      .flatten(2);
}

/// (1 + scale) LayerNorm(x) + shift, a norm without weights of its own.
inline at::Tensor flux_modulate(const at::Tensor& x, const at::Tensor& shift,
                                const at::Tensor& scale) {
  return (1 + scale) * at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-6) + shift;
}

}  // namespace detail

/// Shifts, scales and gates for one layer. forward: vector [B, D] -> `parts` of [B, 1, D].
class FluxModulationImpl : public torch::nn::Cloneable<FluxModulationImpl> {
 public:
  FluxModulationImpl(std::int64_t dim, std::int64_t parts, const ParameterOptions& parameters = {})
      : dim_(dim), parts_(parts), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    lin = register_module("lin", Linear(dim_, parts_ * dim_, true, parameter_options_));
  }
  std::vector<at::Tensor> forward(const at::Tensor& vector) {
    return lin->forward(at::silu(vector)).unsqueeze(1).chunk(parts_, -1);
  }

  Linear lin = nullptr;

 private:
  std::int64_t dim_, parts_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxModulation);

/// The projections around attention; what lies between is the block's.
class FluxSelfAttentionImpl : public torch::nn::Cloneable<FluxSelfAttentionImpl> {
 public:
  explicit FluxSelfAttentionImpl(const FluxOptions& options_,
                                 const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    const auto d = options.dim;
    qkv = register_module("qkv", Linear(d, 3 * d, options.qkv_bias, parameter_options_));
    norm = register_module("norm", FluxQKNorm(options.head_dim(), parameter_options_));
    proj = register_module("proj", Linear(d, d, true, parameter_options_));
  }
  /// x [B, N, D] -> normalised heads.
  FluxHeads heads(const at::Tensor& x) {
    return detail::flux_heads(qkv->forward(x), options.heads, norm);
  }

  FluxOptions options;
  Linear qkv = nullptr, proj = nullptr;
  FluxQKNorm norm = nullptr;

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxSelfAttention);

/// What a double block has once for the image ("img") and once for the text ("txt").
struct FluxStream {
  FluxModulation mod = nullptr;
  FluxSelfAttention attn = nullptr;
  FluxMlp mlp = nullptr;

  void build(torch::nn::Module& block, const std::string& name, const FluxOptions& o,
             const ParameterOptions& parameters) {
    mod = block.register_module(name + "_mod", FluxModulation(o.dim, 6, parameters));
    attn = block.register_module(name + "_attn", FluxSelfAttention(o, parameters));
    mlp = block.register_module(name + "_mlp", FluxMlp(o.dim, o.hidden(), parameters));
  }
  /// The heads of x [B, N, D] under the modulation m.
  FluxHeads heads(const at::Tensor& x, const std::vector<at::Tensor>& m) {
    return attn->heads(detail::flux_modulate(x, m[0], m[1]));
  }
  /// x with its share of the attention and the perceptron added.
  at::Tensor finish(const at::Tensor& x, const at::Tensor& mixed,
                    const std::vector<at::Tensor>& m) {
    const auto y = x + m[2] * attn->proj->forward(mixed);
    return y + m[5] * mlp->forward(detail::flux_modulate(y, m[3], m[4]));
  }
};

/// Text and image with weights of their own meet in attention.
/// forward: x [B, T + N, D], T text tokens first -> same.
class FluxDoubleBlockImpl : public torch::nn::Cloneable<FluxDoubleBlockImpl> {
 public:
  explicit FluxDoubleBlockImpl(const FluxOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    image.build(*this, "img", options, parameter_options_);
    text.build(*this, "txt", options, parameter_options_);
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& vector, const Rotation& rotation,
                     std::int64_t text_tokens) {
    const std::vector<std::int64_t> sizes = {text_tokens, x.size(1) - text_tokens};
    const auto parts = x.split_with_sizes(sizes, 1);
    const auto text_mod = text.mod->forward(vector), image_mod = image.mod->forward(vector);
    const auto t = text.heads(parts[0], text_mod), i = image.heads(parts[1], image_mod);
    const FluxHeads both = {at::cat({t.q, i.q}, 2), at::cat({t.k, i.k}, 2), at::cat({t.v, i.v}, 2)};
    const auto mixed = detail::flux_attention(both, rotation).split_with_sizes(sizes, 1);
    return observed(*this, at::cat({text.finish(parts[0], mixed[0], text_mod),
                                    image.finish(parts[1], mixed[1], image_mod)},
                                   1));
  }

  FluxOptions options;
  FluxStream image, text;

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxDoubleBlock);

/// Attention and perceptron side by side, the same weights for text and image.
/// forward: x [B, T + N, D] -> same.
class FluxSingleBlockImpl : public torch::nn::Cloneable<FluxSingleBlockImpl> {
 public:
  explicit FluxSingleBlockImpl(const FluxOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    const auto d = options.dim, hidden = options.hidden();
    linear1 = register_module("linear1", Linear(d, 3 * d + hidden, true, parameter_options_));
    linear2 = register_module("linear2", Linear(d + hidden, d, true, parameter_options_));
    norm = register_module("norm", FluxQKNorm(options.head_dim(), parameter_options_));
    modulation = register_module("modulation", FluxModulation(d, 3, parameter_options_));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& vector, const Rotation& rotation) {
    const auto m = modulation->forward(vector);
    const auto parts = linear1->forward(detail::flux_modulate(x, m[0], m[1]))
                           .split_with_sizes({3 * options.dim, options.hidden()}, -1);
    const auto mixed =
        detail::flux_attention(detail::flux_heads(parts[0], options.heads, norm), rotation);
    const auto y = linear2->forward(at::cat({mixed, at::gelu(parts[1], "tanh")}, -1));
    return observed(*this, x + m[2] * y);
  }

  FluxOptions options;
  Linear linear1 = nullptr, linear2 = nullptr;
  FluxQKNorm norm = nullptr;
  FluxModulation modulation = nullptr;

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxSingleBlock);

}  // namespace dermis
