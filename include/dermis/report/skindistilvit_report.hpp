#pragma once
/// \file
/// What a run of SkinDistilViT found, as JSON and as one HTML page.

#include <filesystem>

#include "dermis/experiment/skindistilvit.hpp"

namespace dermis {

/// Writes metrics.json (to_json) and report.html into `out`: balanced accuracy by depth beside the
/// published curves, the student beside its teacher, what each term of the loss is worth, early
/// exits beside exits at random.
void write_skindistilvit(const std::filesystem::path& out, const SkinDistilViTResults& results);

}  // namespace dermis
