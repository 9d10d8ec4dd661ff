#include "charsmap.hpp"

#include <cstring>

#include "dermis/core/check.hpp"
#include "unicode.hpp"
#include "utf8.hpp"

namespace dermis::detail {
namespace {

std::uint32_t little_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

// A unit of the trie: 8 bits of label, whether a text ends here, the distance to its children; or,
// as the child of label 0, the place of the text.
bool is_leaf(std::uint32_t unit) {
  return unit >> 31;
}
std::uint32_t leaf_value(std::uint32_t unit) {
  return unit & 0x7FFFFFFFU;
}
bool has_leaf(std::uint32_t unit) {
  return (unit >> 8) & 1U;
}
std::uint32_t label(std::uint32_t unit) {
  return unit & 0x800000FFU;
}
std::size_t offset(std::uint32_t unit) {
  return (unit >> 10) << ((unit & (1U << 9)) >> 6);
}

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const std::string& source) {
  if (bytes.empty()) return;
  check_runtime(bytes.size() >= 4, "[tokenizer] ", source,
                ": expected a charsmap of 4 bytes or more, got ", bytes.size());
  const std::size_t size = little_endian(bytes, 0);
  check_runtime(size % 4 == 0 && size > 0 && size < bytes.size() - 4, "[tokenizer] ", source,
                ": expected a charsmap whose trie fits its ", bytes.size(), " bytes, got ", size,
                " bytes of trie");
  for (std::size_t at = 4; at < 4 + size; at += 4) units_.push_back(little_endian(bytes, at));
  texts_ = bytes.substr(4 + size);
  check_runtime(texts_.back() == '\0', "[tokenizer] ", source,
                ": expected a charsmap that ends in NUL");
  for (const auto unit : units_)
    check_runtime(!is_leaf(unit) || leaf_value(unit) < texts_.size(), "[tokenizer] ", source,
                  ": expected a charsmap that points into its ", texts_.size(),
                  " bytes of text, got ", leaf_value(unit));
}

Charsmap::Match Charsmap::find(std::string_view text, bool longest) const {
  Match match;
  if (units_.empty()) return match;
  std::size_t node = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label(units_[node]) != byte) break;
    const auto unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size() || !is_leaf(units_[node])) break;
    match = {i + 1, leaf_value(units_[node])};
    if (!longest) break;
  }
  return match;
}

Charsmap::Step Charsmap::next(std::string_view text) const {
  if (const auto match = find(text, true); match.bytes > 0)
    return {text_at(match.text), match.bytes};
  const auto c = code_point(text, 0);
  if (!c.valid) return {"\xEF\xBF\xBD", 1};
  return {text.substr(0, c.bytes), c.bytes};
}

std::string Charsmap::by_graphemes(std::string_view text) const {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = grapheme_end(text, at);
    if (end - at < 6) {
      if (const auto match = find(text.substr(at, end - at), false); match.bytes > 0) {
        result += text_at(match.text);
        at = end;
        continue;
      }
    }
    while (at < end) {
      const auto c = text.substr(at, code_point(text, at).bytes);
      const auto match = find(c, false);
      result += match.bytes > 0 ? text_at(match.text) : c;
      at += c.size();
    }
  }
  return result;
}

}  // namespace dermis::detail
