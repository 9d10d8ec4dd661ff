#pragma once
/// \file
/// diffusers' AutoencoderKL (Stable Diffusion's and Flux's): its config.json, its tensors, its
/// folder.

#include "dermis/io/tensors.hpp"
#include "dermis/models/kl_vae.hpp"

namespace dermis {

/// Options of a KLVAE from a config.json. Keys that only training or a pipeline reads (dropout,
/// sample_size, force_upcast, tiling) are passed over.
/// \throws std::runtime_error naming the key whose value a KLVAE cannot express
KLVAEOptions vae_options_from_diffusers(const Json& config);
/// The same from the tensors alone: 32 groups in every norm, as all published files have; what is
/// in no tensor, the latent scale, stays 1.
/// \throws std::runtime_error naming `source` and a tensor that is missing or cannot be
KLVAEOptions vae_options_from_diffusers(const StateDict& tensors, const std::string& source);
/// The config.json of a KLVAE; std::invalid_argument if AutoencoderKL has no such model.
Json vae_options_to_diffusers(const KLVAEOptions& options);

/// Tensors under our names, which are diffusers' present ones: only the attention's names of older
/// files (query, key, value, proj_attn) change.
StateDict vae_from_diffusers(const StateDict& tensors);
/// The state dict of a KLVAE under diffusers' names.
StateDict vae_to_diffusers(const StateDict& tensors);

/// Reads a folder with config.json and diffusion_pytorch_model.safetensors (or its shards), the
/// sub-folder "vae" of a pipeline's, or one file of tensors, with the config.json that lies beside
/// it or from the tensors alone.
/// \throws std::runtime_error naming the file and what is missing, unexpected or of another shape
KLVAE load_diffusers_vae(const std::filesystem::path& path);
/// Writes such a folder, creating it; AutoencoderKL.from_pretrained reads it.
void save_diffusers_vae(const std::filesystem::path& folder, const KLVAE& vae);

}  // namespace dermis
