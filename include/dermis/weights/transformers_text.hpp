#pragma once
/// \file
/// transformers' T5EncoderModel and CLIPTextModel: tensors and config.json.

#include <filesystem>

#include "dermis/models/clip_text.hpp"
#include "dermis/models/t5.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis {

/// Tensors of a T5EncoderModel, or of a whole T5 whose decoder is left out, for our encoder.
/// \param source  usually the file, named in errors
/// \throws std::runtime_error naming the unknown tensors and, if it can be told, whose file it is
StateDict t5_from_transformers(const StateDict& tensors, const std::string& source = "weights");
/// Tensors of our encoder under the names of a T5EncoderModel.
StateDict t5_to_transformers(const StateDict& tensors);
/// Options from config.json; what is missing has T5Config's default.
/// \throws std::runtime_error naming a key that our encoder cannot express
T5Options t5_options_from_transformers(const Json& config);

/// Tensors of a CLIPTextModel or CLIPTextModelWithProjection, under the published names
/// (`text_model.` in front) or those of transformers 5's memory; of a whole CLIP, the part for
/// images is left out.
StateDict clip_text_from_transformers(const StateDict& tensors,
                                      const std::string& source = "weights");
/// Tensors of our encoder under the published names.
StateDict clip_text_to_transformers(const StateDict& tensors);
/// Options from config.json of a text encoder, or the `text_config` in that of a whole CLIP. The
/// projection is that of a model whose `architectures` name one with projection, otherwise 0.
ClipTextOptions clip_text_options_from_transformers(const Json& config);

/// Sizes as the shapes of our encoder's tensors tell them. What they do not tell is as in all
/// published T5 v1.1 (max_distance 128, norm_eps 1e-6), and as in OpenAI's CLIP (heads of 64, the
/// quick GELU, the largest id ends a text). std::runtime_error naming `source` if a tensor is
/// missing.
T5Options t5_options_of(const StateDict& tensors, const std::string& source);
ClipTextOptions clip_text_options_of(const StateDict& tensors, const std::string& source);

/// Reads a folder with config.json and weights (model.safetensors, or shards with their index), or
/// a safetensors file alone, as t5xxl_fp16.safetensors and clip_l.safetensors, whose sizes are
/// those of its shapes. The model is in evaluation mode; a projection that config.json does not ask
/// for is left out. Throws std::runtime_error that names the file.
T5Encoder read_t5_encoder(const std::filesystem::path& path,
                          const ParameterOptions& parameters = {});
ClipText read_clip_text(const std::filesystem::path& path, const ParameterOptions& parameters = {});

}  // namespace dermis
