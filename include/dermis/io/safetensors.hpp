#pragma once
/// \file
/// The safetensors format (https://github.com/huggingface/safetensors): named tensors in one file,
/// read without copying, written atomically. LibTorch-free; io/tensors.hpp makes tensors of the
/// views.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dermis {

/// Element types of the format. Those whose elements share bytes (F4, F6_E2M3, F6_E3M2) are refused
/// by name.
enum class TensorType {
  F64,
  F32,
  F16,
  BF16,
  I64,
  I32,
  I16,
  I8,
  U8,
  Bool,
  U64,
  U32,
  U16,
  C64,  ///< complex, two F32
  F8_E4M3,
  F8_E5M2,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  F8_E8M0
};

/// Bytes of one element.
std::size_t element_size(TensorType type);
/// The name in the file: "F64", ..., "BOOL".
const char* type_name(TensorType type);

/// A contiguous row-major tensor that someone else owns.
struct TensorView {
  TensorType type = TensorType::F32;
  std::vector<std::int64_t> shape;  ///< empty: a scalar
  const std::byte* data =
      nullptr;  ///< little-endian; in files of other writers perhaps not aligned to the element
  std::size_t bytes = 0;  ///< product of shape times element_size
};

/// A safetensors file mapped into memory. Views stay valid while the file object (or a copy of it)
/// lives, also when another process replaces the file by a rename; a file that is truncated in
/// place while mapped is the user's mistake. What is written through a view stays in this process.
///
/// The file is distrusted, and nothing is allocated on its word: the header's length (at most 100
/// MB), its JSON (UTF-8, three levels, no key twice, no other keys), names (4096 bytes, no control
/// characters), at most 200 000 tensors of at most 8 dimensions, dtypes, integers, overflow of the
/// shape's product, offsets in range, no overlap, no hole, no trailing bytes; each fault is a
/// std::runtime_error naming file and tensor. Files of Python objects (.pt, .pth, .bin, .ckpt, or
/// what begins as they do) are refused with the way to convert them.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  /// Names in the order of the header.
  const std::vector<std::string>& names() const { return names_; }
  /// std::runtime_error naming file and tensor if there is none of that name.
  const TensorView& at(const std::string& name) const;
  bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::string path_;
  std::shared_ptr<const void> mapping_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Writes atomically (see core/file.hpp), streaming: no second copy of the data in memory. The
/// header keeps the given order and is padded with spaces to 8 bytes; the data is laid out by
/// falling element size, so that each tensor is aligned. A name twice, "__metadata__", or bytes
/// that do not fit the shape are std::invalid_argument.
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, TensorView>>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace dermis
