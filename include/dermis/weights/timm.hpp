#pragma once
/// \file
/// timm's VisionTransformer: its tensors and its configuration, both ways.

#include "dermis/models/vit.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis {

/// Tensors of a timm VisionTransformer for our ViT. The names are the same; what our ViT does not
/// have is refused.
/// \param source  usually the file, named in errors
/// \throws std::runtime_error naming the unknown tensors and, if it can be told, whose file it is
StateDict vit_from_timm(const StateDict& tensors, const std::string& source = "weights");

/// Tensors of our ViT as timm names them (load_state_dict, or model.safetensors beside
/// config.json).
StateDict vit_to_timm(const StateDict& tensors);

/// Options from the keyword arguments of timm's VisionTransformer (img_size, patch_size, in_chans,
/// num_classes, global_pool, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, init_values,
/// drop_path_rate), or from a model's config.json, which has `architecture`
/// (vit_<tiny|small|base|large|huge>_patch<P>_<S>), num_classes, global_pool and model_args. A
/// missing argument has timm's default.
/// \throws std::runtime_error naming a key that our ViT cannot express, or on a value of the wrong
///         type
ViTOptions vit_options_from_timm(const Json& config);

/// A config.json with which timm builds the model: timm.create_model("local-dir:FOLDER"), weights
/// in FOLDER/model.safetensors. The keyword arguments are under model_args.
/// \throws std::invalid_argument if norm_eps is not timm's 1e-6
Json vit_options_to_timm(const ViTOptions& options);

}  // namespace dermis
