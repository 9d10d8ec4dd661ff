#pragma once
/// \file
/// Parts of a BPE vocabulary, wherever it is written.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "byte_pair.hpp"
#include "dermis/core/json.hpp"

namespace dermis::detail {

using Merge = std::pair<std::string, std::string>;

constexpr std::int64_t id_limit = std::int64_t{1} << 31;  ///< ids are below

/// An object of pieces with their ids; std::runtime_error naming `source` for what is no id.
Vocabulary vocabulary_of(const Json& pieces, const std::string& source);

/// One above the largest id.
std::int64_t size_of(const Vocabulary& vocabulary);

/// "a b".
Merge merge_of(std::string_view line, const std::string& source);

}  // namespace dermis::detail
