#include "dermis/data/isic.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/io/csv.hpp"
#include "image_index.hpp"

namespace fs = std::filesystem;

namespace dermis {
namespace {

using detail::ImageIndex;

struct Row {
  std::string image, label, lesion;
  int64_t line;
};

struct Labels {
  std::string source;  // the CSV
  std::vector<Row> rows;
  std::vector<std::string> classes;  // those that have a row

  std::string where(const Row& row) const { return text(source, ":", row.line); }
};

std::string join(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

std::string trimmed(const std::string& value) {
  const std::size_t first = value.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return value.substr(first, value.find_last_not_of(" \t") - first + 1);
}

/// The cell, "" for a column that is not there.
std::string cell(const std::vector<std::string>& row, int64_t column) {
  return column < 0 ? std::string() : trimmed(row[static_cast<std::size_t>(column)]);
}

std::optional<bool> zero_or_one(const std::string& value) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || (number != 0 && number != 1))
    return std::nullopt;
  return number == 1;
}

fs::path find_csv(const fs::path& csv, const fs::path& folder) {
  if (fs::is_regular_file(csv)) {
    // `--labels labels.csv` must not silently read the one that happens to lie in the working
    // directory.
    const fs::path inside = folder / csv;
    check_runtime(csv.is_absolute() || !fs::is_regular_file(inside) || fs::equivalent(csv, inside),
                  "[data] ", csv.string(), " is in the working directory and in ", folder.string(),
                  ": give its full path");
    return csv;
  }
  if (csv.is_relative() && !csv.empty()) {
    fs::path whole = fs::absolute(folder).lexically_normal();
    if (!whole.has_filename()) whole = whole.parent_path();  // a trailing slash
    for (const fs::path& candidate : {folder / csv, whole.parent_path() / csv}) {
      if (fs::is_regular_file(candidate)) return candidate;
    }
  }
  throw std::runtime_error(text("[data] no such CSV file: ", csv.string(),
                                csv.is_relative() ? text(" (looked in the working directory, in ",
                                                         folder.string(), " and beside it)")
                                                  : std::string()));
}

Labels parse_one_hot(const Table& table, int64_t image) {
  static const std::set<std::string> no_class = {"image", "lesion_id", "score_weight",
                                                 "validation_weight"};
  const int64_t lesion = table.column("lesion_id");
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (!no_class.contains(table.columns[c])) columns.push_back(c);
  }
  Labels labels{table.source, {}, {}};
  std::set<std::string> used;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::vector<std::string>& cells = table.rows[r];
    Row row{cell(cells, image), "", cell(cells, lesion), table.lines[r]};
    const std::string where = labels.where(row);
    for (const std::size_t c : columns) {
      const std::optional<bool> set = zero_or_one(trimmed(cells[c]));
      check_runtime(set.has_value(), "[data] ", where,
                    ": expected columns image,label[,lesion_id], or image and ",
                    "classes of 0 and 1, got column ", table.columns[c], " with '", cells[c], "'");
      if (!*set) continue;
      check_runtime(row.label.empty(), "[data] ", where, ": expected one class a row, got ",
                    row.label, " and ", table.columns[c]);
      row.label = table.columns[c];
    }
    check_runtime(!row.label.empty(), "[data] ", where, ": expected one class a row, got none");
    used.insert(row.label);
    labels.rows.push_back(std::move(row));
  }
  for (const std::size_t c : columns) {  // UNK has a column but no row in ISIC 2019
    if (used.contains(table.columns[c])) labels.classes.push_back(table.columns[c]);
  }
  return labels;
}

Labels parse_labels(const Table& table) {
  const int64_t image = table.column("image");
  const int64_t label = table.column("label");
  const int64_t lesion = table.column("lesion_id");
  check_runtime(image >= 0 && (label >= 0 || table.columns.size() > 2), "[data] ", table.source,
                ": expected columns image,label[,lesion_id], or image and one column a class, got ",
                join(table.columns));
  check_runtime(!table.rows.empty(), "[data] ", table.source, ": expected label rows, got none");
  Labels labels{table.source, {}, {}};
  if (label < 0) {
    labels = parse_one_hot(table, image);
  } else {
    std::set<std::string> names;
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      const std::vector<std::string>& cells = table.rows[r];
      labels.rows.push_back(
          {cell(cells, image), cell(cells, label), cell(cells, lesion), table.lines[r]});
      const Row& row = labels.rows.back();
      check_runtime(!row.label.empty(), "[data] ", labels.where(row),
                    ": expected a label, got none");
      names.insert(row.label);
    }
    labels.classes.assign(names.begin(), names.end());
  }
  for (const Row& row : labels.rows)
    check_runtime(!row.image.empty(), "[data] ", labels.where(row),
                  ": expected an image name, got none");
  return labels;
}

