#include "unicode.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <unordered_map>

#include "utf8.hpp"

namespace dermis::detail {
namespace {

struct Range {
  char32_t first, last;
};
struct LowerRun {
  char32_t first, last, step, to;
};
struct ClassRange {
  char32_t first, last;
  int value;
};
struct Decomposition {
  char32_t code, first, second;
};

constexpr Range letters[] = {
#include "unicode_letters.inc"
};
constexpr Range numbers[] = {
#include "unicode_numbers.inc"
};
constexpr LowerRun lower_runs[] = {
#include "unicode_lower.inc"
};
constexpr ClassRange combining[] = {
#include "unicode_combining.inc"
};
constexpr Decomposition pairs[] = {
#include "unicode_pairs.inc"
};
constexpr Decomposition once[] = {
#include "unicode_once.inc"
};
constexpr ClassRange grapheme_kinds[] = {
#include "unicode_graphemes.inc"
};

/// The entry whose range holds `c`; null if there is none.
template <class Entry, std::size_t N>
const Entry* find(const Entry (&table)[N], char32_t c) {
  const auto after = std::upper_bound(std::begin(table), std::end(table), c,
                                      [](char32_t code, const Entry& e) { return code < e.first; });
  if (after == std::begin(table)) return nullptr;
  const Entry* entry = std::prev(after);
  return c <= entry->last ? entry : nullptr;
}

int combining_class(char32_t c) {
  const auto* range = c < 0x300 ? nullptr : find(combining, c);
  return range ? range->value : 0;
}

// Hangul syllables are computed (Unicode 3.12): leading consonant, vowel, trailing consonant.
constexpr char32_t hangul = 0xAC00, leading = 0x1100, vowel = 0x1161, trailing = 0x11A7;
constexpr char32_t leading_count = 19, vowel_count = 21, trailing_count = 28;
constexpr char32_t syllables = leading_count * vowel_count * trailing_count;

const std::unordered_map<char32_t, Decomposition>& decompositions() {
  static const auto map = [] {
    std::unordered_map<char32_t, Decomposition> result;
    for (const auto& entry : pairs) result.emplace(entry.code, entry);
    for (const auto& entry : once) result.emplace(entry.code, entry);
    return result;
  }();
  return map;
}

void append_decomposed(std::u32string& text, char32_t c) {
  if (c - hangul < syllables) {
    const char32_t index = c - hangul;
    text += leading + index / (vowel_count * trailing_count);
    text += vowel + index / trailing_count % vowel_count;
    if (index % trailing_count) text += trailing + index % trailing_count;
    return;
  }
  const auto found = decompositions().find(c);
  if (found == decompositions().end()) {
    text += c;
    return;
  }
  append_decomposed(text, found->second.first);
  if (found->second.second) append_decomposed(text, found->second.second);
}

/// The character that both make; 0 if there is none.
char32_t composed(char32_t a, char32_t b) {
  if (a - leading < leading_count && b - vowel < vowel_count)
    return hangul + ((a - leading) * vowel_count + (b - vowel)) * trailing_count;
  if (a - hangul < syllables && (a - hangul) % trailing_count == 0 &&
      b - trailing - 1 < trailing_count - 1)
    return a + (b - trailing);
  static const auto map = [] {
    std::unordered_map<std::uint64_t, char32_t> result;
    for (const auto& e : pairs) result.emplace(std::uint64_t{e.first} << 32 | e.second, e.code);
    return result;
  }();
  const auto found = map.find(std::uint64_t{a} << 32 | b);
  return found == map.end() ? 0 : found->second;
}

/// Combining marks in the order of their classes.
void order_marks(std::u32string& text) {
  for (auto at = text.begin(); at != text.end();) {
    const auto first = std::find_if(at, text.end(), [](char32_t c) { return combining_class(c); });
    at = std::find_if(first, text.end(), [](char32_t c) { return !combining_class(c); });
    std::stable_sort(
        first, at, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
  }
}

/// Of one cluster: how a character attaches to those beside it (UAX 29).
enum Kind { Other, Extend, Joiner, Control, Prepend, Pictographic, Leading, Vowel, Trailing, Open };

Kind kind_of(char32_t c) {
  if ((c >= 0x1100 && c <= 0x115F) || (c >= 0xA960 && c <= 0xA97C)) return Leading;
  if ((c >= 0x1160 && c <= 0x11A7) || (c >= 0xD7B0 && c <= 0xD7C6)) return Vowel;
  if ((c >= 0x11A8 && c <= 0x11FF) || (c >= 0xD7CB && c <= 0xD7FB)) return Trailing;
  if (c - hangul < syllables) return (c - hangul) % trailing_count ? Trailing : Open;
  if (c == 0) return Control;
  const auto* range = find(grapheme_kinds, c);
  return range ? static_cast<Kind>(range->value) : Other;
}

bool continues(Kind before, Kind next, bool pictographic) {
  if (before == Control || next == Control) return false;
  if (next == Extend || next == Joiner || before == Prepend) return true;
  if (before == Joiner && next == Pictographic) return pictographic;
  if (before == Leading) return next == Leading || next == Vowel || next == Open;
  if (before == Vowel || before == Open) return next == Vowel || next == Trailing;
  return before == Trailing && next == Trailing;
}

}  // namespace

bool is_letter(char32_t c) {
  return find(letters, c) != nullptr;
}

bool is_number(char32_t c) {
  return find(numbers, c) != nullptr;
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string lower_case(std::string_view text) {
  std::string result;
  for (const char32_t c : code_points(text)) {
    const auto* run = find(lower_runs, c);
    if (c == 0x130) {
      result += "i\xCC\x87";
    } else {
      append_utf8(result,
                  run && (c - run->first) % run->step == 0 ? run->to + (c - run->first) : c);
    }
  }
  return result;
}

std::string compose(std::string_view text) {
  std::u32string parts;
  for (const char32_t c : code_points(text)) append_decomposed(parts, c);
  order_marks(parts);
  std::u32string whole;
  std::size_t starter = std::u32string::npos;
  int last_class = 0;  // of what stands between the starter and the next mark
  for (const char32_t c : parts) {
    const int order = combining_class(c);
    const bool reaches = starter != std::u32string::npos &&
                         (starter + 1 == whole.size() || (last_class != 0 && last_class < order));
    if (const char32_t both = reaches ? composed(whole[starter], c) : 0) {
      whole[starter] = both;
      continue;
    }
    if (order == 0) starter = whole.size();
    last_class = order;
    whole += c;
  }
  std::string result;
  for (const char32_t c : whole) append_utf8(result, c);
  return result;
}

std::size_t grapheme_end(std::string_view text, std::size_t at) {
  auto next = code_point(text, at);
  if (next.value == '\r' && text.substr(at, 2) == "\r\n") return at + 2;
  Kind before = kind_of(next.value);
  bool pictographic = before == Pictographic;
  for (at += next.bytes; at < text.size(); at += next.bytes) {
    next = code_point(text, at);
    const Kind kind = kind_of(next.value);
    if (!continues(before, kind, pictographic)) return at;
    pictographic = kind == Pictographic || (pictographic && (kind == Extend || kind == Joiner));
    before = kind;
  }
  return at;
}

}  // namespace dermis::detail
