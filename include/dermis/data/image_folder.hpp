#pragma once
/// \file
/// Images sorted into one sub-folder a class, as torchvision's ImageFolder has them.

#include <filesystem>

#include "dermis/data/isic.hpp"

namespace dermis {

/// Reads `folder`/CLASS/.../NAME.jpg: an image's label is the first folder on its way. Decodes
/// none. The options are those of read_labelled_folder, but for label_column, which has no meaning
/// here; lesions and patients come from FolderOptions::lesions_csv. Images beside the class folders
/// are counted as unlabelled. Ids are as there.
///
/// Throws std::invalid_argument when label_column is given, std::runtime_error when there is no
/// such folder, a class folder holds no image (unless classes or a class map are given), and as
/// read_labelled_folder for classes, class map and lesions.
FolderData read_class_folders(const std::filesystem::path& folder,
                              const FolderOptions& options = {});

}  // namespace dermis
