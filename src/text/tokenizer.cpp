#include "dermis/text/tokenizer.hpp"

#include <algorithm>

#include "dermis/core/check.hpp"
#include "dermis/core/json.hpp"
#include "tokenizer_state.hpp"
#include "utf8.hpp"

namespace dermis {

Tokenizer::Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}

std::vector<std::int64_t> Tokenizer::tokenize(std::string_view text) const {
  std::vector<std::int64_t> ids;
  const std::string whole =
      state_->normalise_repairs ? std::string(text) : detail::repaired_utf8(text);
  bool first = true;
  for (const auto& raw : state_->raw_tokens.split(whole)) {
    if (raw.id >= 0) {
      ids.push_back(raw.id);
    } else {
      const std::string normal = state_->normalise(std::string(raw.text));
      for (const auto& part : state_->normal_tokens.split(normal)) {
        if (part.id >= 0) {
          ids.push_back(part.id);
        } else {
          for (const auto& word : state_->words(part.text, first)) state_->pieces(word, ids);
        }
        first = false;
      }
    }
    first = false;
  }
  return ids;
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text) const {
  auto ids = tokenize(text);
  ids.insert(ids.begin(), state_->before.begin(), state_->before.end());
  ids.insert(ids.end(), state_->after.begin(), state_->after.end());
  return ids;
}

TokenIds Tokenizer::encode(std::string_view text, std::int64_t length) const {
  const auto around = static_cast<std::int64_t>(state_->before.size() + state_->after.size());
  check_argument(length >= around, "[tokenizer] expected a length of at least ", around,
                 ", which the tokens around a text take, got ", length);
  auto inner = tokenize(text);
  TokenIds result;
  result.cut = std::max<std::int64_t>(0, static_cast<std::int64_t>(inner.size()) + around - length);
  inner.resize(inner.size() - static_cast<std::size_t>(result.cut));
  result.ids = state_->before;
  result.ids.insert(result.ids.end(), inner.begin(), inner.end());
  result.ids.insert(result.ids.end(), state_->after.begin(), state_->after.end());
  result.mask.assign(result.ids.size(), 1);
  result.ids.resize(static_cast<std::size_t>(length), state_->pad);
  result.mask.resize(static_cast<std::size_t>(length), 0);
  return result;
}

std::int64_t Tokenizer::vocabulary_size() const {
  return state_->size;
}

std::int64_t Tokenizer::pad_id() const {
  return state_->pad;
}

std::int64_t Tokenizer::eos_id() const {
  return state_->after.empty() ? -1 : state_->after.back();
}

namespace {

/// The padding token that tokenizer_config.json names; empty if there is none.
std::string padding_in(const std::filesystem::path& folder) {
  const auto path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return "";
  const Json config = Json::read(path);
  if (!config.contains("pad_token") || config.at("pad_token").is_null()) return "";
  const Json& token = config.at("pad_token");
  const Json& name = token.is_object() ? token.at("content") : token;
  check_runtime(name.is_string(), "[tokenizer] ", path.string(),
                ": key 'pad_token': expected a token, got ", name.dump());
  return name.get<std::string>();
}

}  // namespace

Tokenizer read_tokenizer_json(const std::filesystem::path& path) {
  return detail::tokenizer_of(Json::read(path), "", path.string());
}

Tokenizer parse_tokenizer_json(std::string_view text, const std::string& source) {
  return detail::tokenizer_of(Json::parse(text, source), "", source);
}

Tokenizer read_tokenizer(const std::filesystem::path& folder) {
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if (has("tokenizer.json"))
    return detail::tokenizer_of(Json::read(folder / "tokenizer.json"), padding_in(folder),
                                (folder / "tokenizer.json").string());
  if (has("vocab.json") && has("merges.txt"))
    return read_clip_tokenizer(folder / "vocab.json", folder / "merges.txt");
  check_runtime(has("spiece.model"), "[tokenizer] ", folder.string(),
                ": expected tokenizer.json, vocab.json with merges.txt, or spiece.model, got none");
  return read_sentencepiece(folder / "spiece.model");
}

}  // namespace dermis
