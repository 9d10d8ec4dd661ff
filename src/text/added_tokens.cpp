#include "added_tokens.hpp"

#include <algorithm>

#include "unicode.hpp"
#include "utf8.hpp"

namespace dermis::detail {
namespace {

std::string_view without_spaces_before_end(std::string_view text) {
  for (std::size_t at = 0, end = 0;;) {
    if (at == text.size()) return text.substr(0, end);
    const auto c = code_point(text, at);
    at += c.bytes;
    if (!is_space(c.value)) end = at;
  }
}

std::size_t spaces_at_start(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && is_space(code_point(text, at).value)) at += code_point(text, at).bytes;
  return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) {
  std::stable_sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.text.size() > b.text.size();
  });
  for (auto& token : tokens) {
    const auto first = static_cast<unsigned char>(token.text.front());
    by_first_[first].push_back(std::move(token));
  }
}

const AddedToken* AddedTokens::token_at(std::string_view text) const {
  for (const auto& token : by_first_[static_cast<unsigned char>(text.front())])
    if (text.substr(0, token.text.size()) == token.text) return &token;
  return nullptr;
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto* token = token_at(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    auto before = text.substr(start, at - start);
    if (token->strip_left) before = without_spaces_before_end(before);
    if (!before.empty()) parts.push_back({before});
    parts.push_back({token->text, token->id});
    at += token->text.size();
    if (token->strip_right) at += spaces_at_start(text.substr(at));
    start = at;
  }
  if (start < text.size()) parts.push_back({text.substr(start)});
  return parts;
}

}  // namespace dermis::detail
