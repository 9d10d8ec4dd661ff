#pragma once
/// \file
/// Byte-pair encoding with marked ends of words (Sennrich et al. 2016; CLIP's variant on bytes).

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dermis::detail {

using Vocabulary = std::unordered_map<std::string, std::int64_t>;

/// Every byte as a printable character, GPT-2's table: "é" becomes "Ã©". UTF-8.
std::string printable_bytes(std::string_view word);

class BytePair {
 public:
  /// `merges`: what joins what, first come first served; both and what they make must be in the
  /// vocabulary, otherwise std::runtime_error naming `source`. `unknown` is the id of characters
  /// that are not, -1: they are left out.
  BytePair(Vocabulary vocabulary, const std::vector<std::pair<std::string, std::string>>& merges,
           std::string end_of_word, std::int64_t unknown, const std::string& source);

  /// Appends the ids of a word of printable bytes.
  void append(std::string_view word, std::vector<std::int64_t>& ids) const;

 private:
  struct Merge {
    std::int64_t rank, id;
  };
  struct Symbol {
    std::int64_t id, before, after;  ///< neighbours, -1 at the ends; id -1: merged away
  };
  std::vector<Symbol> symbols_of(std::string_view word) const;
  const Merge* merge_of(std::int64_t a, std::int64_t b) const;

  Vocabulary vocabulary_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::string end_of_word_;
  std::int64_t unknown_;
};

}  // namespace dermis::detail
