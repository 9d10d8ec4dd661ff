#include "dermis/text/vocabulary.hpp"

#include <catch2/catch.hpp>

#include "dermis/text/tokenizer.hpp"

using namespace dermis;

namespace {

const std::vector<std::string> texts{"The mole is dark brown.", "The mole is asymmetrical, black.",
                                     "Black and dark brown"};

Tokenizer tokenizer(const VocabularyOptions& options = {}) {
  return parse_tokenizer_json(learned_vocabulary(texts, options).dump(), "learned");
}

}  // namespace

TEST_CASE("learned_vocabulary: frequent words are one id each, others are spelled") {
  const auto t = tokenizer();
  CHECK(t.pad_id() == 0);
  CHECK(t.eos_id() == 1);
  CHECK(t.encode("") == std::vector<std::int64_t>{1});
  const auto known = t.tokenize("black MOLE");
  REQUIRE(known.size() == 2);  // in lower case
  CHECK(known == t.tokenize("Black  mole"));
  CHECK(t.tokenize("brown.").size() == 2);         // the full stop apart
  CHECK(t.tokenize("asymmetrical").size() == 13);  // seen once: mark and letters
  const auto unknown = t.tokenize("mole \xE6\xBC\xA2");
  CHECK(unknown.back() == 2);
  CHECK(t.encode("the mole is black").back() == 1);
  CHECK(t.vocabulary_size() > 20);
}

TEST_CASE("learned_vocabulary: the order of texts does not matter, limits hold") {
  CHECK(learned_vocabulary({texts[2], texts[0], texts[1]}).dump() ==
        learned_vocabulary(texts).dump());
  CHECK(tokenizer({.words = 1}).tokenize("mole").size() > 1);
  CHECK(tokenizer({.least_count = 1}).tokenize("asymmetrical").size() == 1);
  CHECK_THROWS_WITH(learned_vocabulary({" ", ""}), Catch::Contains("none in 2 texts"));
  CHECK_THROWS_WITH(learned_vocabulary(texts, {.words = 0}), Catch::Contains("got 0 and 2"));
}
