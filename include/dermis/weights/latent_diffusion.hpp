#pragma once
/// \file
/// Checkpoints of CompVis/latent-diffusion (arXiv 2112.10752): the KL autoencoder, the UNet with
/// its class embedder, the averaged copies of its weights. For reading only. The checkpoints are
/// pickles; what is read here is their state_dict as safetensors.

#include <filesystem>

#include "dermis/io/tensors.hpp"
#include "dermis/models/kl_vae.hpp"
#include "dermis/models/unet.hpp"

namespace dermis {

/// Options of a KLVAE from `params` of AutoencoderKL in the YAML, as JSON: embed_dim and ddconfig.
/// \throws std::runtime_error naming the key whose value a KLVAE cannot express
KLVAEOptions vae_options_from_latent_diffusion(const Json& params);

/// The same from the tensors of an autoencoder or of a whole model: 32 groups in every norm, as in
/// the code. The latent scale is the checkpoint's own "scale_factor" (LDM's scale_by_std), Flux's
/// for an autoencoder of Black Forest Labs (16 latent channels, no quant convolutions, no prefix),
/// else it stays 1.
/// \throws std::runtime_error naming `source` and a tensor that is missing or cannot be
KLVAEOptions vae_options_from_latent_diffusion(const StateDict& tensors, const std::string& source);

/// Options of a UNet from `params` of unet_config. `classes` is n_classes of the class embedder
/// (cond_stage_config), the null class included; 0 with use_spatial_transformer: another context,
/// to be given to forward(). num_classes in `params` counts the null class too.
/// \throws std::runtime_error naming the key whose value a UNet cannot express
UNetOptions unet_options_from_latent_diffusion(const Json& params, std::int64_t classes = 0);

/// Tensors of the autoencoder under our names: of a checkpoint of its own (the loss is left out) or
/// of a whole model's ("first_stage_model."). Black Forest Labs' autoencoder has the same names.
StateDict vae_from_latent_diffusion(const StateDict& tensors, const KLVAEOptions& options);

/// The autoencoder in a safetensors file of CompVis (of its own, or a whole model's such as Stable
/// Diffusion's) or of Black Forest Labs (ae.safetensors).
/// \throws std::runtime_error naming the file and what is missing, unexpected or of another shape
KLVAE load_latent_diffusion_vae(const std::filesystem::path& path);

/// Tensors of the UNet under our names: of the network alone or of a whole model's checkpoint
/// ("model.diffusion_model.", "cond_stage_model.embedding."). Plain attention's fused projection is
/// taken apart, its rows [q, k, v] head after head, or with `new_attention_order` all of q first.
/// Names that the options do not call for stay as they are, for load_state_dict to report.
StateDict unet_from_latent_diffusion(const StateDict& tensors, const UNetOptions& options,
                                     bool new_attention_order = false);

/// A whole model's checkpoint with the averaged weights ("model_ema.", names without dots) in place
/// of those last trained.
/// \throws std::runtime_error if there are none, or one is missing
StateDict with_averaged_weights(const StateDict& checkpoint);

}  // namespace dermis
