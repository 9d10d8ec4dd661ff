#pragma once
/// \file
/// Reading an edge file, for model.cpp and file.cpp.

#include <filesystem>

#include "dermis/edge/manifest.hpp"
#include "dermis/io/safetensors.hpp"

namespace dermis::edge {

constexpr const char* manifest_key = "dermis.edge";
constexpr const char* checksum_key = "dermis.checksum";
constexpr const char* sha256_key = "dermis.sha256";

struct Content {
  SafetensorsFile file;
  Manifest manifest;
};

/// \throws std::runtime_error naming the file: missing, damaged, no edge file, other checksum
Content read_content(const std::filesystem::path& path);

/// What both sums cover, piece by piece: update(bytes).
template <class Sum>
void add_content(Sum& sum, const std::string& manifest,
                 const std::vector<std::pair<std::string, TensorView>>& tensors) {
  sum.update(manifest);
  for (const auto& [name, view] : tensors) {
    std::string head = name + '\n' + type_name(view.type);
    for (const std::int64_t extent : view.shape) head += ' ' + std::to_string(extent);
    sum.update(head + '\n');
    sum.update(view.data, view.bytes);
  }
}

/// The tensors of a file in its order.
std::vector<std::pair<std::string, TensorView>> tensors_of(const SafetensorsFile& file);

}  // namespace dermis::edge
