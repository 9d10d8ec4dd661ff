#pragma once
/// \file
/// A folder of JPEG and PNG images with a CSV of labels, as the ISIC archive and its challenges
/// hand them out.

#include <filesystem>
#include <string>
#include <vector>

#include "dermis/data/dataset.hpp"

namespace dermis {

/// What a label row without an image means.
enum class MissingImages {
  Fail,  ///< one error that names the first few and counts them
  Skip,  ///< left out and counted in the report
};

struct FolderOptions {
  std::vector<std::string> classes = {};  ///< which classes and in which order; empty = all: a
                                          ///< one-hot CSV's column order, otherwise by name
  MissingImages missing = MissingImages::Fail;
  std::filesystem::path lesions_csv = {};  ///< optional CSV with columns image and lesion_id
                                           ///< (ISIC_2019_Training_Metadata.csv)
};

/// Images with labels, and what was left out of them. Corrupt images show when pixels are loaded,
/// not here.
struct FolderData {
  Dataset data;
  DataReport report;
};

/// Reads the labels and finds the images; decodes none.
///
/// `labels_csv` is either the long form `image,label[,lesion_id]` (other columns are ignored) or
/// the one-hot form of ISIC 2018 and 2019 (`image,MEL,NV,...` with exactly one 1 or 1.0 a row;
/// score_weight, validation_weight and lesion_id are not classes). A relative CSV path is looked
/// for in the working directory, in `images_dir` and beside it.
///
/// An image is named with or without folders and extension. It is searched below `images_dir`
/// (sub-folders included): by that path, then with leading folders taken off, then by file name
/// alone. So `images/ISIC_1.jpg` is found whether `images_dir` is the folder `images` or its
/// parent. Nothing outside `images_dir` is read. A sample's id is the file name without extension,
/// or its path below `images_dir` where that would not be unique.
///
/// Throws std::runtime_error with one line that names the file (and line) when: there is no such
/// folder or CSV; the folder holds no image; columns are missing; a value is not 0 or 1, a row has
/// no or several 1; an image is listed twice or its name fits several files; an image is missing
/// (MissingImages::Fail); a class named in the options is unknown or left without images; there are
/// fewer than two classes.
FolderData read_labelled_folder(const std::filesystem::path& images_dir,
                                const std::filesystem::path& labels_csv,
                                const FolderOptions& options = {});

/// The JPEG and PNG files (by extension, any case) below `folder`, sub-folders included, hidden
/// ones not, sorted by path. Throws std::runtime_error when `folder` is not a folder.
std::vector<std::filesystem::path> find_images(const std::filesystem::path& folder);

}  // namespace dermis
