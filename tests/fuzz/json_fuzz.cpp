/// \file
/// A JSON text: options, indices, metadata. What is accepted reads back equal.

#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "dermis/core/json.hpp"
#include "planted.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dermis::Json json;
  try {
    json = dermis::Json::parse({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const std::runtime_error&) {
    return 0;  // refused, as it may be; another exception is a finding
  }
  dermis::fuzz::require(dermis::Json::parse(json.dump(), "dump") == json);
  dermis::fuzz::require(dermis::Json::parse(json.dump(2), "dump") == json);
  dermis::fuzz::planted_overflow(json.size(), 3);
  return 0;
}
