#pragma once
/// \file
/// Weights that may lie in several safetensors files: `model-00001-of-00002.safetensors`, ... and
/// `model.safetensors.index.json`, whose weight_map says which shard holds which tensor, as
/// transformers and diffusers write them. LibTorch-free.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dermis/io/safetensors.hpp"

namespace dermis {

/// Opens what `path` stands for: a safetensors file, an index (`*.index.json`) with its shards in
/// the order of their names, or a folder that holds either of them under the name `model` or
/// `diffusion_pytorch_model`. No name is in two of the files that come back.
///
/// An index is distrusted as a file is. A shard is named by a plain file name beside the index
/// (a symbolic link is followed, since download caches consist of them); a missing shard, a tensor
/// that its shard lacks, one that lies in two shards, and a total_size that is not the tensors'
/// bytes are each a std::runtime_error naming index, shard and tensor. A tensor of a shard that
/// weight_map does not list is kept.
std::vector<SafetensorsFile> open_safetensors(const std::filesystem::path& path);

struct ShardOptions {
  std::uint64_t max_bytes = 5'000'000'000;  ///< of a shard's tensors; a larger tensor lies alone
  std::string stem = "model";               ///< or "diffusion_pytorch_model"
};

/// Writes tensors in their order into `folder`, which must exist: `stem.safetensors` if they fit
/// one shard, otherwise shards that hold `metadata` each, and then the index, so that a folder
/// without an index is an unfinished one. To never leave parts of two models beside one another,
/// a folder that holds a model of that stem already is a std::runtime_error. Tensors as in
/// write_safetensors.
void write_safetensors_shards(const std::filesystem::path& folder,
                              const std::vector<std::pair<std::string, TensorView>>& tensors,
                              const ShardOptions& options = {},
                              const std::map<std::string, std::string>& metadata = {});

}  // namespace dermis
