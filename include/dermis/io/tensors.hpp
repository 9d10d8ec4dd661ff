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
#include "dermis/io/shards.hpp"

namespace dermis {

/// Named tensors in a fixed order.
using StateDict = std::vector<std::pair<std::string, at::Tensor>>;

/// What a safetensors file, or several, hold.
struct TensorFile {
  StateDict tensors;                            ///< in the order of the file, on the CPU
  std::map<std::string, std::string> metadata;  ///< the `__metadata__` strings; of shards the union
};

/// Reads every tensor of a safetensors file, of an index (`*.index.json`) or of a folder, see
/// open_safetensors, into memory of its own: the file may change afterwards.
/// \throws std::runtime_error if the file is missing or damaged
TensorFile read_tensors(const std::filesystem::path& path);

/// The same without a copy, where the file has a tensor's elements aligned: tensors share the
/// mapped pages, which are read when they are used. Writing to such a tensor changes this process's
/// pages, never the file. The file may be deleted or replaced by a rename, but not be truncated or
/// written in place while a tensor lives.
TensorFile map_tensors(const std::filesystem::path& path);

/// Writes `tensors` (any device, any strides) as safetensors: beside, then renamed, so that a file
/// is whole or absent.
/// \throws std::invalid_argument on a duplicate name, an undefined tensor or a type that
///         safetensors lacks
/// \throws std::runtime_error if the file cannot be written
void write_tensors(const std::filesystem::path& path, const StateDict& tensors,
                   const std::map<std::string, std::string>& metadata = {});

/// Writes `tensors` into `folder` as shards of limited size with their index, or as one file if
/// that is enough, see write_safetensors_shards; errors as write_tensors.
void write_tensor_shards(const std::filesystem::path& folder, const StateDict& tensors,
                         const ShardOptions& options = {},
                         const std::map<std::string, std::string>& metadata = {});

/// Parameters, then buffers, of the module and its children, named as in torch
/// ("blocks.0.attn.qkv.weight"). The tensors share memory with the module.
StateDict state_dict(const torch::nn::Module& module);

/// The strict load() of io/load.hpp: copies `values` into the equally named `targets`, all or none.
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
