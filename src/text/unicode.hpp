#pragma once
/// \file
/// What tokenizers ask of Unicode: classes, lower case, canonical composition, grapheme clusters.
/// The tables are those of the tokenizers library, see make_unicode_tables.py. Texts are UTF-8
/// without damage.

#include <cstddef>
#include <string>
#include <string_view>

namespace dermis::detail {

bool is_letter(char32_t c);  ///< general category L
bool is_number(char32_t c);  ///< general category N
bool is_space(char32_t c);   ///< White_Space

/// Character by character; a final sigma is one as any other.
std::string lower_case(std::string_view text);

/// Normalisation form C.
std::string compose(std::string_view text);

/// Where the extended grapheme cluster ends that begins at `at` (below text.size()). Without rule
/// GB9c (conjuncts of Indic scripts) and GB12 (flags): such clusters have 6 bytes and more, which
/// the one that asks, Charsmap, takes apart anyway.
std::size_t grapheme_end(std::string_view text, std::size_t at);

}  // namespace dermis::detail
