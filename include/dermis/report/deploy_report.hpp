#pragma once
/// \file
/// Files for a phone side by side, as one HTML page.

#include <filesystem>
#include <string>
#include <vector>

#include "dermis/edge/comparison.hpp"

namespace dermis {

/// Size, memory, time, agreement, balanced accuracy and recall by class of each file, beside the
/// differences to the first. `source` says which images they were compared on.
void write_deploy_page(const std::filesystem::path& path,
                       const std::vector<edge::Variant>& variants,
                       const std::vector<std::string>& classes, const std::string& source);

}  // namespace dermis
