#include "byte_pair.hpp"

#include <array>
#include <queue>
#include <tuple>

#include "dermis/core/check.hpp"
#include "utf8.hpp"

namespace dermis::detail {
namespace {

std::uint64_t key_of(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint64_t>(a) << 32 | static_cast<std::uint64_t>(b);
}

std::array<std::string, 256> byte_table() {
  std::array<std::string, 256> table;
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    append_utf8(table[byte], printable ? byte : next++);
  }
  return table;
}

}  // namespace

std::string printable_bytes(std::string_view word) {
  static const auto table = byte_table();
  std::string result;
  for (const char c : word) result += table[static_cast<unsigned char>(c)];
  return result;
}

BytePair::BytePair(Vocabulary vocabulary,
                   const std::vector<std::pair<std::string, std::string>>& merges,
                   std::string end_of_word, std::int64_t unknown, const std::string& source)
    : vocabulary_(std::move(vocabulary)), end_of_word_(std::move(end_of_word)), unknown_(unknown) {
  const auto id_of = [&](const std::string& piece) {
    const auto found = vocabulary_.find(piece);
    check_runtime(found != vocabulary_.end(), "[tokenizer] ", source,
                  ": expected merges of pieces that the vocabulary has, got '", piece, "'");
    return found->second;
  };
  std::int64_t rank = 0;
  for (const auto& [a, b] : merges) merges_[key_of(id_of(a), id_of(b))] = {rank++, id_of(a + b)};
}

const BytePair::Merge* BytePair::merge_of(std::int64_t a, std::int64_t b) const {
  const auto found = merges_.find(key_of(a, b));
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<BytePair::Symbol> BytePair::symbols_of(std::string_view word) const {
  std::vector<Symbol> symbols;
  for (std::size_t at = 0; at < word.size();) {
    const auto bytes = code_point(word, at).bytes;
    std::string piece(word.substr(at, bytes));
    at += bytes;
    if (at == word.size()) piece += end_of_word_;
    const auto found = vocabulary_.find(piece);
    const auto id = found == vocabulary_.end() ? unknown_ : found->second;
    if (id < 0) continue;
    const auto place = static_cast<std::int64_t>(symbols.size());
    symbols.push_back({id, place - 1, place + 1});
  }
  if (!symbols.empty()) symbols.back().after = -1;
  return symbols;
}

void BytePair::append(std::string_view word, std::vector<std::int64_t>& ids) const {
  auto symbols = symbols_of(word);
  using Candidate = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // rank, place, id
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto symbol = [&](std::int64_t place) -> Symbol& {
    return symbols[static_cast<std::size_t>(place)];
  };
  const auto consider = [&](std::int64_t place) {
    if (place < 0 || symbol(place).after < 0) return;
    if (const auto* merge = merge_of(symbol(place).id, symbol(symbol(place).after).id))
      queue.emplace(merge->rank, place, merge->id);
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) consider(static_cast<std::int64_t>(i));
  while (!queue.empty()) {
    const auto [rank, place, id] = queue.top();
    queue.pop();
    Symbol& left = symbol(place);
    if (left.id < 0 || left.after < 0) continue;
    Symbol& right = symbol(left.after);
    const auto* merge = merge_of(left.id, right.id);
    if (merge == nullptr || merge->id != id) continue;  // one of both has become another
    left.id = id;
    left.after = right.after;
    right.id = -1;
    if (left.after >= 0) symbol(left.after).before = place;
    consider(left.before);
    consider(place);
  }
  for (const auto& left : symbols)
    if (left.id >= 0) ids.push_back(left.id);
}

}  // namespace dermis::detail
