/// \file
/// A tokenizer's file, sentencepiece.model or tokenizer.json, and a text for it. What is accepted
/// gives ids of the vocabulary, and a cut text the length that was asked for.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "dermis/text/tokenizer.hpp"
#include "planted.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // The text is what follows the last NUL NUL: neither JSON nor a text has them.
  const auto end = input.rfind(std::string_view("\0\0", 2));
  const auto file = input.substr(0, end);
  const auto text = end == std::string_view::npos ? input : input.substr(end + 2);
  std::shared_ptr<const dermis::Tokenizer> tokenizer;
  try {
    tokenizer = std::make_shared<const dermis::Tokenizer>(
        !file.empty() && file.front() == '{' ? dermis::parse_tokenizer_json(file, "input")
                                             : dermis::parse_sentencepiece(file, "input"));
  } catch (const std::runtime_error&) {
    return 0;  // refused, as it may be; another exception is a finding
  }
  for (const auto id : tokenizer->tokenize(text))
    dermis::fuzz::require(id >= 0 && id < tokenizer->vocabulary_size());
  const auto cut = tokenizer->encode(text, 1000);
  dermis::fuzz::require(cut.ids.size() == 1000 && cut.mask.size() == 1000);
  dermis::fuzz::planted_overflow(tokenizer->tokenize(text).size(), 8);
  return 0;
}
