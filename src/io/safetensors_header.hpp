#pragma once
/// \file
/// What io/safetensors.cpp and io/shards.cpp share: types, limits and checks of the format, and the
/// parser of a file's bytes, which trusts none of them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dermis/io/safetensors.hpp"

namespace dermis::detail {

struct TensorTypeInfo {
  TensorType type;
  const char* name;
  std::size_t size;
};

/// Every element type of the format that fills whole bytes.
constexpr std::array<TensorTypeInfo, 19> tensor_types{{{TensorType::F64, "F64", 8},
                                                       {TensorType::F32, "F32", 4},
                                                       {TensorType::F16, "F16", 2},
                                                       {TensorType::BF16, "BF16", 2},
                                                       {TensorType::I64, "I64", 8},
                                                       {TensorType::I32, "I32", 4},
                                                       {TensorType::I16, "I16", 2},
                                                       {TensorType::I8, "I8", 1},
                                                       {TensorType::U8, "U8", 1},
                                                       {TensorType::Bool, "BOOL", 1},
                                                       {TensorType::U64, "U64", 8},
                                                       {TensorType::U32, "U32", 4},
                                                       {TensorType::U16, "U16", 2},
                                                       {TensorType::C64, "C64", 8},
                                                       {TensorType::F8_E4M3, "F8_E4M3", 1},
                                                       {TensorType::F8_E5M2, "F8_E5M2", 1},
                                                       {TensorType::F8_E4M3FNUZ, "F8_E4M3FNUZ", 1},
                                                       {TensorType::F8_E5M2FNUZ, "F8_E5M2FNUZ", 1},
                                                       {TensorType::F8_E8M0, "F8_E8M0", 1}}};

/// Where a file ends to be one that people make. Reader and writer keep to them alike.
constexpr std::uint64_t max_header_bytes = 100'000'000;  // as the reference implementation
constexpr std::size_t max_tensors = 200'000;             // a tensor costs more memory than text
constexpr std::size_t max_rank = 8;
constexpr std::size_t max_name_bytes = 4096;

/// What is wrong with a tensor's name, as the end of "expected a name ", or "".
std::string name_fault(const std::string& name);

/// Bytes of a tensor; false if they, or the strides, do not fit 63 bits. Extents are not negative.
bool shape_bytes(const std::vector<std::int64_t>& shape, std::size_t element, std::uint64_t& bytes);

/// "[2,3]"
std::string shape_text(const std::vector<std::int64_t>& shape);

/// Throws std::invalid_argument unless write_safetensors can write these.
void check_tensors(const std::vector<std::pair<std::string, TensorView>>& tensors);

/// Whether Python programs save their objects under such names: .pt, .pth, .bin, .ckpt.
bool is_pickle_name(const std::filesystem::path& path);
constexpr const char* pickle_advice =
    "such files can run code when opened, so dermis does not read them; convert it once with "
    "safetensors.torch.save_file, see docs/weights.md";

struct SafetensorsContent {
  std::vector<std::pair<std::string, TensorView>> tensors;  ///< in the order of the header
  std::map<std::string, std::string> metadata;
};

/// Reads the `size` bytes of a whole file, at which the views then point. Each fault is a
/// std::runtime_error that names `file`.
SafetensorsContent parse_safetensors(const std::byte* bytes, std::size_t size,
                                     const std::string& file);

}  // namespace dermis::detail
