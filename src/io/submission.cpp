#include "dermis/io/submission.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>
#include <system_error>
#include <unordered_map>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"

namespace dermis {
namespace {

using detail::join;

/// The shortest text that reads back as `value`.
std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string digits(buffer.data(), end);
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

/// The scoring package takes an ending .jpg, in any case, off predicted images.
std::string without_jpg(const std::string& image) {
  constexpr std::string_view ending = ".jpg";
  if (image.size() < ending.size()) return image;
  const std::size_t stem = image.size() - ending.size();
  const bool ends =
      std::equal(ending.begin(), ending.end(), image.begin() + stem,
                 [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
  return ends ? image.substr(0, stem) : image;
}

std::vector<std::string>::const_iterator column_of(const std::string& name,
                                                   const std::vector<std::string>& columns) {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found != columns.end()) return found;
  // ISIC 2018 names actinic keratoses together with intraepithelial carcinomas.
  if (name == "AK") return std::find(columns.begin(), columns.end(), "AKIEC");
  if (name == "AKIEC") return std::find(columns.begin(), columns.end(), "AK");
  return found;
}

void check_predictions(const Submission& predictions) {
  const auto rows = static_cast<std::size_t>(predictions.probabilities.rows());
  const auto classes = static_cast<std::size_t>(predictions.probabilities.cols());
  check_argument(rows == predictions.images.size() && classes == predictions.classes.size(),
                 "[submission] expected probabilities of ", predictions.images.size(),
                 " images and ", predictions.classes.size(), " classes, got ", rows, " rows and ",
                 classes, " columns");
  check_argument(rows > 0, "[submission] expected at least 1 image, got 0");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string image = without_jpg(predictions.images[i]);
    check_argument(!image.empty(), "[submission] expected an image name, got '",
                   predictions.images[i], "' in row ", i);
    check_argument(seen.insert(image).second, "[submission] expected each image once, got ", image,
                   " again in row ", i);
    for (std::size_t c = 0; c < classes; ++c) {
      const double value =
          predictions.probabilities(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c));
      check_argument(value >= 0 && value <= 1, "[submission] expected values between 0 and 1, got ",
                     value, " for class ", predictions.classes[c], " of image ", image);
    }
  }
}

}  // namespace

std::vector<std::string> isic2018_classes() {
  return {"MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"};
}

std::vector<std::string> isic2019_classes() {
  return {"MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"};
}

std::string submission_csv(const Submission& predictions, const std::vector<std::string>& columns) {
  check_predictions(predictions);
  std::vector<Eigen::Index> source(columns.size(), -1);  // class of each column
  for (std::size_t c = 0; c < predictions.classes.size(); ++c) {
    const std::string& name = predictions.classes[c];
    const auto column = column_of(name, columns);
    check_argument(column != columns.end(), "[submission] expected classes of the format (",
                   join(columns), "), got ", name);
    Eigen::Index& taken = source[static_cast<std::size_t>(column - columns.begin())];
    check_argument(taken < 0, "[submission] expected one class for column ", *column, ", got ",
                   taken < 0 ? "" : predictions.classes[static_cast<std::size_t>(taken)], " and ",
                   name);
    taken = static_cast<Eigen::Index>(c);
  }
  std::vector<std::string> cells{"image"};
  cells.insert(cells.end(), columns.begin(), columns.end());
  std::string content = csv_line(cells) + "\n";
  for (std::size_t i = 0; i < predictions.images.size(); ++i) {
    cells.assign(1, predictions.images[i]);
    for (const Eigen::Index c : source) {
      cells.push_back(
          number_text(c < 0 ? 0.0 : predictions.probabilities(static_cast<Eigen::Index>(i), c)));
    }
    content += csv_line(cells) + "\n";
  }
  return content;
}

void write_submission(const std::filesystem::path& path, const Submission& predictions,
                      const std::vector<std::string>& columns) {
  write_atomically(path, submission_csv(predictions, columns));
}

Submission parse_submission(const Table& table, const std::vector<std::string>& columns) {
  const std::size_t image = detail::image_column(table);
  check_runtime(!table.rows.empty(), "[submission] ", table.source,
                ": expected a row for each image, got none");
  Submission parsed;
  parsed.classes = columns;
  std::unordered_map<std::string, std::int64_t> line_of;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    parsed.images.push_back(without_jpg(table.rows[r][image]));
    const std::string& name = parsed.images.back();
    check_runtime(!name.empty(), "[submission] ", table.source, ":", table.lines[r],
                  ": expected an image name in column ", table.columns[image], ", got '",
                  table.rows[r][image], "'");
    const auto [earlier, inserted] = line_of.emplace(name, table.lines[r]);
    check_runtime(inserted, "[submission] ", table.source, ":", table.lines[r],
                  ": expected each image once, got ", name, " listed already in line ",
                  earlier->second);
  }

  std::vector<std::string> missing, extra;
  for (const std::string& name : columns) {
    if (table.column(name) < 0) missing.push_back(name);
  }
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& name = table.columns[c];
    if (c != image && std::find(columns.begin(), columns.end(), name) == columns.end()) {
      extra.push_back(name.empty() ? "one without name" : name);
    }
  }
  check_runtime(missing.empty(), "[submission] ", table.source, ": expected columns image, ",
                join(columns), ", got none for ", join(missing));
  check_runtime(extra.empty(), "[submission] ", table.source, ": expected columns image, ",
                join(columns), ", got also ", join(extra));

  parsed.probabilities.resize(static_cast<Eigen::Index>(table.rows.size()),
                              static_cast<Eigen::Index>(columns.size()));
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const auto column = static_cast<std::size_t>(table.column(columns[c]));
    bool integers = true;
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      const std::string& cell = table.rows[r][column];
      const double value = detail::number_in(table, r, column);
      check_runtime(value >= 0 && value <= 1, "[submission] ", table.source, ":", table.lines[r],
                    ": expected a value between 0 and 1 in column ", columns[c], ", got '", cell,
                    "'");
      integers = integers && cell.find_first_of(".eE") == std::string::npos;
      parsed.probabilities(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(c)) = value;
    }
    check_runtime(!integers, "[submission] ", table.source,
                  ": expected values with a decimal point in column ", columns[c],
                  ", got integers alone (write 0.0 and 1.0)");
  }
  return parsed;
}

Submission read_submission(const std::filesystem::path& path,
                           const std::vector<std::string>& columns) {
  return parse_submission(read_csv(path), columns);
}

namespace detail {

double number_in(const Table& table, std::size_t row, std::size_t column) {
  const std::string& cell = table.rows[row][column];
  std::string_view digits = cell;
  digits.remove_prefix(std::min(digits.find_first_not_of(" \t"), digits.size()));
  digits = digits.substr(0, digits.find_last_not_of(" \t") + 1);
  // std::from_chars knows no plus sign.
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  double value = 0;
  const char* last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, value);
  check_runtime(error == std::errc() && end == last && !std::isnan(value), "[csv] ", table.source,
                ":", table.lines[row], ": expected a number in column ", table.columns[column],
                ", got '", cell, "'");
  return value;
}

std::size_t image_column(const Table& table) {
  const std::int64_t image = table.column("image");
  const std::int64_t column = image >= 0 ? image : table.column("lesion_id");
  check_runtime(column >= 0, "[csv] ", table.source, ": expected a column image or lesion_id, got ",
                join(table.columns));
  return static_cast<std::size_t>(column);
}

}  // namespace detail
}  // namespace dermis
