#pragma once
/// \file
/// Text to token ids, as the text encoders of published models expect them: CLIP's byte-level BPE
/// and T5's unigram model, from the files that come with the weights. Ids equal those of Python's
/// transformers, tokenizers and sentencepiece. LibTorch-free.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dermis {

/// Ids of one length, for an encoder that takes that many.
struct TokenIds {
  std::vector<std::int64_t> ids;   ///< cut or padded
  std::vector<std::int64_t> mask;  ///< 1 token, 0 padding
  std::int64_t cut = 0;            ///< tokens of the text that did not fit: 0 = all of it is there
};

/// A tokenizer, read from files. A cheap value; const members are thread-safe.
///
///     Tokenizer tokenizer = read_tokenizer("flux/tokenizer");
///     auto ids = tokenizer.encode("a benign mole", 77);
class Tokenizer {
 public:
  /// Ids of a text with the tokens that belong before and after it. Any bytes: what is no UTF-8
  /// counts as U+FFFD. Special tokens written in the text are taken as such, but not by a
  /// sentencepiece model. An empty text is the tokens around it.
  std::vector<std::int64_t> encode(std::string_view text) const;
  /// The same, `length` long: the text's last tokens are cut, the tokens around it stay. A length
  /// below theirs is std::invalid_argument.
  TokenIds encode(std::string_view text, std::int64_t length) const;
  /// Ids of the text alone.
  std::vector<std::int64_t> tokenize(std::string_view text) const;

  /// One above the largest id: rows that the encoder's table needs at least.
  std::int64_t vocabulary_size() const;
  std::int64_t pad_id() const;
  std::int64_t eos_id() const;  ///< the last token after a text

  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state);  ///< for the functions below

 private:
  std::shared_ptr<const State> state_;
};

/// A tokenizer.json of the tokenizers library, of CLIP (BPE on bytes) or T5 (Unigram). What it asks
/// for and we cannot do is refused by its key.
/// All readers throw std::runtime_error in one line that names the file for what is damaged.
Tokenizer read_tokenizer_json(const std::filesystem::path& path);
/// The same of a text; `source` is named in errors.
Tokenizer parse_tokenizer_json(std::string_view text, const std::string& source);

/// CLIP's vocab.json (piece to id) and merges.txt (a line a merge). They must hold
/// <|startoftext|> and <|endoftext|>; the latter is also padding and what is unknown.
Tokenizer read_clip_tokenizer(const std::filesystem::path& vocab,
                              const std::filesystem::path& merges);

/// T5's spiece.model, a Unigram model of sentencepiece. `extra_ids` tokens <extra_id_k> follow its
/// pieces in the vocabulary's size; they are not looked for in texts.
Tokenizer read_sentencepiece(const std::filesystem::path& path, std::int64_t extra_ids = 100);
/// The same of a file's bytes; `source` is named in errors.
Tokenizer parse_sentencepiece(std::string_view bytes, const std::string& source,
                              std::int64_t extra_ids = 100);

/// What a folder of a published model holds: tokenizer.json, else vocab.json and merges.txt, else
/// spiece.model. The padding is that of tokenizer_config.json where that is there.
Tokenizer read_tokenizer(const std::filesystem::path& folder);

}  // namespace dermis
