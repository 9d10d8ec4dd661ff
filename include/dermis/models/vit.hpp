#pragma once
/// \file
/// Vision Transformer (arXiv 2010.11929) as timm and MAE's models_vit.py build it; the state dict
/// has their names.

#include <torch/nn/modules/container/modulelist.h>

#include <concepts>
#include <string_view>
#include <type_traits>

#include "dermis/layers/patch_embed.hpp"
#include "dermis/layers/position.hpp"
#include "dermis/layers/transformer.hpp"

namespace dermis {

/// Sizes of a ViT. Any head width that divides dim is allowed.
struct ViTOptions {
  std::int64_t image_size = 224;  ///< height of the input, pixels; divisible by patch_size
  std::int64_t image_width = 0;   ///< its width; 0: square
  std::int64_t patch_size = 16;   ///< side of a patch, pixels
  std::int64_t in_channels = 3;
  std::int64_t dim = 768;   ///< width of a token
  std::int64_t depth = 12;  ///< blocks
  std::int64_t heads = 12;
  double mlp_ratio =
      4.0;  ///< hidden width of the perceptrons over dim; the product is rounded down
  std::int64_t num_classes = 0;  ///< logits; 0: no head, forward() returns the pooled feature
  bool mean_pooling = false;  ///< false: class token after `norm`; true: mean of patch tokens, then
                              ///< `fc_norm` (MAE's global_pool)
  bool qkv_bias = true;
  double drop_path = 0.0;    ///< rate of the last block; grows linearly from 0
  double layer_scale = 0.0;  ///< 0: off
  double norm_eps = 1e-6;    ///< 1e-12 in transformers' ViT

