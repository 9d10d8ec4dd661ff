#pragma once
/// \file
/// The text encoder of CLIP (arXiv 2103.00020, section 2.4): a transformer in which a token sees
/// those before it; a text is the last one's feature.

#include <torch/nn/modules/container/modulelist.h>

#include <concepts>
#include <type_traits>
#include <vector>

#include "dermis/layers/linear.hpp"
#include "dermis/layers/norm.hpp"

namespace dermis {

/// Sizes of a CLIP text encoder; the defaults are those of ViT-L/14's, the first one of Flux.
struct ClipTextOptions {
  std::int64_t vocabulary = 49408;  ///< rows of the token table
  std::int64_t positions = 77;      ///< no text is longer, in tokens
  std::int64_t dim = 768;           ///< width of a token
  std::int64_t depth = 12;          ///< blocks
  std::int64_t heads = 12;
  std::int64_t hidden = 3072;   ///< of the perceptrons
  std::int64_t projection = 0;  ///< width of the space shared with images; 0: no projection
  bool quick_gelu = true;       ///< x sigmoid(1.702 x), OpenAI's; false: the exact GELU
  /// The text's feature is at the first token of this id. 2, which old files say whatever their
  /// vocabulary, means the largest id of the text.
  std::int64_t eos_id = 49407;
  double norm_eps = 1e-5;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ClipTextOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("vocabulary", o.vocabulary);
  visit("positions", o.positions);
  visit("dim", o.dim);
  visit("depth", o.depth);
  visit("heads", o.heads);
  visit("hidden", o.hidden);
  visit("projection", o.projection);
  visit("quick_gelu", o.quick_gelu);
  visit("eos_id", o.eos_id);
  visit("norm_eps", o.norm_eps);
}

/// Throws std::invalid_argument naming the first option that cannot be.
inline void validate(const ClipTextOptions& o) {
  check_argument(
      o.vocabulary > 0 && o.positions > 0 && o.depth > 0 && o.hidden > 0 && o.projection >= 0,
      "[clip_text] expected sizes above 0, got vocabulary ", o.vocabulary, ", positions ",
      o.positions, ", depth ", o.depth, ", hidden ", o.hidden, ", projection ", o.projection);
  check_argument(o.dim > 0 && o.heads > 0 && o.dim % o.heads == 0,
                 "[clip_text] expected dim divisible by heads, got dim ", o.dim, " and ", o.heads,
                 " heads");
  check_argument(o.eos_id >= 0 && o.eos_id < o.vocabulary, "[clip_text] expected eos_id in 0..",
                 o.vocabulary - 1, ", got ", o.eos_id);
}

/// x + self_attn(layer_norm1(x)), then + fc2(act(fc1(layer_norm2(x)))); transformers' names but for
/// the perceptron's, whose two layers are the block's own.
/// forward: x [B, L, D], mask to be added [1 or B, 1, L, L] -> [B, L, D].
class ClipTextBlockImpl : public torch::nn::Cloneable<ClipTextBlockImpl> {
 public:
  explicit ClipTextBlockImpl(const ClipTextOptions& options,
                             const ParameterOptions& parameters = {})
      : options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto dim = options_.dim;
    const auto linear = [&](const char* name, std::int64_t in, std::int64_t out) {
      return register_module(name, Linear(in, out, true, parameter_options_));
    };
    norm1 = register_module("norm1", LayerNorm(dim, options_.norm_eps, parameter_options_));
    q_proj = linear("q_proj", dim, dim);
    k_proj = linear("k_proj", dim, dim);
    v_proj = linear("v_proj", dim, dim);
    out_proj = linear("out_proj", dim, dim);
    norm2 = register_module("norm2", LayerNorm(dim, options_.norm_eps, parameter_options_));
    fc1 = linear("fc1", dim, options_.hidden);
    fc2 = linear("fc2", options_.hidden, dim);
  }

  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask) {
    const auto y = x + attend(norm1->forward(x), mask);
    const auto h = fc1->forward(norm2->forward(y));
    return observed(
        *this, y + fc2->forward(options_.quick_gelu ? h * at::sigmoid(1.702 * h) : at::gelu(h)));
  }

  LayerNorm norm1{nullptr}, norm2{nullptr};
  Linear q_proj{nullptr}, k_proj{nullptr}, v_proj{nullptr}, out_proj{nullptr};
  Linear fc1{nullptr}, fc2{nullptr};

 private:
  at::Tensor attend(const at::Tensor& x, const at::Tensor& mask) {
    const auto split = [&](Linear& layer) {
      return layer->forward(x)
          .reshape({x.size(0), x.size(1), options_.heads, -1})
          .transpose(1, 2);  // [B, heads, L, d]
    };
    const auto mixed =
        at::scaled_dot_product_attention(split(q_proj), split(k_proj), split(v_proj), mask);
    return out_proj->forward(mixed.transpose(1, 2).reshape(x.sizes()));  // [B, L, D]
  }

  ClipTextOptions options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(ClipTextBlock);

