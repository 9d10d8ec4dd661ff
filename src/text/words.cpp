#include "words.hpp"

#include "byte_pair.hpp"
#include "unicode.hpp"
#include "utf8.hpp"

namespace dermis::detail {
namespace {

enum class Class { Space, Letter, Number, Rest };

Class class_at(std::string_view text, std::size_t at) {
  const char32_t c = code_point(text, at).value;
  if (is_space(c)) return Class::Space;
  return is_letter(c) ? Class::Letter : is_number(c) ? Class::Number : Class::Rest;
}

/// Bytes of 's, 't, 're, 've, 'm, 'll or 'd at the start of `text`, 0 if there is none.
std::size_t contraction(std::string_view text) {
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
    if (text.substr(0, ending.size()) == ending) return ending.size();
  return 0;
}

/// The end of the run of characters beginning at `at` of which `of` says the same.
template <class Of>
std::size_t run_end(std::string_view text, std::size_t at, const Of& of) {
  const auto kind = of(class_at(text, at));
  do {
    at += code_point(text, at).bytes;
  } while (at < text.size() && of(class_at(text, at)) == kind);
  return at;
}

/// The end of the run of one class.
std::size_t run_end(std::string_view text, std::size_t at) {
  return run_end(text, at, [](Class kind) { return kind; });
}

/// GPT-2's words of a text without white space, where digits stay together.
void append_gpt2_words(std::string_view text, std::vector<std::string>& words) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t ending = contraction(text.substr(at));
    const std::size_t end = ending ? at + ending : run_end(text, at);
    words.push_back(printable_bytes(text.substr(at, end - at)));
    at = end;
  }
}

/// `part` with marks for spaces and, if it is `marked`, one in front.
void append_marked(std::string_view part, bool marked, bool cut, std::vector<std::string>& words) {
  std::string word;
  for (const char c : part) c == ' ' ? word.append(space_mark) : word.append(1, c);
  if (marked && word.compare(0, space_mark.size(), space_mark) != 0) word.insert(0, space_mark);
  std::size_t start = 0;
  for (auto next = word.find(space_mark, 1); cut && next != std::string::npos;
       next = word.find(space_mark, start + 1)) {
    words.push_back(word.substr(start, next - start));
    start = next;
  }
  words.push_back(word.substr(start));
}

std::size_t clip_word_end(std::string_view text, std::size_t at,
                          const std::vector<std::string>& whole) {
  for (const auto& piece : whole)
    if (text.substr(at, piece.size()) == piece) return at + piece.size();
  if (const std::size_t ending = contraction(text.substr(at))) return at + ending;
  return class_at(text, at) == Class::Number ? at + code_point(text, at).bytes : run_end(text, at);
}

}  // namespace

std::string replace_runs(std::string_view text, const std::function<bool(char32_t)>& in_run,
                         std::size_t least, std::string_view with) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at, count = 0;
    while (end < text.size() && in_run(code_point(text, end).value)) {
      end += code_point(text, end).bytes;
      ++count;
    }
    if (count == 0) end = at + code_point(text, at).bytes;
    result += count >= least ? with : text.substr(at, end - at);
    at = end;
  }
  return result;
}

std::vector<std::string> clip_words(std::string_view text, const std::vector<std::string>& whole) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = clip_word_end(text, at, whole);
    if (class_at(text, at) != Class::Space) append_gpt2_words(text.substr(at, end - at), words);
    at = end;
  }
  return words;
}

std::vector<std::string> marked_words(std::string_view text, bool first,
                                      const MarkedWordOptions& options) {
  std::vector<std::string> words;
  first &= options.mark == MarkFirst::FirstWord;
  const auto append = [&](std::string_view part) {
    append_marked(part, options.mark == MarkFirst::Always || first, options.cut_at_marks, words);
    first = false;
  };
  if (!options.at_spaces) {
    if (!text.empty()) append(text);
    return words;
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = run_end(text, at, [](Class kind) { return kind == Class::Space; });
    if (class_at(text, at) == Class::Space) {
      first = false;
    } else {
      append(text.substr(at, end - at));
    }
    at = end;
  }
  return words;
}

}  // namespace dermis::detail
