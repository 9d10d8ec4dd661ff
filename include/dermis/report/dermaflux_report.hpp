#pragma once
/// \file
/// What runs of DermaFlux found, as JSON and as HTML pages with prompts beside images.

#include <filesystem>
#include <vector>

#include "dermis/experiment/dermaflux.hpp"

namespace dermis {

/// Writes report.html into `out`: every prompt beside its image.
void write_prompted(const std::filesystem::path& out, const std::vector<ImageRequest>& requests,
                    const PixelSet& images);

/// Writes following.json (to_json) and following.html into `out`: correlations of asked with
/// measured attributes, of the phantom's truth and of drawn images; some prompts beside images.
void write_following(const std::filesystem::path& out, const FollowingResults& results);

/// The figures a reader looks for first, in two lines.
std::string summary(const FollowingResults& results);

/// Writes classify.json (to_json) and classify.html into `out`: figures by real share and dose,
/// some images of each method.
void write_classify(const std::filesystem::path& out, const ClassifyResults& results);

}  // namespace dermis