/// What CLIP's text encoder says of texts.
struct ClipTextFeatures {
  at::Tensor tokens;               ///< [B, L, D], after the final norm
  at::Tensor pooled;               ///< [B, D], the token at the end of each text
  at::Tensor projected;            ///< [B, projection]; undefined without projection
  std::vector<at::Tensor> hidden;  ///< where asked for: before the first block and after each
};

/// CLIP's text encoder.
class ClipTextImpl : public torch::nn::Cloneable<ClipTextImpl> {
 public:
  explicit ClipTextImpl(const ClipTextOptions& model_options = {},
                        const ParameterOptions& parameters = {})
      : options(model_options), parameter_options_(parameters) {
    validate(options);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    token_embed = register_module("token_embed",
                                  Embedding(options.vocabulary, options.dim, parameter_options_));
    position_embed = register_module("position_embed",
                                     Embedding(options.positions, options.dim, parameter_options_));
    blocks = register_module("blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < options.depth; ++i)
      blocks->push_back(ClipTextBlock(options, parameter_options_));
    norm = register_module("norm", LayerNorm(options.dim, options.norm_eps, parameter_options_));
    if (options.projection > 0)
      text_projection = register_module(
          "text_projection", Linear(options.dim, options.projection, false, parameter_options_));
  }

  /// ids int64 [B, L], L at most `positions`; `mask` [B, L] is 1 for tokens, 0 for padding, which
  /// nothing looks at; undefined: all are tokens, as Flux was trained. Throws std::invalid_argument
  /// for other shapes.
  ClipTextFeatures forward(const at::Tensor& ids, const at::Tensor& mask = {},
                           bool hidden_states = false) {
    check_argument(
        ids.dim() == 2 && ids.scalar_type() == at::kLong && ids.size(1) <= options.positions,
        "[clip_text] expected int64 ids of shape [B, 1..", options.positions, "], got ",
        shape_text(ids));
    check_argument(!mask.defined() || mask.sizes() == ids.sizes(),
                   "[clip_text] expected a mask of shape ", shape_text(ids), ", got ",
                   mask.defined() ? shape_text(mask) : "none");
    const auto places = torch::arange(ids.size(1), ids.options());
    auto x = token_embed->forward(ids) + position_embed->forward(places);  // [B, L, D]
    const auto added = added_mask(ids, mask, x);
    ClipTextFeatures features;
    if (hidden_states) features.hidden.push_back(x);
    for (const auto& block : *blocks) {
      x = block->as<ClipTextBlockImpl>()->forward(x, added);
      if (hidden_states) features.hidden.push_back(x);
    }
    features.tokens = norm->forward(x);
    const auto rows = torch::arange(ids.size(0), ids.options());
    features.pooled = features.tokens.index({rows, ends(ids)});  // [B, D]
    if (text_projection) features.projected = text_projection->forward(features.pooled);
    return features;
  }

  ClipTextOptions options;
  Embedding token_embed{nullptr}, position_embed{nullptr};
  torch::nn::ModuleList blocks{nullptr};
  LayerNorm norm{nullptr};
  Linear text_projection{nullptr};  ///< empty without projection

 private:
  /// Where each text ends: int64 [B].
  at::Tensor ends(const at::Tensor& ids) const {
    return (options.eos_id == 2 ? ids : (ids == options.eos_id).to(at::kLong)).argmax(-1);
  }

  static at::Tensor added_mask(const at::Tensor& ids, const at::Tensor& mask,
                               const at::Tensor& like) {
    const auto length = ids.size(1);
    auto hides = torch::ones({length, length}, ids.options().dtype(at::kBool)).triu(1);
    hides = hides.reshape({1, 1, length, length});
    if (mask.defined()) hides = hides.logical_or((mask == 0).reshape({-1, 1, 1, length}));
    return torch::zeros(hides.sizes(), like.options()).masked_fill(hides, -INFINITY);
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(ClipText);

}  // namespace dermis
