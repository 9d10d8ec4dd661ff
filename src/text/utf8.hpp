#pragma once
/// \file
/// UTF-8, whole or damaged, to and from code points.

#include <cstddef>
#include <string>
#include <string_view>

namespace dermis::detail {

constexpr char32_t replacement_character = 0xFFFD;

/// What stands at one place of a text.
struct CodePoint {
  char32_t value = replacement_character;  ///< that of damaged bytes
  std::size_t bytes = 1;  ///< of damaged text: what Unicode's D93b takes for one error
  bool valid = false;
};

/// `at` below text.size().
CodePoint code_point(std::string_view text, std::size_t at);

void append_utf8(std::string& text, char32_t value);

/// Damaged bytes replaced by U+FFFD, one an error, as Python's bytes.decode("utf-8", "replace").
std::string repaired_utf8(std::string_view text);

std::u32string code_points(std::string_view text);

}  // namespace dermis::detail
