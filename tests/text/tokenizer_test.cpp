#include "dermis/text/tokenizer.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;
using Ids = std::vector<std::int64_t>;

const std::filesystem::path tests = std::filesystem::path(__FILE__).parent_path().parent_path();
const auto clip_folder = tests / "parity/data/18a_clip_tokenizer";
const auto t5_folder = tests / "parity/data/18b_t5_tokenizer";

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

/// tokenizer.json of T5's test model, with one part changed.
template <class Edit>
std::string edited(const Edit& edit) {
  Json json = Json::read(t5_folder / "tokenizer.json");
  edit(json);
  return json.dump();
}

std::string json_error(const std::string& text) {
  return message_of<std::runtime_error>([&] { parse_tokenizer_json(text, "tokenizer.json"); });
}

}  // namespace

// 264 texts of many scripts, combining marks, compatibility forms, special tokens and damaged
// bytes; ids by tokenizers 0.23.3 and sentencepiece 0.2.3 with the models of tests/parity/data/18*.
TEST_CASE("tokenizer: odd texts have Python's ids") {
  const auto clip = read_tokenizer_json(clip_folder / "tokenizer.json");
  const auto clip_files =
      read_clip_tokenizer(clip_folder / "vocab.json", clip_folder / "merges.txt");
  const auto t5 = read_tokenizer_json(t5_folder / "tokenizer.json");
  const auto sentencepiece = read_sentencepiece(t5_folder / "spiece.model", 4);
  const Json rows = Json::read(tests / "text/data/odd_texts.json");
  REQUIRE(rows.size() == 264);
  for (const auto& row : rows.elements()) {
    const std::string hex = row.at("bytes").get<std::string>(), text = bytes_of(hex);
    INFO(hex);
    CHECK(clip.tokenize(text) == row.at("clip").get<Ids>());
    CHECK(clip_files.tokenize(text) == row.at("clip").get<Ids>());
    CHECK(t5.tokenize(text) == row.at("t5").get<Ids>());
    CHECK(sentencepiece.tokenize(text) == row.at("sentencepiece").get<Ids>());
  }
  CHECK(t5.vocabulary_size() == 376);
  CHECK(sentencepiece.vocabulary_size() == 376);
  CHECK(clip.vocabulary_size() == 934);
}

TEST_CASE("tokenizer: a text is cut before the tokens around it, and padded behind them") {
  const auto clip = read_tokenizer(clip_folder);
  const auto t5 = read_tokenizer(t5_folder);
  const std::string caption = "a dermoscopic image of a melanoma with irregular border";
  const Ids inner = clip.tokenize(caption);
  REQUIRE(inner.size() > 4);

  const auto whole = clip.encode(caption);
  CHECK(whole.front() == 932);
  CHECK(whole.back() == clip.eos_id());
  CHECK(Ids(whole.begin() + 1, whole.end() - 1) == inner);

  const auto cut = clip.encode(caption, 5);
  CHECK(cut.ids == Ids{932, inner[0], inner[1], inner[2], 933});
  CHECK(cut.cut == static_cast<std::int64_t>(inner.size()) - 3);
  CHECK(cut.mask == Ids(5, 1));

  const auto padded = t5.encode("lesion", 8);
  const auto count = t5.tokenize("lesion").size();
  CHECK(padded.cut == 0);
  CHECK(padded.ids[count] == t5.eos_id());
  CHECK(padded.ids[count + 1] == t5.pad_id());
  CHECK(padded.mask[count] == 1);
  CHECK(padded.mask[count + 1] == 0);

  CHECK(clip.encode("") == Ids{932, 933});  // no prompt is what guidance starts from
  CHECK(t5.encode("", 3).ids == Ids{1, 0, 0});
  CHECK(mentions(message_of<std::invalid_argument>([&] { clip.encode("a", 1); }),
                 {"length of at least 2", "got 1"}));
}

TEST_CASE("tokenizer: the padding that tokenizer_config.json names is taken") {
  const test::ScratchFolder folder;
  std::filesystem::copy(clip_folder / "tokenizer.json", folder / "tokenizer.json");
  write_atomically(folder / "tokenizer_config.json", R"({"pad_token": "!"})");
  CHECK(read_tokenizer(folder.path()).pad_id() == 0);
  write_atomically(folder / "tokenizer_config.json", R"({"pad_token": {"content": "nowhere"}})");
  CHECK(mentions(message_of<std::runtime_error>([&] { read_tokenizer(folder.path()); }),
                 {"tokenizer.json", "pad_token", "nowhere"}));
  const test::ScratchFolder empty;
  CHECK(mentions(message_of<std::runtime_error>([&] { read_tokenizer(empty.path()); }),
                 {empty.path().string(), "tokenizer.json", "spiece.model", "got none"}));
}