/// Fills in the lesions of rows that name none.
void add_lesions(std::vector<Row>& rows, const Table& table) {
  const int64_t image = table.column("image");
  const int64_t lesion = table.column("lesion_id");
  check_runtime(image >= 0 && lesion >= 0, "[data] ", table.source,
                ": expected columns image and lesion_id, got ", join(table.columns));
  std::unordered_map<std::string, std::string> lesion_of;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::string stem = detail::bare_stem(cell(table.rows[r], image));
    const auto [place, inserted] = lesion_of.emplace(stem, cell(table.rows[r], lesion));
    check_runtime(inserted || place->second == cell(table.rows[r], lesion), "[data] ", table.source,
                  ":", table.lines[r], ": expected one lesion an image, got a second one for ",
                  stem);
  }
  bool matched = false;  // without a match the split would quietly be one by image
  for (Row& row : rows) {
    const auto place = lesion_of.find(detail::bare_stem(row.image));
    if (place == lesion_of.end()) continue;
    matched = true;
    if (row.lesion.empty()) row.lesion = place->second;
  }
  check_runtime(matched, "[data] ", table.source,
                ": expected lesions of the labelled images, got none of them");
}

std::vector<std::string> chosen_classes(const Labels& labels,
                                        const std::vector<std::string>& wanted,
                                        const std::string& source) {
  std::set<std::string> seen;
  for (const std::string& name : wanted) {
    check_runtime(
        std::find(labels.classes.begin(), labels.classes.end(), name) != labels.classes.end(),
        "[data] ", source, ": expected images of class ", name, ", got classes ",
        join(labels.classes));
    check_argument(seen.insert(name).second, "[data] expected each class once, got ", name,
                   " twice");
  }
  const std::vector<std::string>& classes = wanted.empty() ? labels.classes : wanted;
  check_runtime(classes.size() >= 2, "[data] ", source,
                ": expected at least two classes, got only ", join(classes));
  return classes;
}

/// "a, b, c and 7 more"
std::string first_few(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  if (names.size() <= kShown) return join(names);
  return text(join({names.begin(), names.begin() + kShown}), " and ", names.size() - kShown,
              " more");
}

/// Counts the images that lie among labelled ones but have no row; other folders (masks, reports)
/// are not meant.
void report_unlabelled(const ImageIndex& images, const std::vector<const Row*>& row_of,
                       DataReport& report) {
  std::set<fs::path> labelled_folders;
  for (std::size_t i = 0; i < row_of.size(); ++i) {
    if (row_of[i] != nullptr) labelled_folders.insert(images.paths()[i].parent_path());
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < row_of.size(); ++i) {
    if (row_of[i] == nullptr && labelled_folders.contains(images.paths()[i].parent_path()))
      names.push_back(images.id(i));
  }
  if (names.empty()) return;
  report.unlabelled = static_cast<int64_t>(names.size());
  report.messages.push_back(
      text(names.size(), " images have no label and are left out: ", first_few(names)));
}

}  // namespace

FolderData read_labelled_folder(const fs::path& images_dir, const fs::path& labels_csv,
                                const FolderOptions& options) {
  const ImageIndex images(images_dir);
  const Table table = read_csv(find_csv(labels_csv, images_dir));
  Labels labels = parse_labels(table);
  const std::vector<std::string> classes = chosen_classes(labels, options.classes, table.source);
  if (!options.lesions_csv.empty())
    add_lesions(labels.rows, read_csv(find_csv(options.lesions_csv, images_dir)));

  FolderData result;
  std::vector<Sample> samples;
  auto paths = std::make_shared<std::vector<fs::path>>();
  std::vector<const Row*> row_of(images.paths().size());  // of each image, if it has one
  std::vector<std::string> missing;
  std::vector<int64_t> counts(classes.size());
  for (const Row& row : labels.rows) {
    const std::optional<std::size_t> image = images.find(row.image, labels.where(row));
    if (image) {
      const Row* earlier = row_of[*image];
      check_runtime(earlier == nullptr, "[data] ", labels.where(row),
                    ": expected each image once, got ", row.image, " labelled already in line ",
                    earlier == nullptr ? 0 : earlier->line);
      row_of[*image] = &row;
    }
    const auto place = std::find(classes.begin(), classes.end(), row.label);
    if (place == classes.end()) continue;
    if (!image) {
      missing.push_back(text(row.image, " (line ", row.line, ")"));
      continue;
    }
    const int label = static_cast<int>(place - classes.begin());
    samples.push_back({.id = images.id(*image), .label = label, .lesion = row.lesion});
    paths->push_back(images.paths()[*image]);
    ++counts[static_cast<std::size_t>(label)];
  }

  if (!missing.empty()) {
    const std::string finding =
        text(table.source, ": ", missing.size(), " of ", missing.size() + samples.size(),
             " labelled images are not in ", images_dir.string(), ": ", first_few(missing));
    check_runtime(options.missing == MissingImages::Skip, "[data] ", finding);
    result.report.missing = static_cast<int64_t>(missing.size());
    result.report.messages.push_back(finding);
  }
  for (std::size_t c = 0; c < classes.size(); ++c) {
    check_runtime(counts[c] > 0, "[data] every labelled image of class ", classes[c],
                  " is missing from ", images_dir.string(),
                  ": leave the class out or add its images");
  }
  report_unlabelled(images, row_of, result.report);
  result.data = Dataset(classes, std::move(samples), [paths](int64_t i) {
    return read_image((*paths)[static_cast<std::size_t>(i)]);
  });
  return result;
}

}  // namespace dermis
