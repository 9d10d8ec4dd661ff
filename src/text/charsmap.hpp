#pragma once
/// \file
/// The table by which sentencepiece normalises text: replacements of character sequences, kept as a
/// double-array trie (Darts) and the texts that it points to.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dermis::detail {

class Charsmap {
 public:
  /// `bytes`: size of the trie (uint32), its units (uint32 each), texts that end in NUL; all
  /// little-endian. Empty bytes change nothing. A damaged table is std::runtime_error naming
  /// `source`.
  Charsmap(std::string_view bytes, const std::string& source);

  /// What one step replaces, as sentencepiece does it.
  struct Step {
    std::string_view text;  ///< lives as long as the table and the input
    std::size_t bytes;      ///< of the input that it stands for, at least 1
  };
  /// The longest sequence of the table at the start of `text` (not empty), otherwise one character;
  /// a damaged byte becomes U+FFFD.
  Step next(std::string_view text) const;

  /// All of `text` (valid UTF-8) as the tokenizers library does it: a grapheme cluster below 6
  /// bytes as a whole, by the shortest sequence it begins with, otherwise each character so.
  std::string by_graphemes(std::string_view text) const;

 private:
  struct Match {
    std::size_t bytes = 0, text = 0;  ///< bytes 0: none
  };
  Match find(std::string_view text, bool longest) const;
  std::string_view text_at(std::size_t at) const { return texts_.c_str() + at; }

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

}  // namespace dermis::detail
