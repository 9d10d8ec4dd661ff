/// \file
/// tokenizer.json of the tokenizers library: those parts of its language that CLIP's and T5's files
/// use.

#include <algorithm>
#include <memory>

#include "base64.hpp"
#include "byte_pair.hpp"
#include "charsmap.hpp"
#include "clip_files.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/json.hpp"
#include "tokenizer_state.hpp"
#include "unicode.hpp"
#include "unigram.hpp"
#include "utf8.hpp"
#include "words.hpp"

namespace dermis::detail {
namespace {

using State = Tokenizer::State;
using Step = std::function<std::string(std::string)>;

[[noreturn]] void refuse(const std::string& source, const std::string& key, const Json& value,
                         const std::string& expected) {
  std::string found = value.dump();
  if (found.size() > 120) found = found.substr(0, 120) + "...";
  throw std::runtime_error(
      text("[tokenizer] ", source, ": key '", key, "': expected ", expected, ", got ", found));
}

void expect(bool ok, const std::string& source, const std::string& key, const Json& value,
            const std::string& expected) {
  if (!ok) refuse(source, key, value, expected);
}

std::string type_of(const Json& json) {
  return json.is_object() ? json.value("type", "") : "";
}

bool blank(const Json& object, const std::string& key) {
  return !object.contains(key) || object.at(key).is_null() || object.at(key) == Json("");
}

/// The members of a Sequence, or the one step itself; none for null.
std::vector<Json> sequence(const Json& json, const std::string& key) {
  if (json.is_null()) return {};
  if (type_of(json) == "Sequence") return json.at(key).elements();
  return {json};
}

Step replacing(const Json& json, const std::string& source) {
  const std::string with = json.at("content").get<std::string>();
  const Json& pattern = json.at("pattern");
  const std::string regex = pattern.value("Regex", "");
  if (regex == "\\s+")
    return [with](const std::string& t) { return replace_runs(t, is_space, 1, with); };
  if (regex == " {2,}")
    return [with](const std::string& t) {
      return replace_runs(
          t, [](char32_t c) { return c == ' '; }, 2, with);
    };
  refuse(source, "normalizer", json, "a Replace of \\s+ or ' {2,}'");
}

std::string stripped(const std::string& text, bool left, bool right) {
  std::size_t first = 0, last = 0;
  bool inside = !left;
  for (std::size_t at = 0; at < text.size();) {
    const auto c = code_point(text, at);
    if (!inside && !is_space(c.value)) first = at, inside = true;
    at += c.bytes;
    if (!right || !is_space(c.value)) last = at;
  }
  return inside && last > first ? text.substr(first, last - first) : "";
}

Step normaliser_step(const Json& json, const std::string& source) {
  const std::string type = type_of(json);
  if (type == "NFC") return [](const std::string& t) { return compose(t); };
  if (type == "Lowercase") return [](const std::string& t) { return lower_case(t); };
  if (type == "Replace") return replacing(json, source);
  if (type == "Strip")
    return [left = json.value("strip_left", false), right = json.value("strip_right", false)](
               const std::string& t) { return stripped(t, left, right); };
  if (type == "Precompiled") {
    const auto map = std::make_shared<const Charsmap>(
        base64_decoded(json.value("precompiled_charsmap", ""), source), source);
    return [map](const std::string& t) { return map->by_graphemes(t); };
  }
  refuse(source, "normalizer", json, "NFC, Lowercase, Replace, Strip or Precompiled");
}

void read_normaliser(State& state, const Json& json, const std::string& source) {
  std::vector<Step> steps;
  for (const auto& step : sequence(json, "normalizers"))
    steps.push_back(normaliser_step(step, source));
  state.normalise = [steps](std::string text) {
    for (const auto& step : steps) text = step(std::move(text));
    return text;
  };
}

/// The regular expression of CLIP's words, behind alternatives that are taken as they are written.
std::vector<std::string> clip_whole(const Json& split, const std::string& source) {
  const std::string words = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
  const std::string start = R"(<\|startoftext\|>|)", end = R"(<\|endoftext\|>|)";
  const std::string regex = split.at("pattern").value("Regex", "");
  expect((regex == words || regex == start + end + words) && split.value("invert", false) &&
             split.value("behavior", "") == "Removed",
         source, "pre_tokenizer", split, "a Split into CLIP's words");
  if (regex == words) return {};
  return {"<|startoftext|>", "<|endoftext|>"};
}

MarkFirst mark_of(const Json& json, const std::string& source) {
  const std::string scheme =
      json.value("prepend_scheme", json.value("add_prefix_space", true) ? "always" : "never");
  if (scheme == "always") return MarkFirst::Always;
  if (scheme == "first") return MarkFirst::FirstWord;
  expect(scheme == "never", source, "prepend_scheme", json, "always, first or never");
  return MarkFirst::Never;
}

void read_words(State& state, const Json& json, const std::string& source) {
  const auto steps = sequence(json, "pretokenizers");
  if (steps.size() == 2 && type_of(steps[0]) == "Split" && type_of(steps[1]) == "ByteLevel") {
    expect(!steps[1].value("add_prefix_space", true) && steps[1].value("use_regex", true), source,
           "pre_tokenizer", steps[1], "add_prefix_space false and use_regex true");
    state.words = [whole = clip_whole(steps[0], source)](std::string_view text, bool) {
      return clip_words(text, whole);
    };
    return;
  }
  MarkedWordOptions options;
  options.at_spaces = steps.size() == 2 && type_of(steps[0]) == "WhitespaceSplit";
  expect((steps.size() == 1 || options.at_spaces) && type_of(steps.back()) == "Metaspace" &&
             steps.back().value("replacement", "") == space_mark,
         source, "pre_tokenizer", json, "CLIP's Split and ByteLevel, or T5's Metaspace");
  options.mark = mark_of(steps.back(), source);
  options.cut_at_marks = steps.back().value("split", true);
  state.words = [options](std::string_view text, bool first) {
    return marked_words(text, first, options);
  };
}

std::vector<Merge> merges_of(const Json& json, const std::string& source) {
  std::vector<Merge> merges;
  for (const auto& merge : json.elements()) {
    if (merge.is_string()) {
      merges.push_back(merge_of(merge.get<std::string>(), source));
      continue;
    }
    expect(merge.is_array() && merge.size() == 2, source, "merges", merge, "pairs of pieces");
    merges.emplace_back(merge.elements()[0].get<std::string>(),
                        merge.elements()[1].get<std::string>());
  }
  return merges;
}

Vocabulary read_byte_pair(State& state, const Json& json, const std::string& source) {
  for (const char* key : {"dropout", "continuing_subword_prefix"})
    expect(blank(json, key), source, key, json.contains(key) ? json.at(key) : Json(), "nothing");
  for (const char* key : {"fuse_unk", "byte_fallback", "ignore_merges"})
    expect(!json.value(key, false), source, key, true, "false");
  auto vocabulary = vocabulary_of(json.at("vocab"), source);
  std::int64_t unknown = -1;
  if (!blank(json, "unk_token")) {
    const auto found = vocabulary.find(json.at("unk_token").get<std::string>());
    expect(found != vocabulary.end(), source, "unk_token", json.at("unk_token"),
           "a piece of vocab");
    unknown = found->second;
  }
  const auto model =
      std::make_shared<const BytePair>(vocabulary, merges_of(json.at("merges"), source),
                                       json.value("end_of_word_suffix", ""), unknown, source);
  state.pieces = [model](std::string_view word, std::vector<std::int64_t>& ids) {
    model->append(word, ids);
  };
  return vocabulary;
}

Vocabulary read_unigram(State& state, const Json& json, const std::string& source) {
  expect(!json.value("byte_fallback", false), source, "byte_fallback", true, "false");
  std::vector<ScoredPiece> pieces;
  Vocabulary vocabulary;
  for (const auto& entry : json.at("vocab").elements()) {
    expect(entry.is_array() && entry.size() == 2, source, "vocab", entry, "a piece and its score");
    pieces.push_back({entry.elements()[0].get<std::string>(), entry.elements()[1].get<double>()});
    vocabulary.emplace(pieces.back().text, static_cast<std::int64_t>(pieces.size()) - 1);
  }
  const auto model =
      std::make_shared<const Unigram>(pieces, json.at("unk_id").get<std::int64_t>(), false, source);
  state.pieces = [model](std::string_view word, std::vector<std::int64_t>& ids) {
    model->append(word, ids);
  };
  return vocabulary;
}

/// Adds the tokens to the vocabulary, where they may be already.
void read_added(State& state, Vocabulary& vocabulary, const Json& json, const std::string& source) {
  std::vector<AddedToken> raw, normal;
  for (const auto& entry : json.elements()) {
    AddedToken token{entry.at("content").get<std::string>(), entry.at("id").get<std::int64_t>(),
                     entry.value("normalized", false), entry.value("lstrip", false),
                     entry.value("rstrip", false)};
    expect(!token.text.empty() && token.id >= 0 && token.id < id_limit &&
               !entry.value("single_word", false),
           source, "added_tokens", entry, "a content, an id and no single_word");
    vocabulary[token.text] = token.id;
    if (token.normalised) token.text = state.normalise(token.text);
    if (!token.text.empty()) (token.normalised ? normal : raw).push_back(std::move(token));
  }
  state.raw_tokens = AddedTokens(std::move(raw));
  state.normal_tokens = AddedTokens(std::move(normal));
}

void read_template(State& state, const Json& json, const std::string& source) {
  bool text_seen = false;
  for (const auto& part : json.at("single").elements()) {
    if (part.contains("Sequence")) {
      text_seen = true;
      continue;
    }
    const auto id = part.at("SpecialToken").at("id").get<std::string>();
    for (const auto token :
         json.at("special_tokens").at(id).at("ids").get<std::vector<std::int64_t>>())
      (text_seen ? state.after : state.before).push_back(token);
  }
  expect(text_seen, source, "post_processor", json, "a template with a text in it");
}

void read_around(State& state, const Json& json, const std::string& source) {
  for (const auto& step : sequence(json, "processors")) {
    const std::string type = type_of(step);
    if (type == "TemplateProcessing") {
      read_template(state, step, source);
    } else if (type == "RobertaProcessing") {
      state.before.push_back(step.at("cls").elements().at(1).get<std::int64_t>());
      state.after.push_back(step.at("sep").elements().at(1).get<std::int64_t>());
    } else {
      expect(type == "ByteLevel", source, "post_processor", step,
             "TemplateProcessing, RobertaProcessing or ByteLevel");
    }
  }
}

State read_state(const Json& json, const std::string& padding, const std::string& source) {
  State state;
  const auto part = [&](const char* key) { return json.contains(key) ? json.at(key) : Json(); };
  read_normaliser(state, part("normalizer"), source);
  read_words(state, part("pre_tokenizer"), source);
  const Json& model = json.at("model");
  const std::string type = model.value("type", model.contains("merges") ? "BPE" : "Unigram");
  expect(type == "BPE" || type == "Unigram", source, "model", type, "BPE or Unigram");
  auto vocabulary =
      type == "BPE" ? read_byte_pair(state, model, source) : read_unigram(state, model, source);
  state.size = size_of(vocabulary);
  if (json.contains("added_tokens")) read_added(state, vocabulary, json.at("added_tokens"), source);
  state.size = std::max(state.size, size_of(vocabulary));
  read_around(state, part("post_processor"), source);
  for (const auto* tokens : {&state.before, &state.after})
    for (const auto id : *tokens)
      expect(id >= 0 && id < state.size, source, "post_processor", id, "ids of the vocabulary");
  state.pad = usual_padding(vocabulary);
  if (!padding.empty()) {
    const auto found = vocabulary.find(padding);
    expect(found != vocabulary.end(), source, "pad_token", padding, "a token of the vocabulary");
    state.pad = found->second;
  }
  expect(state.pad >= 0, source, "added_tokens", part("added_tokens"), "<pad> or <|endoftext|>");
  return state;
}

}  // namespace

Tokenizer tokenizer_of(const Json& json, const std::string& padding, const std::string& source) {
  try {
    return Tokenizer(std::make_shared<const State>(read_state(json, padding, source)));
  } catch (const std::exception& error) {
    const std::string reason = error.what();
    if (reason.rfind("[tokenizer]", 0) == 0) throw std::runtime_error(reason);
    throw std::runtime_error(text("[tokenizer] ", source, ": ", reason));
  }
}

}  // namespace dermis::detail
