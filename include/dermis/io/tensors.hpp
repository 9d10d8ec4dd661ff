#pragma once
/// \file
/// Tensors on disk: state dicts to and from safetensors, and typed model files that say what they
/// hold.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis {

/// Named tensors in a fixed order.
using StateDict = std::vector<std::pair<std::string, at::Tensor>>;

/// What a safetensors file holds.
struct TensorFile {
  StateDict tensors;                            ///< in the order of the file, on the CPU
  std::map<std::string, std::string> metadata;  ///< the `__metadata__` strings
};

/// Reads every tensor of a safetensors file into memory of its own: the file may change afterwards.
/// \throws std::runtime_error if the file is missing or damaged
TensorFile read_tensors(const std::filesystem::path& path);

/// Writes `tensors` (any device, any strides) as safetensors: beside, then renamed, so that a file
/// is whole or absent.
/// \throws std::invalid_argument on a duplicate name, an undefined tensor or a type that
///         safetensors lacks
/// \throws std::runtime_error if the file cannot be written
void write_tensors(const std::filesystem::path& path, const StateDict& tensors,
                   const std::map<std::string, std::string>& metadata = {});

/// Parameters, then buffers, of the module and its children, named as in torch
/// ("blocks.0.attn.qkv.weight"). The tensors share memory with the module.
StateDict state_dict(const torch::nn::Module& module);

/// Copies `values` into the equally named `targets`. All checks come first, so that targets are
/// changed as a whole or not at all: the names must be the same set, the shapes equal, and the
/// types equal or both floating point.
/// \param source  named in the error, usually the file
/// \throws std::runtime_error once, listing every missing, unexpected and mismatched key (shortened
///         after ten a kind)
void copy_tensors(const StateDict& targets, const StateDict& values, const std::string& source);

/// copy_tensors into all parameters and buffers of `module`.
void load_state_dict(torch::nn::Module& module, const StateDict& values, const std::string& source);

/// The entries whose names begin with `prefix`, without it.
StateDict without_prefix(const StateDict& tensors, const std::string& prefix);
/// Appends `tensors` to `target`, each name behind `prefix`.
void append(StateDict& target, const StateDict& tensors, const std::string& prefix = "");

/// 16 hexadecimal digits that depend on names, types, shapes and every byte; for noticing damage,
/// not for security.
std::string fingerprint(const StateDict& tensors);

/// A model file: weights and what is needed to build the module for them.
struct ModelFile {
  std::string architecture;  ///< "vit", "kl_vae", ...
  Json options;              ///< the options the module was built from
  Json extra;                ///< class names, normalisation, latent scale, ...
  StateDict tensors;
};

/// Writes the state dict of `module` with `architecture`, `options` and `extra` as metadata
/// ("dermis.architecture", "dermis.options", "dermis.extra"), atomically.
void save_model(const std::filesystem::path& path, const torch::nn::Module& module,
                const std::string& architecture, const Json& options, const Json& extra);

/// Reads what save_model wrote.
/// \param expected_architecture  "" accepts any
/// \throws std::runtime_error naming the file if it is no model file or of another architecture
ModelFile read_model_file(const std::filesystem::path& path,
                          const std::string& expected_architecture);

}  // namespace dermis
