#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"
#include "labels.hpp"

namespace fs = std::filesystem;

namespace dermis::detail {
namespace {

constexpr const char* kForms =
    ": expected columns image,label[,lesion_id,patient_id], or image and one column a class of 0 "
    "and 1, or image_id,dx (HAM10000), or image_name with target, benign_malignant or diagnosis "
    "(ISIC 2020), got ";

std::string trimmed(const std::string& value) {
  const std::size_t first = value.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return value.substr(first, value.find_last_not_of(" \t") - first + 1);
}

std::optional<bool> zero_or_one(const std::string& value) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || (number != 0 && number != 1))
    return std::nullopt;
  return number == 1;
}

/// Row `r` but for its label.
LabelRow unlabelled_row(const Table& table, std::size_t r) {
  const std::vector<std::string>& cells = table.rows[r];
  return {cell(cells, name_column(table)), "", cell(cells, table.column("lesion_id")),
          cell(cells, table.column("patient_id")), table.lines[r]};
}

LabelTable parse_one_hot(const Table& table) {
  static const std::set<std::string> no_class = {"image", "lesion_id", "patient_id", "score_weight",
                                                 "validation_weight"};
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (!no_class.contains(table.columns[c])) columns.push_back(c);
  }
  LabelTable labels{.source = table.source, .in_file_order = true};
  std::set<std::string> used;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    LabelRow row = unlabelled_row(table, r);
    const std::string where = labels.where(row);
    for (const std::size_t c : columns) {
      const std::string value = cell(table.rows[r], static_cast<int64_t>(c));
      const std::optional<bool> set = zero_or_one(value);
      check_runtime(set.has_value(), "[data] ", where, kForms, "column ", table.columns[c],
                    " with '", value, "'");
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

/// A label in words, in column `label`; `convert` checks it or puts it into words.
template <class Convert>
LabelTable parse_words(const Table& table, int64_t label, const Convert& convert) {
  LabelTable labels{.source = table.source};
  std::set<std::string> names;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    LabelRow row = unlabelled_row(table, r);
    row.label = cell(table.rows[r], label);
    check_runtime(!row.label.empty(), "[data] ", labels.where(row), ": expected a label, got none");
    row.label = convert(row.label, labels.where(row));
    names.insert(row.label);
    labels.rows.push_back(std::move(row));
  }
  labels.classes.assign(names.begin(), names.end());
  return labels;
}

std::string as_written(const std::string& label, const std::string& /*where*/) {
  return label;
}

std::string ham_code(const std::string& label, const std::string& where) {
  static const std::vector<std::string> codes = {"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"};
  check_runtime(std::find(codes.begin(), codes.end(), label) != codes.end(), "[data] ", where,
                ": expected dx to be one of ", join(codes), ", got '", label, "'");
  return label;
}

std::string target_name(const std::string& label, const std::string& where) {
  const std::optional<bool> malignant = zero_or_one(label);
  check_runtime(malignant.has_value(), "[data] ", where, ": expected target 0 or 1, got '", label,
                "'");
  return *malignant ? "malignant" : "benign";
}

LabelTable parse_table(const Table& table, const std::string& label_column) {
  const auto has = [&](const char* name) { return table.column(name) >= 0; };
  if (!label_column.empty() || has("label")) {
    const std::string name = label_column.empty() ? "label" : label_column;
    check_runtime(name_column(table) >= 0 && table.column(name) >= 0, "[data] ", table.source,
                  ": expected columns image,", name, ", got ", join(table.columns));
    return parse_words(table, table.column(name), as_written);
  }
  if (has("image_id") && has("dx")) return parse_words(table, table.column("dx"), ham_code);
  if (has("image_name")) {
    if (has("target")) return parse_words(table, table.column("target"), target_name);
    for (const char* name : {"benign_malignant", "diagnosis"}) {
      if (has(name)) return parse_words(table, table.column(name), as_written);
    }
  }
  check_runtime(has("image") && table.columns.size() > 2, "[data] ", table.source, kForms,
                join(table.columns));
  return parse_one_hot(table);
}

/// A string as it is, a whole number in digits; "" for null or no such key.
std::string word(const Json& line, const std::string& key, const std::string& where) {
  if (!line.contains(key) || line.at(key).is_null()) return {};
  const Json& value = line.at(key);
  check_runtime(value.is_string() || value.is_integer(), "[data] ", where, ": expected key ", key,
                " to be a string or a whole number, got ", value.dump());
  return value.is_string() ? trimmed(value.get<std::string>()) : value.dump();
}

LabelTable parse_json_lines(const fs::path& file, const std::string& label_key) {
  const std::string content = read_file(file);
  LabelTable labels{.source = file.string()};
  std::set<std::string> names;
  int64_t number = 0;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string line = content.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = text(labels.source, ":", number);
    const Json object = Json::parse(line, where);
    check_runtime(object.is_object(), "[data] ", where, ": expected an object, got ", line);
    LabelRow row{word(object, "file_name", where), word(object, label_key, where),
                 word(object, "lesion_id", where), word(object, "patient_id", where), number};
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.push_back(key);
    check_runtime(!row.image.empty() && !row.label.empty(), "[data] ", where,
                  ": expected keys file_name and ", label_key, " with values, got ", join(keys));
    names.insert(row.label);
    labels.rows.push_back(std::move(row));
  }
  labels.classes.assign(names.begin(), names.end());
  return labels;
}

}  // namespace

LabelTable read_labels(const fs::path& file, const std::string& label_column) {
  LabelTable labels;
  if (file.extension() == ".jsonl") {
    labels = parse_json_lines(file, label_column.empty() ? "label" : label_column);
  } else {
    labels = parse_table(read_csv(file), label_column);
  }
  check_runtime(!labels.rows.empty(), "[data] ", labels.source, ": expected label rows, got none");
  for (const LabelRow& row : labels.rows) {
    check_runtime(!row.image.empty(), "[data] ", labels.where(row),
                  ": expected an image name, got none");
  }
  return labels;
}

std::string cell(const std::vector<std::string>& row, int64_t column) {
  return column < 0 ? std::string() : trimmed(row[static_cast<std::size_t>(column)]);
}

int64_t name_column(const Table& table) {
  for (const char* name : {"image", "file_name", "image_id", "image_name", "isic_id"}) {
    if (const int64_t column = table.column(name); column >= 0) return column;
  }
  return -1;
}

}  // namespace dermis::detail
