#pragma once
/// \file
/// Files of what can be computed again: read if they are of the same key and whole.

#include <filesystem>
#include <optional>
#include <string>

#include "dermis/io/tensors.hpp"

namespace dermis::detail {

/// The tensors in `path` if the file is whole (every byte is checked) and of this key; says on
/// stderr, as [`area`], what is wrong with it if it is not whole.
std::optional<StateDict> read_cache(const std::filesystem::path& path, const std::string& key,
                                    const std::string& area);

/// Writes what read_cache reads, creating the folder.
void write_cache(const std::filesystem::path& path, const std::string& key,
                 const StateDict& tensors);

}  // namespace dermis::detail
