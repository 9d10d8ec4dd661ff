#include "base64.hpp"

#include <cstdint>

#include "dermis/core/check.hpp"

namespace dermis::detail {

std::string base64_decoded(std::string_view text, const std::string& source) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    check_runtime(value != std::string_view::npos, "[tokenizer] ", source,
                  ": expected base64, got the character '", c, "'");
    held = held << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(held >> bits & 0xFFU);
  }
  return bytes;
}

}  // namespace dermis::detail