  std::int64_t width() const { return image_width == 0 ? image_size : image_width; }
  std::int64_t grid() const { return image_size / patch_size; }  ///< rows of patches
  GridSize grid_size() const { return {grid(), width() / patch_size}; }
  std::int64_t patches() const { return grid_size().count(); }
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ViTOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("image_size", o.image_size);
  visit("image_width", o.image_width);
  visit("patch_size", o.patch_size);
  visit("in_channels", o.in_channels);
  visit("dim", o.dim);
  visit("depth", o.depth);
  visit("heads", o.heads);
  visit("mlp_ratio", o.mlp_ratio);
  visit("num_classes", o.num_classes);
  visit("mean_pooling", o.mean_pooling);
  visit("qkv_bias", o.qkv_bias);
  visit("drop_path", o.drop_path);
  visit("layer_scale", o.layer_scale);
  visit("norm_eps", o.norm_eps);
}

/// Throws std::invalid_argument naming the first option that cannot be.
inline void validate(const ViTOptions& o) {
  check_argument(o.patch_size > 0 && o.image_size > 0 && o.image_size % o.patch_size == 0,
                 "[vit] expected image_size divisible by patch_size, got image_size ", o.image_size,
                 " and patch_size ", o.patch_size);
  check_argument(o.image_width >= 0 && o.width() % o.patch_size == 0,
                 "[vit] expected image_width 0 or divisible by patch_size, got image_width ",
                 o.image_width, " and patch_size ", o.patch_size);
  check_argument(o.dim > 0 && o.heads > 0 && o.dim % o.heads == 0,
                 "[vit] expected dim divisible by heads, got dim ", o.dim, " and ", o.heads,
                 " heads");
  check_argument(static_cast<double>(o.dim) * o.mlp_ratio >= 1,
                 "[vit] expected mlp_ratio of at least 1 / dim, got ", o.mlp_ratio);
  check_argument(o.depth > 0, "[vit] expected depth of at least 1, got ", o.depth);
  check_argument(o.num_classes >= 0, "[vit] expected num_classes of at least 0, got ",
                 o.num_classes);
  check_argument(o.drop_path >= 0 && o.drop_path < 1, "[vit] expected drop_path in [0, 1), got ",
                 o.drop_path);
}

/// Throws std::invalid_argument unless `images` are what `model` (its name, for the message) takes.
inline void check_images(const char* model, const ViTOptions& o, const at::Tensor& images) {
  check_argument(images.dim() == 4 && images.size(1) == o.in_channels &&
                     images.size(2) == o.image_size && images.size(3) == o.width(),
                 "[", model, "] expected images of shape [*, ", o.in_channels, ", ", o.image_size,
                 ", ", o.width(), "], got ", shape_text(images));
}

inline ViTOptions vit_tiny() {
  return {.dim = 192, .depth = 12, .heads = 3};
}
inline ViTOptions vit_small() {
  return {.dim = 384, .depth = 12, .heads = 6};
}
inline ViTOptions vit_base() {
  return {.dim = 768, .depth = 12, .heads = 12};
}
inline ViTOptions vit_large() {
  return {.dim = 1024, .depth = 24, .heads = 16};
}
inline ViTOptions vit_huge() {
  return {.patch_size = 14, .dim = 1280, .depth = 32, .heads = 16};
}

/// Rate of block i of `depth` when the last one has `last` (timm: linspace(0, last, depth)).
inline double drop_path_at(double last, std::int64_t i, std::int64_t depth) {
  return depth > 1 ? last * static_cast<double>(i) / static_cast<double>(depth - 1) : last;
}

/// What to keep besides the tokens.
struct ViTRequest {
  bool hidden_states = false;   ///< tokens after the embedding and after each block
  bool attention_maps = false;  ///< attention probabilities of each block
};

/// Everything that a ViT computes before its head.
struct ViTFeatures {
  at::Tensor tokens;  ///< [B, 1 + N, D], after the final norm (raw with mean pooling)
  at::Tensor pooled;  ///< [B, D], what the head sees
  std::vector<at::Tensor>
      hidden_states;  ///< depth + 1 of [B, 1 + N, D]; [0] is the embedding, none is normalised
  std::vector<at::Tensor> attention_maps;  ///< depth of [B, heads, 1 + N, 1 + N]
};

/// Vision Transformer.
/// forward: images [B, C, S, S] -> logits [B, num_classes], or the pooled feature [B, D] without a
/// head.
///
///     ViT vit(ViTOptions{.image_size = 64, .patch_size = 8, .dim = 128, .depth = 6, .heads = 4,
///     .num_classes = 8}); auto logits = vit->forward(images);
class ViTImpl : public torch::nn::Cloneable<ViTImpl> {
 public:
  explicit ViTImpl(const ViTOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    validate(options);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    cls_token = register_parameter("cls_token", parameter_options_.empty({1, 1, o.dim}));
    pos_embed =
        register_parameter("pos_embed", parameter_options_.empty({1, 1 + o.patches(), o.dim}));
    patch_embed = register_module(
        "patch_embed", PatchEmbed(o.in_channels, o.dim, o.patch_size, parameter_options_));
    blocks = register_module("blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < o.depth; ++i) {
      blocks->push_back(TransformerBlock(
          TransformerBlockOptions{.dim = o.dim,
                                  .heads = o.heads,
                                  .mlp_ratio = o.mlp_ratio,
                                  .qkv_bias = o.qkv_bias,
                                  .drop_path = drop_path_at(o.drop_path, i, o.depth),
                                  .layer_scale = o.layer_scale,
                                  .norm_eps = o.norm_eps},
          parameter_options_));
    }
    (o.mean_pooling ? fc_norm : norm) = register_module(
        o.mean_pooling ? "fc_norm" : "norm", LayerNorm(o.dim, o.norm_eps, parameter_options_));
    if (o.num_classes > 0)
      head = register_module("head", Linear(o.dim, o.num_classes, true, parameter_options_));
    if (parameter_options_.draws()) initialise();
  }

  at::Tensor forward(const at::Tensor& images, const std::optional<at::Generator>& generator = {}) {
    return classify(forward_features(images, {}, generator).pooled);
  }

  /// Tokens, pooled feature, and what `request` asks for. `generator` decides the dropped paths in
  /// training.
  ViTFeatures forward_features(const at::Tensor& images, const ViTRequest& request = {},
                               const std::optional<at::Generator>& generator = {}) {
    check_images("vit", options, images);
    ViTFeatures features;
    auto x = embed(images);  // [B, 1 + N, D]
    if (request.hidden_states) features.hidden_states.push_back(x);
    for (const auto& block : *blocks) {
      at::Tensor weights;
      x = run_block(block, x, checkpoint_activations, generator,
                    request.attention_maps ? &weights : nullptr);
      if (request.hidden_states) features.hidden_states.push_back(x);
      if (request.attention_maps) features.attention_maps.push_back(weights);
    }
    if (options.mean_pooling) {
      features.tokens = x;
      features.pooled = fc_norm->forward(x.slice(1, 1).mean(1));  // [B, D]
    } else {
      features.tokens = norm->forward(x);              // [B, 1 + N, D]
      features.pooled = features.tokens.select(1, 0);  // [B, D]
    }
    return features;
  }

