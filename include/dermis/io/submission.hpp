#pragma once
/// \file
/// Predictions in the CSV format of the ISIC classification challenges: a column `image` and one of
/// probabilities for each class.

#include <Eigen/Core>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "dermis/io/csv.hpp"

namespace dermis {

/// Columns of ISIC 2018 Task 3: MEL, NV, BCC, AKIEC, BKL, DF, VASC.
std::vector<std::string> isic2018_classes();
/// Columns of ISIC 2019: MEL, NV, BCC, AK, BKL, DF, VASC, SCC, UNK.
std::vector<std::string> isic2019_classes();

/// Predictions of images.
struct Submission {
  std::vector<std::string> images;   ///< [N] ids, without ending
  std::vector<std::string> classes;  ///< [C]
  Eigen::MatrixXd probabilities;     ///< [N, C] in [0, 1]; rows need not sum to 1
};

/// `predictions` as CSV text with the class columns `columns` (isic2019_classes()). Classes
/// are matched by name, AK and AKIEC also with each other; a column whose class the predictions
/// lack holds 0. Values read back as the same double and always show a point or an exponent: the
/// scoring package refuses a column of integers alone.
///
/// Throws std::invalid_argument for a class without a column, two classes for one column, sizes
/// that do not agree, no images, an image without name or named twice, a value outside [0, 1] or
/// NaN.
std::string submission_csv(const Submission& predictions, const std::vector<std::string>& columns);

/// Writes that text, atomically; std::runtime_error where the file cannot be written.
void write_submission(const std::filesystem::path& path, const Submission& predictions,
                      const std::vector<std::string>& columns);

/// Predictions of the classes `columns`, in that order, from a table made by `parse_csv`. It is
/// refused where the scoring package (isic-challenge-scoring 5.8.0, load_csv.py) refuses it:
/// std::runtime_error that names file, line and column when
/// - there is no column `image` (or, without one, `lesion_id`), a class has no column or a column
///   is no class;
/// - there are no rows, an image has no name or is listed twice (an ending .jpg does not count);
/// - a value is missing, no number or outside [0, 1], or a column holds integers alone.
Submission parse_submission(const Table& table, const std::vector<std::string>& columns);

/// Reads the file and parses it as above.
Submission read_submission(const std::filesystem::path& path,
                           const std::vector<std::string>& columns);

namespace detail {

/// The number in a cell, with blanks around it or not. NaN, an empty cell and text are
/// std::runtime_error that names file, line and column.
double number_in(const Table& table, std::size_t row, std::size_t column);

/// The column of the images' names: `image`, without one `lesion_id`; std::runtime_error without
/// either.
std::size_t image_column(const Table& table);

}  // namespace detail
}  // namespace dermis
