#pragma once
/// \file
/// transformers' ViTMAEForPreTraining: tensors and config.json, both ways.

#include "dermis/models/mae.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis {

/// Tensors of a ViTMAEForPreTraining for our MAE. Reads the published names, those that
/// transformers 5 has in memory, and those that 5.23 saves (`decoder_encoder.layer`).
/// \param source  usually the file, named in errors
/// \throws std::runtime_error naming the unknown tensors and, if it can be told, whose file it is
StateDict mae_from_transformers(const StateDict& tensors, const std::string& source = "weights");

/// Tensors of our MAE under the published names.
/// \throws std::runtime_error if transformers has no place for a tensor (LayerScale)
StateDict mae_to_transformers(const StateDict& tensors);

/// Options from config.json; what is missing has ViTMAEConfig's default.
/// \throws std::runtime_error naming a key that our MAE cannot express, or on a value of the wrong
///         type
MAEOptions mae_options_from_transformers(const Json& config);

/// A config.json with which transformers builds the model.
/// \throws std::invalid_argument if transformers' ViTMAE cannot express an option (layer_scale, an
///         image that is not square)
Json mae_options_to_transformers(const MAEOptions& options);

}  // namespace dermis
