#pragma once
/// \file
/// The encoder of T5 (arXiv 1910.10683) and of T5 v1.1, whose perceptron is gated (arXiv
/// 2002.05202): what Flux reads prompts with.

#include <torch/nn/modules/container/modulelist.h>

#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>
#include <vector>

#include "dermis/layers/linear.hpp"
#include "dermis/layers/norm.hpp"

namespace dermis {

/// Sizes of a T5 encoder.
struct T5Options {
  std::int64_t vocabulary = 32128;  ///< rows of the token table
  std::int64_t dim = 512;           ///< width of a token
  std::int64_t depth = 6;           ///< blocks
  std::int64_t heads = 8;
  std::int64_t head_dim = 64;  ///< heads * head_dim need not be dim
  std::int64_t hidden = 2048;  ///< of the perceptrons
  bool gated = false;          ///< wo(gelu_tanh(wi_0 x) * wi_1 x), T5 v1.1; false: wo(relu(wi x))
  std::int64_t buckets = 32;   ///< of relative positions, half of them for each direction
  std::int64_t max_distance = 128;  ///< from which on all positions share a bucket
  double norm_eps = 1e-6;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, T5Options>
void visit_fields(Self& o, Visitor&& visit) {
  visit("vocabulary", o.vocabulary);
  visit("dim", o.dim);
  visit("depth", o.depth);
  visit("heads", o.heads);
  visit("head_dim", o.head_dim);
  visit("hidden", o.hidden);
  visit("gated", o.gated);
  visit("buckets", o.buckets);
  visit("max_distance", o.max_distance);
  visit("norm_eps", o.norm_eps);
}

/// Throws std::invalid_argument naming the first option that cannot be.
inline void validate(const T5Options& o) {
  check_argument(
      o.vocabulary > 0 && o.dim > 0 && o.depth > 0 && o.heads > 0 && o.head_dim > 0 && o.hidden > 0,
      "[t5] expected sizes above 0, got vocabulary ", o.vocabulary, ", dim ", o.dim, ", depth ",
      o.depth, ", heads ", o.heads, ", head_dim ", o.head_dim, ", hidden ", o.hidden);
  check_argument(o.buckets >= 4 && o.buckets % 4 == 0 && o.max_distance > o.buckets / 4,
                 "[t5] expected buckets divisible by 4 and max_distance above a quarter of them, "
                 "got ",
                 o.buckets, " and ", o.max_distance);
}

/// google/t5-v1_1-xxl, the second text encoder of Flux: 4.76e9 parameters.
inline T5Options t5_v1_1_xxl() {
  return {.dim = 4096, .depth = 24, .heads = 64, .hidden = 10240, .gated = true};
}

/// Bucket of each pair of positions of a text of `length` tokens: int64 [length, length], row the
/// token that looks, column the one looked at. The first quarter of the buckets are single
/// distances, the second logarithmic up to max_distance; the other half is for what comes later in
/// the text.
inline at::Tensor relative_buckets(const T5Options& o, std::int64_t length, at::Device device) {
  const auto place = torch::arange(length, torch::dtype(at::kLong).device(device));
  const auto relative = place.unsqueeze(0) - place.unsqueeze(1);  // [L, L]
  const std::int64_t half = o.buckets / 2, exact = half / 2;
  const auto distance = relative.abs();
  const double scale = static_cast<double>(half - exact) /
                       std::log(static_cast<double>(o.max_distance) / static_cast<double>(exact));
  const auto far =
      exact + (at::log(distance.clamp_min(1).to(at::kFloat) / exact) * scale).to(at::kLong);
  return (relative > 0).to(at::kLong) * half +
         at::where(distance < exact, distance, far.clamp_max(half - 1));
}

/// softmax(q k^T + bias) v, not divided by sqrt(d): T5's first values make up for it.
/// forward: x [B, L, D], bias [1 or B, heads, L, L] -> [B, L, D].
class T5AttentionImpl : public torch::nn::Cloneable<T5AttentionImpl> {
 public:
  explicit T5AttentionImpl(const T5Options& options, const ParameterOptions& parameters = {})
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const std::int64_t inner = options_.heads * options_.head_dim;
    const auto linear = [&](const char* name, std::int64_t in, std::int64_t out) {
      return register_module(name, Linear(in, out, false, parameter_options_));
    };
    q = linear("q", options_.dim, inner);
    k = linear("k", options_.dim, inner);
    v = linear("v", options_.dim, inner);
    o = linear("o", inner, options_.dim);
  }

  at::Tensor forward(const at::Tensor& x, const at::Tensor& bias) {
    const auto split = [&](Linear& layer) {
      return layer->forward(x)
          .reshape({x.size(0), x.size(1), options_.heads, options_.head_dim})
          .transpose(1, 2);  // [B, heads, L, d]
    };
    const auto mixed = at::scaled_dot_product_attention(split(q), split(k), split(v), bias, 0,
                                                        false, /*scale=*/1.0);
    return o->forward(mixed.transpose(1, 2).reshape({x.size(0), x.size(1), -1}));  // [B, L, D]
  }

  Linear q{nullptr}, k{nullptr}, v{nullptr}, o{nullptr};

