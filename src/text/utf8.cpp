#include "utf8.hpp"

#include <algorithm>

namespace dermis::detail {
namespace {

/// Bounds of the second byte by the first: no overlong forms, no surrogates, nothing above 10FFFF.
std::pair<unsigned, unsigned> second_byte(unsigned first) {
  switch (first) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {0x80, 0xBF};
  }
}

}  // namespace

CodePoint code_point(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  if (first < 0x80) return {first, 1, true};
  if (first < 0xC2 || first > 0xF4) return {};
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const auto [low, high] = second_byte(first);
  char32_t value = first & (0xFFU >> (length + 1));
  std::size_t read = 1;
  for (; read < length && at + read < text.size(); ++read) {
    const unsigned next = byte(at + read);
    if (next < (read == 1 ? low : 0x80U) || next > (read == 1 ? high : 0xBFU)) break;
    value = value << 6 | (next & 0x3FU);
  }
  return read == length ? CodePoint{value, length, true}
                        : CodePoint{replacement_character, read, false};
}

void append_utf8(std::string& text, char32_t value) {
  const auto tail = [&](int shift) {
    text += static_cast<char>(0x80U | ((value >> shift) & 0x3FU));
  };
  if (value < 0x80) {
    text += static_cast<char>(value);
  } else if (value < 0x800) {
    text += static_cast<char>(0xC0U | (value >> 6));
    tail(0);
  } else if (value < 0x10000) {
    text += static_cast<char>(0xE0U | (value >> 12));
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xF0U | (value >> 18));
    tail(12), tail(6), tail(0);
  }
}

std::string repaired_utf8(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto next = code_point(text, at);
    append_utf8(result, next.value);
    at += next.bytes;
  }
  return result;
}

std::u32string code_points(std::string_view text) {
  std::u32string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto next = code_point(text, at);
    result += next.value;
    at += next.bytes;
  }
  return result;
}

}  // namespace dermis::detail
