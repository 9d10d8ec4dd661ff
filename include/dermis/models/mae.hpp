#pragma once
/// \file
/// Masked autoencoder (arXiv 2111.06377) as facebookresearch/mae builds it; the state dict has its
/// names.

#include "dermis/models/vit.hpp"

namespace dermis {

/// Sizes of an MAE. The encoder's head, pooling and drop path play no part in pre-training.
struct MAEOptions {
  ViTOptions encoder;
  std::int64_t decoder_dim = 512;
  std::int64_t decoder_depth = 8;
  std::int64_t decoder_heads = 16;
  double decoder_mlp_ratio = 0;  ///< of the decoder's perceptrons; 0: the encoder's
  double mask_ratio = 0.75;      ///< share of patches hidden, in (0, 1)
  bool norm_pix_loss =
      true;  ///< target is each patch normalised by its own mean and (unbiased) variance
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, MAEOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("encoder", o.encoder);
  visit("decoder_dim", o.decoder_dim);
  visit("decoder_depth", o.decoder_depth);
  visit("decoder_heads", o.decoder_heads);
  visit("decoder_mlp_ratio", o.decoder_mlp_ratio);
  visit("mask_ratio", o.mask_ratio);
  visit("norm_pix_loss", o.norm_pix_loss);
}

/// Throws std::invalid_argument naming the first option that cannot be.
inline void validate(const MAEOptions& o) {
  validate(o.encoder);
  check_argument(o.encoder.dim % 4 == 0, "[mae] expected dim divisible by 4, got ", o.encoder.dim);
  check_argument(o.decoder_mlp_ratio >= 0, "[mae] expected decoder_mlp_ratio of at least 0, got ",
                 o.decoder_mlp_ratio);
  check_argument(o.decoder_dim > 0 && o.decoder_dim % 4 == 0 && o.decoder_heads > 0 &&
                     o.decoder_dim % o.decoder_heads == 0,
                 "[mae] expected decoder_dim divisible by 4 and by decoder_heads, got ",
                 o.decoder_dim, " and ", o.decoder_heads);
  check_argument(o.decoder_depth > 0, "[mae] expected decoder_depth of at least 1, got ",
                 o.decoder_depth);
  check_argument(o.mask_ratio > 0 && o.mask_ratio < 1, "[mae] expected mask_ratio in (0, 1), got ",
                 o.mask_ratio);
  check_argument(
      static_cast<std::int64_t>(static_cast<double>(o.encoder.patches()) * (1 - o.mask_ratio)) >= 1,
      "[mae] expected at least one visible patch, got ", o.encoder.patches(),
      " patches at mask_ratio ", o.mask_ratio);
}

inline MAEOptions mae_base() {
  return {.encoder = vit_base()};
}
inline MAEOptions mae_large() {
  return {.encoder = vit_large()};
}
inline MAEOptions mae_huge() {
  return {.encoder = vit_huge()};
}

/// Which patches are hidden.
struct RandomMask {
  at::Tensor kept;     ///< int64 [B, K]: visible patches, in the order of their noise
  at::Tensor restore;  ///< int64 [B, N]: position of each patch in [kept, hidden]
  at::Tensor mask;     ///< float [B, N]: 1 = hidden, 0 = visible
};

/// Keeps the int(N (1 - ratio)) patches with the smallest noise (models_mae.py, random_masking).
/// noise: [B, N].
inline RandomMask random_mask(const at::Tensor& noise, double ratio) {
  const auto count = noise.size(1);
  const auto keep = static_cast<std::int64_t>(static_cast<double>(count) * (1 - ratio));
  const auto shuffle = at::argsort(noise, /*stable=*/true, 1, false);
  const auto restore = at::argsort(shuffle, /*stable=*/true, 1, false);
  auto mask = torch::ones(noise.sizes(), noise.options());
  mask.slice(1, 0, keep).zero_();
  return {shuffle.slice(1, 0, keep), restore, mask.gather(1, restore)};
}

/// Result of one MAE pass.
struct MAEOutput {
  at::Tensor loss;        ///< scalar: mean squared error over the hidden patches
  at::Tensor prediction;  ///< [B, N, p p C], in the target's units
  at::Tensor mask;        ///< [B, N], 1 = hidden
};

/// Masked autoencoder. forward: images [B, C, S, S] and noise [B, N] (uniform; decides the mask) ->
/// MAEOutput.
class MAEImpl : public torch::nn::Cloneable<MAEImpl> {
 public:
  explicit MAEImpl(const MAEOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    validate(options);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& e = options.encoder;
    const auto block = [&](std::int64_t dim, std::int64_t heads, double mlp_ratio) {
      return TransformerBlock(TransformerBlockOptions{.dim = dim,
                                                      .heads = heads,
                                                      .mlp_ratio = mlp_ratio,
                                                      .qkv_bias = e.qkv_bias,
                                                      .layer_scale = e.layer_scale,
                                                      .norm_eps = e.norm_eps},
                              parameter_options_);
    };
    cls_token = register_parameter("cls_token", parameter_options_.empty({1, 1, e.dim}));
    pos_embed = register_parameter("pos_embed",
                                   parameter_options_.empty({1, 1 + e.patches(), e.dim}), false);
    patch_embed = register_module(
        "patch_embed", PatchEmbed(e.in_channels, e.dim, e.patch_size, parameter_options_));
    blocks = register_module("blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < e.depth; ++i)
      blocks->push_back(block(e.dim, e.heads, e.mlp_ratio));
    norm = register_module("norm", LayerNorm(e.dim, e.norm_eps, parameter_options_));

    const auto dim = options.decoder_dim;
    decoder_embed = register_module("decoder_embed", Linear(e.dim, dim, true, parameter_options_));
    mask_token = register_parameter("mask_token", parameter_options_.empty({1, 1, dim}));
    decoder_pos_embed = register_parameter(
        "decoder_pos_embed", parameter_options_.empty({1, 1 + e.patches(), dim}), false);
    decoder_blocks = register_module("decoder_blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < options.decoder_depth; ++i)
      decoder_blocks->push_back(
          block(dim, options.decoder_heads,
                options.decoder_mlp_ratio > 0 ? options.decoder_mlp_ratio : e.mlp_ratio));
    decoder_norm = register_module("decoder_norm", LayerNorm(dim, e.norm_eps, parameter_options_));
    decoder_pred = register_module(
        "decoder_pred",
        Linear(dim, e.patch_size * e.patch_size * e.in_channels, true, parameter_options_));
    if (parameter_options_.draws()) initialise();
  }

  MAEOutput forward(const at::Tensor& images, const at::Tensor& noise) {
    const auto masked = random_mask(noise, options.mask_ratio);
    const auto prediction = decode(encode(images, masked.kept), masked.restore);  // [B, N, p p C]
    const auto error = (prediction - target(images)).square().mean(-1);           // [B, N]
    return {(error * masked.mask).sum() / masked.mask.sum(), prediction, masked.mask};
  }

  /// Class token and visible patches with their positions, before the first block: images
  /// [B, C, S, S], kept [B, K] -> [B, 1 + K, D]. Hidden patches are never embedded.
  at::Tensor embed(const at::Tensor& images, const at::Tensor& kept) {
    const auto& e = options.encoder;
    check_images("mae", e, images);
    const auto position = pos_embed.slice(1, 1).expand({images.size(0), -1, -1});  // [B, N, D]
    const auto chosen =
        position.gather(1, kept.unsqueeze(-1).expand({-1, -1, e.dim}));  // [B, K, D]
    const auto first =
        (cls_token + pos_embed.slice(1, 0, 1)).expand({images.size(0), -1, -1});   // [B, 1, D]
    return at::cat({first, patch_embed->forward_kept(images, kept) + chosen}, 1);  // [B, 1 + K, D]
  }

  /// Tokens of the visible patches: images [B, C, S, S], kept [B, K] -> [B, 1 + K, D].
  /// `hidden_states`, when given, receives the embedding and the tokens after each block, none
  /// normalised.
  at::Tensor encode(const at::Tensor& images, const at::Tensor& kept,
                    std::vector<at::Tensor>* hidden_states = nullptr) {
    return norm->forward(run(*blocks, embed(images, kept), hidden_states));
  }

  /// All patches in their places, the hidden ones as mask tokens, with the decoder's positions:
  /// latent [B, 1 + K, D], restore [B, N] -> [B, 1 + N, E].
  at::Tensor decoder_tokens(const at::Tensor& latent, const at::Tensor& restore) {
    const auto x = decoder_embed->forward(latent);  // [B, 1 + K, E]
    const auto hidden = restore.size(1) + 1 - x.size(1);
    const auto all =
        at::cat({x.slice(1, 1), mask_token.expand({x.size(0), hidden, -1}).to(x.scalar_type())}, 1);
    const auto ordered =
        all.gather(1, restore.unsqueeze(-1).expand({-1, -1, x.size(2)}));  // [B, N, E]
    return at::cat({x.slice(1, 0, 1), ordered}, 1) + decoder_pos_embed;    // [B, 1 + N, E]
  }

  /// Predicts every patch: latent [B, 1 + K, D], restore [B, N] -> [B, N, p p C]. `hidden_states`
  /// as for encode().
  at::Tensor decode(const at::Tensor& latent, const at::Tensor& restore,
                    std::vector<at::Tensor>* hidden_states = nullptr) {
    const auto x = run(*decoder_blocks, decoder_tokens(latent, restore), hidden_states);
    return decoder_pred->forward(decoder_norm->forward(x)).slice(1, 1);  // [B, N, p p C]
  }

  /// What the decoder should predict: [B, C, S, S] -> [B, N, p p C].
  at::Tensor target(const at::Tensor& images) const {
    const auto patches = patchify(images, options.encoder.patch_size);
    if (!options.norm_pix_loss) return patches;
    const auto [variance, mean] = at::var_mean(patches, -1, /*unbiased=*/true, /*keepdim=*/true);
    return (patches - mean) / (variance + 1e-6).sqrt();
  }

  /// Pictures: hidden patches predicted, visible ones copied; [B, C, S, S]. With norm_pix_loss the
  /// prediction has no brightness of its own, so the true patch's mean and deviation are put back,
  /// as MAE's demo does.
  at::Tensor reconstruct(const at::Tensor& images, const MAEOutput& output) const {
    const auto& e = options.encoder;
    const auto patches = patchify(images, e.patch_size);
    auto pixels = output.prediction.to(patches.scalar_type());
    if (options.norm_pix_loss) {
      const auto [variance, mean] = at::var_mean(patches, -1, true, true);
      pixels = pixels * (variance + 1e-6).sqrt() + mean;
    }
    return unpatchify_rows(at::where(output.mask.unsqueeze(-1) > 0.5, pixels, patches),
                           e.patch_size, e.in_channels, e.grid());
  }

  MAEOptions options;
  bool checkpoint_activations = false;  ///< train with less memory; same gradients
  at::Tensor cls_token, mask_token;     ///< [1, 1, D], [1, 1, E]
  at::Tensor pos_embed,
      decoder_pos_embed;  ///< fixed sine-cosine tables [1, 1 + N, D], [1, 1 + N, E]
  PatchEmbed patch_embed{nullptr};
  torch::nn::ModuleList blocks{nullptr}, decoder_blocks{nullptr};  ///< TransformerBlock
  LayerNorm norm{nullptr}, decoder_norm{nullptr};
  Linear decoder_embed{nullptr}, decoder_pred{nullptr};

 private:
  at::Tensor run(const torch::nn::ModuleListImpl& list, at::Tensor x,
                 std::vector<at::Tensor>* hidden_states) const {
    if (hidden_states) hidden_states->push_back(x);
    for (const auto& block : list) {
      x = run_block(block, x, checkpoint_activations);
      if (hidden_states) hidden_states->push_back(x);
    }
    return x;
  }

  void initialise() {  // models_mae.py, initialize_weights
    torch::NoGradGuard no_grad;
    const auto& generator = parameter_options_.generator;
    for (const auto& module : modules(false)) {
      if (auto* linear = module->as<LinearImpl>()) {
        xavier_uniform_(linear->weight, generator);
        if (linear->bias.defined()) linear->bias.zero_();
      }
    }
    xavier_uniform_(patch_embed->proj->weight, generator);
    cls_token.normal_(0, 0.02, generator);
    mask_token.normal_(0, 0.02, generator);
    pos_embed.copy_(sincos_position(options.encoder.dim, options.encoder.grid_size(), true));
    decoder_pos_embed.copy_(
        sincos_position(options.decoder_dim, options.encoder.grid_size(), true));
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(MAE);

/// Starts a ViT from a masked autoencoder's encoder (main_finetune.py).
inline void copy_encoder(const MAE& from, ViT& to) {
  copy_encoder(*from, from->options.encoder, to);
}

}  // namespace dermis
