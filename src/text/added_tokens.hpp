#pragma once
/// \file
/// Tokens that are looked for in a text before it is cut into pieces.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dermis::detail {

struct AddedToken {
  std::string text;
  std::int64_t id = 0;
  bool normalised = false;   ///< looked for in the normalised text, otherwise in the text as it is
  bool strip_left = false;   ///< takes the white space before it along
  bool strip_right = false;  ///< and behind it
};

class AddedTokens {
 public:
  AddedTokens() = default;
  /// Tokens must not be empty.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  /// A token's id, or a text between tokens (id -1).
  struct Part {
    std::string_view text;
    std::int64_t id = -1;
  };
  /// The parts of a text: the leftmost tokens, of several at one place the longest.
  std::vector<Part> split(std::string_view text) const;

 private:
  const AddedToken* token_at(std::string_view text) const;

  std::array<std::vector<AddedToken>, 256> by_first_;  ///< by first byte, longest first
};

}  // namespace dermis::detail
