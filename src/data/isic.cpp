#include "dermis/data/isic.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/data/provenance.hpp"
#include "dermis/io/csv.hpp"
#include "image_index.hpp"
#include "labels.hpp"

namespace fs = std::filesystem;

namespace dermis {
namespace {

using detail::cell;
using detail::first_few;
using detail::ImageIndex;
using detail::join;
using detail::LabelRow;
using detail::LabelTable;

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
  throw std::runtime_error(text(
      "[data] no such ", csv.extension() == ".jsonl" ? "JSONL" : "CSV", " file: ", csv.string(),
      csv.is_relative()
          ? text(" (looked in the working directory, in ", folder.string(), " and beside it)")
          : std::string()));
}

/// Fills in the lesions and patients of rows that name none.
void add_lesions(std::vector<LabelRow>& rows, const Table& table) {
  const int64_t image = detail::name_column(table);
  const int64_t lesion = table.column("lesion_id");
  const int64_t patient = table.column("patient_id");
  check_runtime(image >= 0 && (lesion >= 0 || patient >= 0), "[data] ", table.source,
                ": expected columns image and lesion_id or patient_id, got ", join(table.columns));
  std::unordered_map<std::string, std::pair<std::string, std::string>> known;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::string stem = detail::bare_stem(cell(table.rows[r], image));
    const std::pair named(cell(table.rows[r], lesion), cell(table.rows[r], patient));
    const auto [place, inserted] = known.emplace(stem, named);
    check_runtime(inserted || place->second == named, "[data] ", table.source, ":", table.lines[r],
                  ": expected one lesion and patient an image, got a second one for ", stem);
  }
  bool matched = false;  // without a match the split would quietly be one by image
  for (LabelRow& row : rows) {
    const std::string stem = detail::bare_stem(row.image);
    auto place = known.find(stem);
    if (place == known.end()) place = known.find(detail::other_size_name(stem));
    if (place == known.end()) continue;
    matched = true;
    if (row.lesion.empty()) row.lesion = place->second.first;
    if (row.patient.empty()) row.patient = place->second.second;
  }
  check_runtime(matched, "[data] ", table.source,
                ": expected lesions of the labelled images, got none of them");
}

/// Renames the labels; rows of a class that is left out end with an empty label.
void apply(const ClassMap& map, LabelTable& labels) {
  if (map.empty()) return;
  std::vector<std::string> unknown, classes;
  for (const std::string& name : labels.classes) {
    const auto place = map.find(name);
    if (place == map.end()) {
      unknown.push_back(name);
    } else if (!place->second.empty() &&
               std::find(classes.begin(), classes.end(), place->second) == classes.end()) {
      classes.push_back(place->second);
    }
  }
  check_runtime(unknown.empty(), "[data] ", labels.source,
                ": expected every class in the class map, got none for ", join(unknown));
  for (LabelRow& row : labels.rows) row.label = map.at(row.label);
  if (!labels.in_file_order) std::sort(classes.begin(), classes.end());
  labels.classes = std::move(classes);
}

std::vector<std::string> chosen_classes(const LabelTable& labels,
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

/// Counts the images that lie among labelled ones but have no row; other folders (masks, reports)
/// are not meant.
void report_unlabelled(const ImageIndex& images, const std::vector<const LabelRow*>& row_of,
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

namespace detail {

FolderData labelled_images(const ImageIndex& images, LabelTable labels,
                           const FolderOptions& options) {
  apply(options.class_map, labels);
  const std::vector<std::string> classes = chosen_classes(labels, options.classes, labels.source);
  const std::string folder = images.folder().string();
  if (!options.lesions_csv.empty())
    add_lesions(labels.rows, read_csv(find_csv(options.lesions_csv, images.folder())));

  FolderData result;
  std::vector<Sample> samples;
  auto paths = std::make_shared<std::vector<fs::path>>();
  std::vector<const LabelRow*> row_of(images.paths().size());  // of each image, if it has one
  std::vector<std::string> missing;
  std::vector<int64_t> counts(classes.size());
  for (const LabelRow& row : labels.rows) {
    const std::optional<std::size_t> image = images.find(row.image, labels.where(row));
    if (image) {
      const LabelRow* earlier = row_of[*image];
      check_runtime(earlier == nullptr, "[data] ", labels.where(row),
                    ": expected each image once, got ", row.image, " labelled already in line ",
                    earlier == nullptr ? 0 : earlier->line);
      row_of[*image] = &row;
    }
    if (row.label.empty()) {  // left out by the class map
      result.report.unmapped += image.has_value();
      continue;
    }
    const auto place = std::find(classes.begin(), classes.end(), row.label);
    if (place == classes.end()) continue;
    if (!image) {
      missing.push_back(text(row.image, " (line ", row.line, ")"));
      continue;
    }
    check_runtime(!declares_synthetic(images.paths()[*image]), "[data] ",
                  images.paths()[*image].string(),
                  " is marked synthetic: pass it with --synthetic");
    const int label = static_cast<int>(place - classes.begin());
    samples.push_back(
        {.id = images.id(*image), .label = label, .lesion = row.lesion, .patient = row.patient});
    paths->push_back(images.paths()[*image]);
    ++counts[static_cast<std::size_t>(label)];
  }

  if (!missing.empty()) {
    const std::string finding =
        text(labels.source, ": ", missing.size(), " of ", missing.size() + samples.size(),
             " labelled images are not in ", folder, ": ", first_few(missing));
    check_runtime(options.missing == MissingImages::Skip, "[data] ", finding);
    result.report.missing = static_cast<int64_t>(missing.size());
    result.report.messages.push_back(finding);
  }
  for (std::size_t c = 0; c < classes.size(); ++c) {
    check_runtime(counts[c] > 0, "[data] every labelled image of class ", classes[c],
                  " is missing from ", folder, ": leave the class out or add its images");
  }
  if (result.report.unmapped > 0) {
    result.report.messages.push_back(
        text(result.report.unmapped, " images are of classes that the class map leaves out"));
  }
  report_unlabelled(images, row_of, result.report);
  result.data = Dataset(classes, std::move(samples), [paths](int64_t i) {
    return read_image((*paths)[static_cast<std::size_t>(i)]);
  });
  return result;
}

}  // namespace detail

FolderData read_labelled_folder(const fs::path& images_dir, const fs::path& labels_csv,
                                const FolderOptions& options) {
  const ImageIndex images(images_dir);
  return detail::labelled_images(
      images, detail::read_labels(find_csv(labels_csv, images_dir), options.label_column), options);
}

}  // namespace dermis
