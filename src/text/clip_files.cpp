/// \file
/// CLIP's vocab.json and merges.txt.

#include "clip_files.hpp"
#include "byte_pair.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"
#include "tokenizer_state.hpp"
#include "unicode.hpp"
#include "words.hpp"

namespace dermis {

namespace detail {

Vocabulary vocabulary_of(const Json& pieces, const std::string& source) {
  Vocabulary vocabulary;
  check_runtime(pieces.is_object(), "[tokenizer] ", source, ": expected an object of pieces");
  for (const auto& [piece, id] : pieces.items()) {
    check_runtime(
        id.is_integer() && id.get<std::int64_t>() >= 0 && id.get<std::int64_t>() < id_limit,
        "[tokenizer] ", source, ": expected ids in 0..", id_limit - 1, ", got ", id.dump(),
        " for '", piece, "'");
    vocabulary.emplace(piece, id.get<std::int64_t>());
  }
  return vocabulary;
}

std::int64_t size_of(const Vocabulary& vocabulary) {
  std::int64_t size = 0;
  for (const auto& entry : vocabulary) size = std::max(size, entry.second + 1);
  return size;
}

Merge merge_of(std::string_view line, const std::string& source) {
  const auto space = line.find(' ');
  check_runtime(space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                    line.find(' ', space + 1) == std::string_view::npos,
                "[tokenizer] ", source, ": expected a merge of two pieces, got '", line, "'");
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

}  // namespace detail

namespace {

using detail::Merge;

std::vector<Merge> read_merges(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<Merge> merges;
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    at = end + 1;
    ++number;
    if (line.substr(0, 8) == "#version" || line.empty()) continue;
    merges.push_back(detail::merge_of(line, dermis::text(path.string(), ":", number)));
  }
  return merges;
}

}  // namespace

Tokenizer read_clip_tokenizer(const std::filesystem::path& vocab,
                              const std::filesystem::path& merges) {
  const auto source = vocab.string();
  const auto vocabulary = detail::vocabulary_of(Json::read(vocab), source);
  const auto special = [&](const std::string& piece) {
    const auto found = vocabulary.find(piece);
    check_runtime(found != vocabulary.end(), "[tokenizer] ", source, ": expected '", piece,
                  "' in the vocabulary");
    return found->second;
  };
  const std::vector<std::string> whole{"<|startoftext|>", "<|endoftext|>"};
  Tokenizer::State state;
  state.before = {special(whole[0])};
  state.after = {special(whole[1])};
  state.pad = state.after[0];
  state.size = detail::size_of(vocabulary);
  state.raw_tokens = detail::AddedTokens({{whole[0], state.before[0]}, {whole[1], state.after[0]}});
  state.normalise = [](const std::string& text) {
    return detail::lower_case(
        detail::replace_runs(detail::compose(text), detail::is_space, 1, " "));
  };
  state.words = [whole](std::string_view text, bool) { return detail::clip_words(text, whole); };
  const auto model = std::make_shared<detail::BytePair>(vocabulary, read_merges(merges), "</w>",
                                                        state.pad, merges.string());
  state.pieces = [model](std::string_view word, std::vector<std::int64_t>& ids) {
    model->append(word, ids);
  };
  return Tokenizer(std::make_shared<const Tokenizer::State>(std::move(state)));
}

}  // namespace dermis
