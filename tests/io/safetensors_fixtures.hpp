#pragma once
/// \file
/// Safetensors files byte by byte, for tests.

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "dermis/io/safetensors.hpp"

namespace dermis::test {

template <class T>
TensorView view_of(TensorType type, const std::vector<T>& values, std::vector<std::int64_t> shape) {
  return {type, std::move(shape), reinterpret_cast<const std::byte*>(values.data()),
          values.size() * sizeof(T)};
}

template <class T>
std::vector<T> values_of(const TensorView& view) {
  std::vector<T> values(view.bytes / sizeof(T));
  if (view.bytes > 0) std::memcpy(values.data(), view.data, view.bytes);
  return values;
}

inline std::string little_endian(std::uint64_t value) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

/// A file of this header and so many bytes of data.
inline std::string file_of(const std::string& header, std::size_t data_bytes) {
  return little_endian(header.size()) + header + std::string(data_bytes, 'd');
}

/// "name":{...}
inline std::string entry(const std::string& name, const std::string& dtype,
                         const std::string& shape, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

}  // namespace dermis::test