  /// Pooled features [B, D] -> logits [B, num_classes]; the feature itself without a head.
  at::Tensor classify(const at::Tensor& pooled) { return head ? head->forward(pooled) : pooled; }

  /// Class token and patch tokens with their positions: [B, C, S, S] -> [B, 1 + N, D].
  at::Tensor embed(const at::Tensor& images) {
    const auto tokens =
        at::cat({cls_token.expand({images.size(0), -1, -1}), patch_embed->forward(images)}, 1);
    return tokens + pos_embed;  // [B, 1 + N, D]
  }

  ViTOptions options;
  bool checkpoint_activations = false;  ///< train with less memory, 30 % slower; same gradients
  at::Tensor cls_token, pos_embed;      ///< [1, 1, D], [1, 1 + N, D]
  PatchEmbed patch_embed{nullptr};
  torch::nn::ModuleList blocks{nullptr};  ///< TransformerBlock x depth
  LayerNorm norm{nullptr};                ///< class-token pooling only
  LayerNorm fc_norm{nullptr};             ///< mean pooling only
  Linear head{nullptr};                   ///< empty without classes

 private:
  /// Xavier-uniform linear weights as in the original ViT and in MAE, zero biases, a class token of
  /// almost zero and a head near zero (MAE: 2e-5). timm's default, a normal of 0.02 whatever the
  /// width, starts narrow models so quietly that they learn nothing for thousands of images.
  void initialise() {
    torch::NoGradGuard no_grad;
    const auto& generator = parameter_options_.generator;
    for (const auto& module : modules(false)) {
      if (auto* linear = module->as<LinearImpl>()) {
        xavier_uniform_(linear->weight, generator);
        if (linear->bias.defined()) linear->bias.zero_();
      }
    }
    cls_token.normal_(0, 1e-6, generator);
    truncated_normal_(pos_embed, 0.02, generator);
    if (head) truncated_normal_(head->weight, 2e-5, generator);
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(ViT);

/// Starts a ViT from the encoder `from` (a module with timm's names) of options `e`: everything but
/// the head and, where `from` lacks it, the last norm is copied; the position table is resampled
/// when the grids differ. Throws std::invalid_argument when the encoders differ in another way.
inline void copy_encoder(const torch::nn::Module& from, const ViTOptions& e, ViT& to,
                         bool antialias = false) {
  const auto& v = to->options;
  check_argument(e.dim == v.dim && e.depth == v.depth && e.heads == v.heads &&
                     e.patch_size == v.patch_size && e.in_channels == v.in_channels,
                 "[vit] expected an encoder of width ", v.dim, ", depth ", v.depth, ", ", v.heads,
                 " heads and patch ", v.patch_size, ", got width ", e.dim, ", depth ", e.depth,
                 ", ", e.heads, " heads and patch ", e.patch_size);
  torch::NoGradGuard no_grad;
  const auto theirs = from.named_parameters();
  for (auto& item : to->named_parameters()) {
    const auto& key = item.key();
    if (key.rfind("head.", 0) == 0) continue;
    if (key == "pos_embed") {
      item.value().copy_(resample_position(theirs[key], e.grid_size(), v.grid_size(),
                                           /*prefix=*/1, antialias));
    } else if (const auto* value = theirs.find(key)) {
      item.value().copy_(*value);
    }
  }
}

/// A copy of the ViT for images of another size: the position table is resampled.
/// \param antialias  true: as timm resamples; false: as MAE's code and transformers do
inline ViT with_image_size(const ViT& vit, std::int64_t height, std::int64_t width,
                           bool antialias) {
  ViT resized(std::dynamic_pointer_cast<ViTImpl>(vit->clone()));
  auto& options = resized->options;
  options.image_size = height;
  options.image_width = width == height ? 0 : width;
  validate(options);
  torch::NoGradGuard no_grad;
  resized->pos_embed.set_data(resample_position(resized->pos_embed, vit->options.grid_size(),
                                                options.grid_size(),
                                                /*prefix=*/1, antialias));
  return resized;
}

}  // namespace dermis
