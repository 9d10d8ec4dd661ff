#include "dermis/text/vocabulary.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "dermis/core/check.hpp"
#include "unicode.hpp"
#include "utf8.hpp"
#include "words.hpp"

namespace dermis {
namespace {

struct Counts {
  std::map<std::string, std::int64_t> words, marks;  ///< words with the space's mark in front
  std::set<std::string> characters;
  std::int64_t total = 0;
};

void count_word(Counts& counts, std::string word) {
  while (word.size() > 1 && std::ispunct(static_cast<unsigned char>(word.back()))) {
    ++counts.marks[word.substr(word.size() - 1)];
    ++counts.total;
    word.pop_back();
  }
  ++counts.words[std::string(detail::space_mark) + word];
  ++counts.total;
  for (std::size_t at = 0; at < word.size();) {
    const auto bytes = detail::code_point(word, at).bytes;
    counts.characters.insert(word.substr(at, bytes));
    at += bytes;
  }
}

Counts counted(const std::vector<std::string>& texts) {
  Counts counts;
  for (const auto& words : texts) {
    std::istringstream stream(detail::lower_case(detail::repaired_utf8(words)));
    for (std::string word; stream >> word;) count_word(counts, word);
  }
  for (const auto& mark : counts.marks) counts.characters.erase(mark.first);
  counts.characters.insert(std::string(detail::space_mark));
  return counts;
}

/// The most frequent words, those of one count in the order of their bytes.
std::vector<std::pair<std::string, std::int64_t>> frequent(const Counts& counts,
                                                           const VocabularyOptions& options) {
  std::vector<std::pair<std::string, std::int64_t>> words;
  for (const auto& entry : counts.words)
    if (entry.second >= options.least_count) words.push_back(entry);
  std::stable_sort(words.begin(), words.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  words.resize(std::min(words.size(), static_cast<std::size_t>(options.words)));
  return words;
}

Json pieces_of(const Counts& counts, const VocabularyOptions& options) {
  Json pieces = Json::array();
  const auto add = [&](const std::string& piece, double score) {
    pieces.push_back(Json::array({piece, score}));
  };
  const auto total = static_cast<double>(counts.total);
  for (const char* special : {"<pad>", "</s>", "<unk>"}) add(special, 0);
  for (const auto& [word, count] : frequent(counts, options))
    add(word, std::log(static_cast<double>(count) / total));
  for (const auto& [mark, count] : counts.marks)
    add(mark, std::log(static_cast<double>(count) / total));
  // Below what any word has, so that spelling a known word never wins.
  for (const auto& character : counts.characters) add(character, std::log(0.5 / total));
  return pieces;
}

Json special_tokens() {
  Json tokens = Json::array();
  std::int64_t id = 0;
  for (const char* content : {"<pad>", "</s>", "<unk>"})
    tokens.push_back(Json::object({{"id", id++},
                                   {"content", content},
                                   {"single_word", false},
                                   {"lstrip", false},
                                   {"rstrip", false},
                                   {"normalized", false},
                                   {"special", true}}));
  return tokens;
}

Json behind_text() {
  const auto end = Json::object({{"id", "</s>"}, {"type_id", 0}});
  const auto piece = [](const char* id, int type) {
    return Json::object({{"Sequence", Json::object({{"id", id}, {"type_id", type}})}});
  };
  const auto token = Json::object({{"SpecialToken", end}});
  const auto ids = Json::object(
      {{"id", "</s>"}, {"ids", std::vector<int>{1}}, {"tokens", std::vector<std::string>{"</s>"}}});
  return Json::object({{"type", "TemplateProcessing"},
                       {"single", Json::array({piece("A", 0), token})},
                       {"pair", Json::array({piece("A", 0), token, piece("B", 0), token})},
                       {"special_tokens", Json::object({{"</s>", ids}})}});
}

Json at_spaces(const char* type) {
  return Json::object({{"type", type},
                       {"replacement", std::string(detail::space_mark)},
                       {"prepend_scheme", "always"},
                       {"split", true}});
}

}  // namespace

Json learned_vocabulary(const std::vector<std::string>& texts, const VocabularyOptions& options) {
  check_argument(options.words >= 1 && options.least_count >= 1,
                 "[vocabulary] expected words and least_count of at least 1, got ", options.words,
                 " and ", options.least_count);
  const auto counts = counted(texts);
  check_argument(counts.total > 0, "[vocabulary] expected texts with words, got none in ",
                 texts.size(), " texts");
  const auto whitespace = Json::object({{"type", "WhitespaceSplit"}});
  return Json::object(
      {{"version", "1.0"},
       {"truncation", nullptr},
       {"padding", nullptr},
       {"added_tokens", special_tokens()},
       {"normalizer", Json::object({{"type", "Lowercase"}})},
       {"pre_tokenizer",
        Json::object({{"type", "Sequence"},
                      {"pretokenizers", Json::array({whitespace, at_spaces("Metaspace")})}})},
       {"post_processor", behind_text()},
       {"decoder", at_spaces("Metaspace")},
       {"model", Json::object({{"type", "Unigram"},
                               {"unk_id", 2},
                               {"vocab", pieces_of(counts, options)},
                               {"byte_fallback", false}})}});
}

}  // namespace dermis
