/// \file
/// A whole safetensors file: header and layout. What is accepted covers its data exactly.

#include <cstdint>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "dermis/core/check.hpp"
#include "io/safetensors_header.hpp"
#include "planted.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// A true file of up to four small tensors: byte by byte libFuzzer would hardly ever make one whose
/// shapes, types and offsets agree.
std::string true_file(std::minstd_rand& random) {
  std::string header = "{\"__metadata__\":{\"k\":\"v\"}";
  std::size_t end = 0;
  for (std::size_t tensor = random() % 5; tensor > 0; --tensor) {
    const auto& type = dermis::detail::tensor_types[random() % dermis::detail::tensor_types.size()];
    std::vector<std::int64_t> shape;
    for (std::size_t rank = random() % 9; rank > 0; --rank) shape.push_back(random() % 3);
    std::uint64_t bytes = 0;
    dermis::detail::shape_bytes(shape, type.size, bytes);
    header += dermis::text(",\"", static_cast<char>('a' + tensor), "\":{\"dtype\":\"", type.name,
                           "\",\"shape\":", dermis::detail::shape_text(shape),
                           ",\"data_offsets\":[", end, ",", end + bytes, "]}");
    end += bytes;
  }
  return std::string(8, '\0') + header + "}" + std::string(end, 'd');
}

/// One time in eight another true file, otherwise bytes changed as libFuzzer does; the length of
/// the header mostly repaired, since few inputs would get past it.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  std::minstd_rand random(seed);
  if (random() % 8 == 0) {
    const std::string file = true_file(random);
    if (file.size() <= max_size) size = file.copy(reinterpret_cast<char*>(data), file.size());
  } else {
    size = LLVMFuzzerMutate(data, size, max_size);
    if (random() % 4 == 0) return size;
  }
  std::size_t end = size;  // of the header
  while (end > 8 && data[end - 1] != '}') --end;
  if (end <= 8) return size;
  for (int i = 0; i < 8; ++i) data[i] = static_cast<std::uint8_t>((end - 8) >> (8 * i));
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using dermis::fuzz::require;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  dermis::detail::SafetensorsContent content;
  try {
    content = dermis::detail::parse_safetensors(bytes, size, "input");
  } catch (const std::runtime_error&) {
    return 0;  // refused, as it may be; another exception is a finding
  }
  std::set<std::string> names;
  std::size_t held = 0;
  [[maybe_unused]] volatile unsigned sum = 0;
  for (const auto& [name, view] : content.tensors) {
    require(names.insert(name).second);
    require(view.data >= bytes && view.data + view.bytes <= bytes + size);
    for (std::size_t i = 0; i < view.bytes; ++i)
      sum = sum + std::to_integer<unsigned>(view.data[i]);
    held += view.bytes;
    dermis::fuzz::planted_overflow(view.shape.size(), 3);
  }
  require(held + 8 <= size);
  return 0;
}
