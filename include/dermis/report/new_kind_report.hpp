#pragma once
/// \file
/// What a flow learned of a new lesion kind and forgot of the others, as JSON and as an HTML page.

#include <filesystem>
#include <string>

#include "dermis/experiment/new_kind.hpp"

namespace dermis {

/// Writes new_kind.json (to_json), new_kind.html and pictures.png into `out`. The picture has a row
/// a kind: a real test image, then what each model draws from the same noise.
void write_new_kind(const std::filesystem::path& out, const NewKindResults& results,
                    const PixelSet& test);

/// The figures a reader looks for first, a line a model.
std::string summary(const NewKindResults& results);

}  // namespace dermis
