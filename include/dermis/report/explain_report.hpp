#pragma once
/// \file
/// Where classifiers look, as a page to read and a file to keep.

#include <filesystem>

#include "dermis/explain/explanation.hpp"
#include "dermis/report/html.hpp"

namespace dermis {

/// Writes OUT/explain.json and OUT/explain.html: figures with intervals, and overlays of images
/// that the first model names rightly and wrongly. All explanations are of `data`; `subtitle` says
/// whose images they are. Throws std::invalid_argument without an explanation, or for maps that are
/// not as many as the images.
void write_explanations(const std::filesystem::path& out, const MaskedSet& data,
                        const std::vector<Explanation>& explanations, const ExplainOptions& options,
                        const std::string& subtitle);

}  // namespace dermis
