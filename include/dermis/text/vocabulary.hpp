#pragma once
/// \file
/// A small vocabulary learned from texts, for text encoders that are trained from scratch on few of
/// them. LibTorch-free.

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis {

struct VocabularyOptions {
  std::int64_t words = 4000;     ///< different words at most, the most frequent ones
  std::int64_t least_count = 2;  ///< a word is taken that occurs so often
};

/// A tokenizer.json of the Unigram kind that T5 has (see parse_tokenizer_json; Python's tokenizers
/// reads it too), in lower case: <pad> 0, </s> 1 behind every text, <unk> 2, then the words of
/// `texts`, punctuation apart, with the logarithm of their share as score, and every character that
/// occurs, for the words that are not in it. The same texts in any order give the same file. Throws
/// std::invalid_argument for texts without a word or options below 1.
Json learned_vocabulary(const std::vector<std::string>& texts,
                        const VocabularyOptions& options = {});

}  // namespace dermis