 private:
  T5Options options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(T5Attention);

/// The perceptron, see T5Options::gated. forward: x [*, D] -> [*, D].
class T5MlpImpl : public torch::nn::Cloneable<T5MlpImpl> {
 public:
  explicit T5MlpImpl(const T5Options& options, const ParameterOptions& parameters = {})
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto linear = [&](const char* name, std::int64_t in, std::int64_t out) {
      return register_module(name, Linear(in, out, false, parameter_options_));
    };
    if (options_.gated) {
      wi_0 = linear("wi_0", options_.dim, options_.hidden);
      wi_1 = linear("wi_1", options_.dim, options_.hidden);
    } else {
      wi = linear("wi", options_.dim, options_.hidden);
    }
    wo = linear("wo", options_.hidden, options_.dim);
  }

  at::Tensor forward(const at::Tensor& x) {
    return wo->forward(options_.gated ? at::gelu(wi_0->forward(x), "tanh") * wi_1->forward(x)
                                      : at::relu(wi->forward(x)));
  }

  Linear wi{nullptr}, wi_0{nullptr}, wi_1{nullptr}, wo{nullptr};  ///< as Gated asks

 private:
  T5Options options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(T5Mlp);

/// x + attn(norm1(x)), then + mlp(norm2(x)).
class T5BlockImpl : public torch::nn::Cloneable<T5BlockImpl> {
 public:
  explicit T5BlockImpl(const T5Options& options, const ParameterOptions& parameters = {})
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    norm1 = register_module("norm1", RMSNorm(options_.dim, options_.norm_eps, parameter_options_));
    attn = register_module("attn", T5Attention(options_, parameter_options_));
    norm2 = register_module("norm2", RMSNorm(options_.dim, options_.norm_eps, parameter_options_));
    mlp = register_module("mlp", T5Mlp(options_, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& x, const at::Tensor& bias) {
    const auto y = x + attn->forward(norm1->forward(x), bias);
    return observed(*this, y + mlp->forward(norm2->forward(y)));
  }

  RMSNorm norm1{nullptr}, norm2{nullptr};
  T5Attention attn{nullptr};
  T5Mlp mlp{nullptr};

 private:
  T5Options options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(T5Block);

/// T5's encoder. In half precision T5-XXL leaves the range of float16: use bfloat16 or float32.
/// forward: ids int64 [B, L] -> [B, L, D].
class T5EncoderImpl : public torch::nn::Cloneable<T5EncoderImpl> {
 public:
  explicit T5EncoderImpl(const T5Options& model_options, const ParameterOptions& parameters = {})
      : options(model_options), parameter_options_(parameters) {
    validate(options);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    token_embed = register_module("token_embed",
                                  Embedding(options.vocabulary, options.dim, parameter_options_));
    relative_bias = register_module("relative_bias",
                                    Embedding(options.buckets, options.heads, parameter_options_));
    blocks = register_module("blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < options.depth; ++i)
      blocks->push_back(T5Block(options, parameter_options_));
    norm = register_module("norm", RMSNorm(options.dim, options.norm_eps, parameter_options_));
  }

  /// What the attention of every block adds for relative positions: [1, heads, L, L].
  at::Tensor position_bias(std::int64_t length) {
    const auto buckets = relative_buckets(options, length, relative_bias->weight.device());
    return relative_bias->forward(buckets).permute({2, 0, 1}).unsqueeze(0).contiguous();
  }

  /// `mask` [B, L] is 1 for tokens, 0 for padding, which nothing looks at; undefined: all are
  /// tokens, padding too, as Flux was trained. `hidden`, when given, receives the tokens before the
  /// first block and after each, those after the last one normalised.
  at::Tensor forward(const at::Tensor& ids, const at::Tensor& mask = {},
                     std::vector<at::Tensor>* hidden = nullptr) {
    check_argument(ids.dim() == 2 && ids.scalar_type() == at::kLong,
                   "[t5] expected int64 ids of shape [B, L], got ", shape_text(ids));
    check_argument(!mask.defined() || mask.sizes() == ids.sizes(), "[t5] expected a mask of shape ",
                   shape_text(ids), ", got ", mask.defined() ? shape_text(mask) : "none");
    auto x = token_embed->forward(ids);  // [B, L, D]
    auto bias = position_bias(ids.size(1)).to(x.scalar_type());
    if (mask.defined()) {
      const auto hides = (mask == 0).reshape({ids.size(0), 1, 1, ids.size(1)});
      bias = bias.masked_fill(hides, at::scalar_tensor(lowest(x.scalar_type()), x.options()));
    }
    if (hidden) hidden->push_back(x);
    for (const auto& block : *blocks) {
      x = block->as<T5BlockImpl>()->forward(x, bias);
      if (hidden) hidden->push_back(x);
    }
    x = norm->forward(x);
    if (hidden) hidden->back() = x;
    return observed(*this, x);
  }

  T5Options options;
  Embedding token_embed{nullptr}, relative_bias{nullptr};
  torch::nn::ModuleList blocks{nullptr};
  RMSNorm norm{nullptr};

 private:
  static double lowest(at::ScalarType type) {
    return type == at::kHalf ? -65504.0 : static_cast<double>(std::numeric_limits<float>::lowest());
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(T5Encoder);

}  // namespace dermis
