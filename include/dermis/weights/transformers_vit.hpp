#pragma once
/// \file
/// transformers' ViTModel and ViTForImageClassification: tensors and config.json, both ways.

#include "dermis/models/vit.hpp"
#include "dermis/weights/key_map.hpp"
#include "dermis/weights/row_map.hpp"

namespace dermis {

/// Tensors of a ViTForImageClassification (`vit.` in front) or a ViTModel (nothing in front) for
/// our ViT: query, key and value become qkv. Reads the published names and those that transformers
/// 5 has in memory. A ViTModel's pooler is left out: nothing of ours follows the final norm.
/// \param source  usually the file, named in errors
/// \throws std::runtime_error naming the unknown tensors and, if it can be told, whose file it is
StateDict vit_from_transformers(const StateDict& tensors, const std::string& source = "weights");

/// Tensors of our ViT under the published names: those of a ViTForImageClassification if there is a
/// head, else of ViTModel(config, add_pooling_layer=False).
/// \throws std::runtime_error if transformers has no place for a tensor (fc_norm, LayerScale)
StateDict vit_to_transformers(const StateDict& tensors);

/// Which layers of a ViTForImageClassification are which rows of ours, for adapters (see
/// apply_lora), under the names that transformers 5 has in memory.
/// \param published  under those of transformers 4 and of published files
RowMap transformers_vit_layers(const ViTOptions& options, bool published = false);

/// Options from config.json; what is missing has ViTConfig's default. num_classes is the number of
/// labels, and 0 if `architectures` names ViTModel.
/// \throws std::runtime_error naming a key that our ViT cannot express, or on a value of the wrong
///         type
ViTOptions vit_options_from_transformers(const Json& config);

/// A config.json with which transformers builds the model.
/// \param classes  names of the classes; empty: LABEL_0, LABEL_1, ...
/// \throws std::invalid_argument if transformers' ViT cannot express an option (mean_pooling,
///         layer_scale, drop_path)
Json vit_options_to_transformers(const ViTOptions& options,
                                 const std::vector<std::string>& classes = {});

}  // namespace dermis
