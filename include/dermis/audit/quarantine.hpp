#pragma once
/// \file
/// Suspected copies are set aside, not deleted: a person looks at them.

#include <cstdint>
#include <filesystem>

#include "dermis/audit/memorisation.hpp"

namespace dermis {

/// Moves the suspected copies of `result` out of a folder that synthesize() wrote: from
/// DIRECTORY/<class>/<id>.png to DIRECTORY/quarantine/<class>/<id>.png, and their rows from
/// labels.csv to quarantine/labels.csv. Returns the number of rows moved.
///
/// Every step is whole or not done, and the same call finishes what an interrupted one began: the
/// rows are added to quarantine/labels.csv, then images are renamed, last labels.csv is rewritten.
/// A second call does nothing and returns 0. Throws std::runtime_error, with nothing changed, if a
/// copy is in neither table, its image in neither place, a table lacks columns image and label or
/// names an image outside its folder.
std::int64_t quarantine(const std::filesystem::path& directory, const MemorisationResult& result);

}  // namespace dermis
