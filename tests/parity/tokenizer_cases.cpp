/// \file
/// CLIP's and T5's tokenizers.

#include "case.hpp"
#include "dermis/text/tokenizer.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;
using Ids = std::vector<std::int64_t>;

std::vector<std::string> texts_of(const Case& c) {
  return Json::read(c.directory / "texts.json").get<std::vector<std::string>>();
}

/// Lists of ids, one behind the other, and where each begins.
void append_lists(StateDict& out, const std::string& name, const std::vector<Ids>& lists) {
  Ids flat, offsets{0};
  for (const auto& ids : lists) {
    flat.insert(flat.end(), ids.begin(), ids.end());
    offsets.push_back(static_cast<std::int64_t>(flat.size()));
  }
  out.emplace_back(name + ".flat", torch::tensor(flat));
  out.emplace_back(name + ".offsets", torch::tensor(offsets));
}

StateDict encoded(const Tokenizer& tokenizer, const Case& c) {
  const auto length = c.config.at("max_length").get<std::int64_t>();
  std::vector<Ids> whole, inner;
  std::vector<at::Tensor> padded, mask;
  for (const auto& text : texts_of(c)) {
    whole.push_back(tokenizer.encode(text));
    inner.push_back(tokenizer.tokenize(text));
    const auto cut = tokenizer.encode(text, length);
    padded.push_back(torch::tensor(cut.ids));
    mask.push_back(torch::tensor(cut.mask));
  }
  StateDict out{{"padded", at::stack(padded)}, {"attention_mask", at::stack(mask)}};
  append_lists(out, "ids", whole);
  append_lists(out, "ids_no_special", inner);
  return out;
}

StateDict clip_tokenizer(const Case& c) {
  const auto tokenizer = read_tokenizer_json(c.directory / "tokenizer.json");
  const auto files = read_clip_tokenizer(c.directory / "vocab.json", c.directory / "merges.txt");
  for (const auto& text : texts_of(c))
    check_runtime(files.encode(text) == tokenizer.encode(text),
                  "[parity] vocab.json and merges.txt give other ids for '", text, "'");
  return encoded(tokenizer, c);
}

StateDict t5_tokenizer(const Case& c) {
  const auto tokenizer = read_tokenizer_json(c.directory / "tokenizer.json");
  const auto sentencepiece = read_sentencepiece(c.directory / "spiece.model",
                                                c.config.at("extra_ids").get<std::int64_t>());
  Ids agrees;
  for (const auto& text : texts_of(c))
    agrees.push_back(sentencepiece.tokenize(text) == tokenizer.tokenize(text));
  auto out = encoded(tokenizer, c);
  out.emplace_back("sp_agrees", torch::tensor(agrees));
  return out;
}

const Register clip{"18a", clip_tokenizer};
const Register t5{"18b", t5_tokenizer};

}  // namespace
