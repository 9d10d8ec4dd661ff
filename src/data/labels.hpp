#pragma once
/// \file
/// Private to src/data: label rows as read from any form, and their way into a data set.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dermis/core/check.hpp"
#include "dermis/data/isic.hpp"
#include "dermis/io/csv.hpp"
#include "image_index.hpp"

namespace dermis::detail {

/// What a file says of one image.
struct LabelRow {
  std::string image, label, lesion = {}, patient = {};
  int64_t line = 0;
};

/// All rows of a file, in order.
struct LabelTable {
  std::string source;
  std::vector<LabelRow> rows = {};
  std::vector<std::string> classes = {};  ///< those that have a row
  bool in_file_order = false;             ///< the order of `classes` means something

  std::string where(const LabelRow& row) const {
    return row.line > 0 ? text(source, ":", row.line) : source;
  }
};

/// Reads any of the forms listed at read_labelled_folder.
LabelTable read_labels(const std::filesystem::path& file, const std::string& label_column);

/// Chooses classes, adds lesions, finds the images; see read_labelled_folder for the errors.
FolderData labelled_images(const ImageIndex& images, LabelTable labels,
                           const FolderOptions& options);

/// The cell without surrounding blanks, "" for a column that is not there (-1).
std::string cell(const std::vector<std::string>& row, int64_t column);
/// The first of the columns that name the image: image, file_name, image_id, image_name, isic_id;
/// -1 if there is none.
int64_t name_column(const Table& table);

}  // namespace dermis::detail
