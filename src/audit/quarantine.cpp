#include "dermis/audit/quarantine.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/io/csv.hpp"

namespace dermis {
namespace {

namespace fs = std::filesystem;

/// A labels.csv and the image that each row names.
struct LabelTable {
  Table table;
  std::vector<fs::path> images;
};

LabelTable read_labels(const fs::path& path) {
  LabelTable labels{read_csv(path), {}};
  const auto column = labels.table.column("image");
  check_runtime(column >= 0 && labels.table.column("label") >= 0, "[quarantine] ",
                labels.table.source, ": expected columns image and label");
  for (std::size_t i = 0; i < labels.table.rows.size(); ++i) {
    const fs::path image = labels.table.rows[i][static_cast<std::size_t>(column)];
    check_runtime(image.is_relative() && std::find(image.begin(), image.end(), "..") == image.end(),
                  "[quarantine] ", labels.table.source, ":", labels.table.lines[i],
                  ": expected an image inside the folder, got ", image.string());
    labels.images.push_back(image);
  }
  return labels;
}

std::string csv_text(const std::vector<std::string>& columns,
                     const std::vector<std::vector<std::string>>& rows) {
  std::string csv = csv_line(columns) + "\n";
  for (const auto& row : rows) csv += csv_line(row) + "\n";
  return csv;
}

}  // namespace

std::int64_t quarantine(const std::filesystem::path& directory, const MemorisationResult& result) {
  const fs::path aside = directory / "quarantine";
  const auto listed = read_labels(directory / "labels.csv");
  std::set<std::string> copies, known;
  for (const auto& image : result.images)
    if (image.copy) copies.insert(image.id);
  if (copies.empty()) return 0;

  // What the quarantine holds already: all of an earlier call, or what one began.
  std::vector<std::vector<std::string>> aside_rows;
  std::set<fs::path> aside_images;
  if (fs::exists(aside / "labels.csv")) {
    const auto before = read_labels(aside / "labels.csv");
    check_runtime(before.table.columns == listed.table.columns, "[quarantine] ",
                  before.table.source, ": expected the columns of ", listed.table.source);
    aside_rows = before.table.rows;
    aside_images.insert(before.images.begin(), before.images.end());
    for (const auto& image : before.images) known.insert(image.stem().string());
  }

  std::vector<std::vector<std::string>> kept;
  std::vector<fs::path> moved;
  for (std::size_t i = 0; i < listed.images.size(); ++i) {
    const auto& image = listed.images[i];
    const auto& row = listed.table.rows[i];
    if (copies.count(image.stem().string()) == 0) {
      kept.push_back(row);
      continue;
    }
    known.insert(image.stem().string());
    check_runtime(fs::exists(directory / image) || fs::exists(aside / image),
                  "[quarantine] cannot find ", (directory / image).string());
    moved.push_back(image);
    if (aside_images.insert(image).second) aside_rows.push_back(row);
  }
  for (const auto& id : copies)
    check_runtime(known.count(id) > 0, "[quarantine] ", listed.table.source,
                  ": expected a row for the copy ", id, ", found none");
  if (moved.empty()) return 0;

  make_directories(aside);
  write_atomically(aside / "labels.csv", csv_text(listed.table.columns, aside_rows));
  for (const auto& image : moved) {
    if (!fs::exists(directory / image)) continue;  // an interrupted call moved it
    make_directories((aside / image).parent_path());
    std::error_code error;
    fs::rename(directory / image, aside / image, error);
    check_runtime(!error, "[quarantine] cannot move ", (directory / image).string(), " to ",
                  (aside / image).string(), ": ", error.message());
  }
  write_atomically(directory / "labels.csv", csv_text(listed.table.columns, kept));
  return static_cast<std::int64_t>(moved.size());
}

}  // namespace dermis
