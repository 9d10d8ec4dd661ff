#pragma once
/// \file
/// Training, validation and test parts in memory, from the phantom or from a user's folder.

#include "dermis/core/json.hpp"
#include "dermis/data/isic.hpp"
#include "dermis/data/phantom.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/data/split.hpp"

namespace dermis {

/// The three parts of a data set. Nothing but `train` may reach a weight.
struct DataParts {
  PixelSet train, validation, test;
  std::string source;  ///< "phantom" or the folder's name
  std::string split;   ///< how the parts were made, for people
  DataReport report;   ///< what was left out
};

/// The phantom's own parts.
DataParts phantom_parts(const PhantomOptions& options, int threads);

/// A folder with a labels file (without one: a sub-folder a class), split by lesion and patient.
DataParts folder_parts(const std::filesystem::path& images, const std::filesystem::path& labels_csv,
                       const FolderOptions& folder, const SplitOptions& split,
                       std::int64_t image_size, int threads,
                       const DermoscopyOptions& preprocessing = {});

/// source, classes, image_size, train, validation, test (images by class), split, left_out{missing,
/// corrupt, unlabelled}.
Json to_json(const DataParts& parts);

/// image,label,lesion_id,part for every image: the split as a file.
void write_split(const std::filesystem::path& path, const DataParts& parts);

}  // namespace dermis
