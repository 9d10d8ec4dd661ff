#pragma once
/// \file
/// What a tokenizer is made of, whichever file it comes from.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "added_tokens.hpp"
#include "dermis/core/json.hpp"
#include "dermis/text/tokenizer.hpp"

namespace dermis {

struct Tokenizer::State {
  bool normalise_repairs = false;     ///< normalise() takes damaged UTF-8
  detail::AddedTokens raw_tokens;     ///< looked for in the text as it is
  detail::AddedTokens normal_tokens;  ///< and in the normalised text
  std::function<std::string(std::string)> normalise;
  /// Words of a normalised text; true: it stands at the start of all.
  std::function<std::vector<std::string>(std::string_view, bool)> words;
  std::function<void(std::string_view, std::vector<std::int64_t>&)> pieces;  ///< ids of a word
  std::vector<std::int64_t> before, after;  ///< tokens around every text
  std::int64_t pad = 0;
  std::int64_t size = 0;  ///< of the vocabulary
};

namespace detail {

/// CLIP's or T5's padding among a vocabulary's pieces: <pad>, else <|endoftext|>, else -1.
template <class Vocabulary>
std::int64_t usual_padding(const Vocabulary& vocabulary) {
  for (const char* piece : {"<pad>", "<|endoftext|>"})
    if (const auto found = vocabulary.find(piece); found != vocabulary.end()) return found->second;
  return -1;
}

/// Of a tokenizer.json; `padding`: the name of the padding token, empty for the usual one.
Tokenizer tokenizer_of(const Json& json, const std::string& padding, const std::string& source);

}  // namespace detail
}  // namespace dermis