TEST_CASE("tokenizer: what a tokenizer.json asks for and cannot be done is refused by its key") {
  const auto refused = [](const char* key, const Json& value, const std::string& within = "") {
    return json_error(
        edited([&](Json& json) { (within.empty() ? json : json[within])[key] = value; }));
  };
  CHECK(mentions(refused("normalizer", Json::object({{"type", "Bert"}})), {"normalizer", "Bert"}));
  CHECK(mentions(refused("pre_tokenizer", Json::object({{"type", "Digits"}})),
                 {"pre_tokenizer", "Digits"}));
  CHECK(mentions(refused("pre_tokenizer", nullptr), {"pre_tokenizer", "null"}));
  CHECK(mentions(refused("post_processor", Json::object({{"type", "Bert"}})),
                 {"post_processor", "Bert"}));
  CHECK(mentions(refused("type", "WordPiece", "model"), {"model", "WordPiece"}));
  CHECK(mentions(refused("unk_id", 5000, "model"), {"unknown piece", "5000"}));
  CHECK(mentions(refused("byte_fallback", true, "model"), {"byte_fallback"}));
  CHECK(
      mentions(refused("vocab", Json::array({Json::array({"a"})}), "model"), {"vocab", "[\"a\"]"}));
  CHECK(mentions(refused("vocab",
                         Json::array({Json::array({"a", -1.0}), Json::array({"a", -2.0}),
                                      Json::array({"b", -2.0})}),
                         "model"),
                 {"every piece once", "'a'"}));
  CHECK(mentions(refused("precompiled_charsmap", "not base64", "normalizer"), {"base64", "' '"}));
  CHECK(mentions(refused("precompiled_charsmap", "AAAA", "normalizer"), {"charsmap"}));
  CHECK(mentions(json_error(edited([](Json& json) {
                   json["post_processor"]["special_tokens"]["</s>"]["ids"] = Json::array({9999});
                 })),
                 {"post_processor", "9999"}));
  CHECK(mentions(json_error("{}"), {"tokenizer.json", "pre_tokenizer"}));
  CHECK(mentions(json_error("[1"), {"tokenizer.json:1"}));
}

TEST_CASE("tokenizer: damaged vocabularies and merges are refused") {
  const test::ScratchFolder folder;
  const auto error = [&](const std::string& vocab, const std::string& merges) {
    write_atomically(folder / "vocab.json", vocab);
    write_atomically(folder / "merges.txt", merges);
    return message_of<std::runtime_error>([&] { read_tokenizer(folder.path()); });
  };
  const std::string ends = R"("<|startoftext|>": 2, "<|endoftext|>": 3})";
  CHECK(mentions(error(R"({"a": 0})", ""), {"vocab.json", "<|startoftext|>"}));
  CHECK(mentions(error("[1]", ""), {"vocab.json", "an object of pieces"}));
  CHECK(mentions(error(R"({"a": -1,)" + ends, ""), {"vocab.json", "-1", "'a'"}));
  CHECK(mentions(error(R"({"a": 0,)" + ends, "#version: 0.2\na\n"), {"merges.txt:2", "'a'"}));
  CHECK(mentions(error(R"({"a": 0, "b": 1,)" + ends, "a b\n"), {"merges.txt", "'ab'"}));
  CHECK(error(R"({"a": 0, "aa": 1,)" + ends, "#version: 0.2\na a\n\n").empty());
}

TEST_CASE("tokenizer: damaged sentencepiece models are refused or read, never anything else") {
  const std::string model = read_file(t5_folder / "spiece.model");
  const auto error = [](const std::string& bytes) {
    return message_of<std::runtime_error>(
        [&] { parse_sentencepiece(bytes, "spiece.model").encode("a \xEF\xBC\xA6 lesion\xFF", 9); });
  };
  CHECK(error(model).empty());
  CHECK(mentions(error(""), {"spiece.model", "none of its pieces"}));
  CHECK(mentions(error(read_file(t5_folder / "config.json")), {"spiece.model"}));
  CHECK(mentions(error(model.substr(0, 100)), {"spiece.model", "expected"}));
  CHECK(mentions(error(model.substr(0, model.size() / 2)), {"spiece.model", "expected"}));
  CHECK(mentions(message_of<std::invalid_argument>([&] { parse_sentencepiece(model, "m", -1); }),
                 {"extra ids", "-1"}));
  int refused = 0;
  for (std::size_t i = 0; i < 200; ++i) {  // one byte of the pieces, of the table of replacements
    std::string damaged = model;
    const std::size_t at = i < 100 ? i * 67 : i * model.size() / 200;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (i % 8)));
    refused += !error(damaged).empty();
  }
  CHECK(refused > 20);
}

}  // namespace dermis
