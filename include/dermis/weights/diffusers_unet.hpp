#pragma once
/// \file
/// diffusers' UNet2DModel and UNet2DConditionModel: config.json, tensors, folder.

#include "dermis/io/tensors.hpp"
#include "dermis/models/unet.hpp"

namespace dermis {

/// Options of a UNet from a config.json; a key cross_attention_dim makes it UNet2DConditionModel's.
/// That one's context is given to forward(); where it is a class token (LDM's cin256), set
/// class_token and num_classes. num_class_embeds counts our null class, the last label. Dropout and
/// sample_size are passed over.
/// \throws std::runtime_error naming the key whose value a UNet cannot express
UNetOptions unet_options_from_diffusers(const Json& config);
/// The config.json of a UNet; std::invalid_argument naming the option if diffusers has no such
/// model.
Json unet_options_to_diffusers(const UNetOptions& options);

/// Tensors under our names, which are diffusers' present ones: only the attention's names of older
/// files (query, key, value, proj_attn) change. `class_embedder` is the table of class tokens
/// [num_classes + 1, cross_attention_dim], which diffusers keeps outside of the network.
StateDict unet_from_diffusers(const StateDict& tensors, const at::Tensor& class_embedder = {});
/// The state dict of a UNet under diffusers' names, without the table of class tokens.
StateDict unet_to_diffusers(const StateDict& tensors);

/// Reads a folder with config.json, diffusion_pytorch_model.safetensors (or its shards) and, of
/// networks with a class token, class_embedder.safetensors (one tensor, "weight"); or the
/// sub-folder "unet" of a pipeline's. \throws std::runtime_error naming the file and what is
/// missing, unexpected or of another shape
UNet load_diffusers_unet(const std::filesystem::path& folder);
/// Writes such a folder, creating it; from_pretrained of the class that config.json names reads it.
void save_diffusers_unet(const std::filesystem::path& folder, const UNet& unet);

}  // namespace dermis
