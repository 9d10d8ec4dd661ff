#pragma once
/// \file
/// How a normalised text is cut into the words that a model then cuts into pieces.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dermis::detail {

/// Stands for a space in T5's pieces: U+2581.
constexpr std::string_view space_mark = "\xE2\x96\x81";

/// Runs of at least `least` characters that `in_run` holds for, each replaced by `with`.
std::string replace_runs(std::string_view text, const std::function<bool(char32_t)>& in_run,
                         std::size_t least, std::string_view with);

/// CLIP's words, as printable bytes: English contractions, runs of letters, single digits, runs of
/// the rest; `whole` first, texts that stay together as far as the second cut, GPT-2's, allows.
std::vector<std::string> clip_words(std::string_view text, const std::vector<std::string>& whole);

/// Where a mark is put in front.
enum class MarkFirst { Always, FirstWord, Never };

struct MarkedWordOptions {
  bool at_spaces = false;  ///< cut at (and without) white space first
  MarkFirst mark = MarkFirst::Always;
  bool cut_at_marks = true;  ///< each word begins with a mark
};

/// T5's words: spaces become marks. `first`: the text stands at the start of all.
std::vector<std::string> marked_words(std::string_view text, bool first,
                                      const MarkedWordOptions& options);

}  // namespace dermis::detail
