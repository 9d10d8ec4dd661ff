#pragma once
/// \file
/// A folder of JPEG and PNG images with a CSV of labels, as the ISIC archive, its challenges and
/// HAM10000 hand them out, or with a metadata.jsonl.

#include <filesystem>
#include <string>
#include <vector>

#include "dermis/data/class_map.hpp"
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
  std::filesystem::path lesions_csv = {};  ///< optional CSV with an image column and lesion_id,
                                           ///< patient_id or both (ISIC_2019_Training_Metadata.csv)
  ClassMap class_map = {};        ///< other names for the labels; not empty: must name every one
  std::string label_column = {};  ///< column or key of the label; empty = as the form has it
};

/// Images with labels, and what was left out of them. Corrupt images show when pixels are loaded,
/// not here.
struct FolderData {
  Dataset data;
  DataReport report;
};

/// Reads the labels and finds the images; decodes none.
///
/// The form of `labels_csv` is told by its columns, in this order; other columns are ignored:
/// - long: `image,label`;
/// - HAM10000: `image_id,dx` with dx one of akiec, bcc, bkl, df, mel, nv, vasc;
/// - ISIC 2020: `image_name` and `target` (0 benign, 1 malignant), else benign_malignant, else
///   diagnosis;
/// - one-hot (ISIC 2018, 2019): `image,MEL,NV,...` with exactly one 1 or 1.0 a row; score_weight,
///   validation_weight, lesion_id and patient_id are not classes.
/// With FolderOptions::label_column it is always the long form with that column for `label`. In all
/// forms lesion_id and patient_id may be there, and in the long one `image` may also be called
/// file_name, image_id, image_name or isic_id. A file ending in .jsonl is that of a Hugging Face
/// image folder: an object a line with file_name, label (or the key in label_column), lesion_id and
/// patient_id, each a string or a whole number. A relative path is looked for in the working
/// directory, in `images_dir` and beside it.
///
/// An image is named with or without folders and extension. It is searched below `images_dir`
/// (sub-folders included): by that path, then with leading folders taken off, then by file name
/// alone. So `images/ISIC_1.jpg` is found whether `images_dir` is the folder `images` or its
/// parent. If there is no NAME, NAME_downsampled is taken (so some of ISIC 2019 are called), and
/// the other way round. Nothing outside `images_dir` is read. A sample's id is the file name
/// without extension, or its path below `images_dir` where that would not be unique.
///
/// Throws std::runtime_error with one line that names the file (and line) when: there is no such
/// folder or CSV; the folder holds no image; columns are missing; a value is not 0 or 1, a row has
/// no or several 1; an image is listed twice or its name fits several files; an image is missing
/// (MissingImages::Fail) or marked synthetic (data/provenance.hpp); labels are not in the class map
/// (all listed); a class named in the options is unknown or left without images; there are fewer
/// than two classes.
FolderData read_labelled_folder(const std::filesystem::path& images_dir,
                                const std::filesystem::path& labels_csv,
                                const FolderOptions& options = {});

/// The JPEG and PNG files (by extension, any case) below `folder`, sub-folders included, hidden
/// ones not, sorted by path. Throws std::runtime_error when `folder` is not a folder.
std::vector<std::filesystem::path> find_images(const std::filesystem::path& folder);

}  // namespace dermis
