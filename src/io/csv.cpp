#include "dermis/io/csv.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"

namespace dermis {
namespace {

/// Reads record after record; knows the line for messages.
class Reader {
 public:
  Reader(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  /// The next record that is not a blank line; false at the end.
  bool next(std::vector<std::string>& cells) {
    while (!at_end() && at_line_break()) skip_line_break();
    if (at_end()) return false;
    start_line_ = line_;
    cells.clear();
    for (;;) {
      cells.push_back(peek() == '"' ? quoted_cell() : plain_cell());
      if (at_end()) return true;
      if (at_line_break()) {
        skip_line_break();
        return true;
      }
      ++at_;  // the comma; a cell follows, even an empty one at the end of the text
    }
  }

  std::int64_t start_line() const { return start_line_; }

  template <class... Parts>
  [[noreturn]] void fail(std::int64_t line, const Parts&... parts) const {
    throw std::runtime_error(dermis::text("[csv] ", source_, ":", line, ": ", parts...));
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool at_line_break() const { return peek() == '\n' || peek() == '\r'; }

  void skip_line_break() {
    if (peek() == '\r') ++at_;
    if (peek() == '\n') ++at_;
    ++line_;
  }

  std::string plain_cell() {
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    const std::string_view cell = text_.substr(at_, end - at_);
    if (cell.find('"') != std::string_view::npos)
      fail(line_, "expected quotes around the whole cell, got ", cell);
    at_ = end;
    return std::string(cell);
  }

  std::string quoted_cell() {
    const std::int64_t opened = line_;
    std::string cell;
    for (++at_;;) {
      const std::size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos)
        fail(opened, "expected a closing quote, got the end of the file");
      const std::string_view part = text_.substr(at_, quote - at_);
      cell += part;
      line_ += std::count(part.begin(), part.end(), '\n');
      at_ = quote + 1;
      if (peek() != '"') break;
      cell += '"';
      ++at_;
    }
    if (!at_end() && peek() != ',' && !at_line_break()) {
      fail(line_, "expected a comma or the end of the line after a closing quote, got '", peek(),
           "'");
    }
    return cell;
  }

  std::string_view text_;
  const std::string& source_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1, start_line_ = 1;
};

}  // namespace

std::int64_t Table::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  return found == columns.end() ? -1 : found - columns.begin();
}

Table parse_csv(std::string_view text, const std::string& source) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  Table table;
  table.source = source;
  Reader reader(text, source);
  if (text.find('\0') != std::string_view::npos) {
    reader.fail(1, "expected UTF-8 text, got NUL bytes (UTF-16 or a binary file)");
  }
  if (!reader.next(table.columns))
    reader.fail(1, "expected a line of column names, got an empty file");
  std::unordered_set<std::string_view> names;
  for (const std::string& name : table.columns) {
    if (!name.empty() && !names.insert(name).second) {
      reader.fail(reader.start_line(), "expected different column names, got '", name, "' twice");
    }
  }
  std::vector<std::string> cells;
  while (reader.next(cells)) {
    if (cells.size() != table.columns.size()) {
      reader.fail(reader.start_line(), "expected ", table.columns.size(), " cells, got ",
                  cells.size());
    }
    table.rows.push_back(std::move(cells));
    table.lines.push_back(reader.start_line());
  }
  return table;
}

Table read_csv(const std::filesystem::path& path) {
  return parse_csv(read_file(path), path.string());
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    const std::string& cell = cells[i];
    // A lone empty cell is quoted, otherwise the line would be blank and skipped by readers.
    const bool quote =
        cell.find_first_of(",\"\r\n") != std::string::npos || (cell.empty() && cells.size() == 1);
    if (!quote) {
      line += cell;
      continue;
    }
    line += '"';
    for (const char c : cell) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line;
}

namespace detail {

std::string join(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

std::string first_few(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 3;
  if (names.size() <= shown) return join(names);
  return text(join({names.begin(), names.begin() + shown}), " and ", names.size() - shown, " more");
}

}  // namespace detail
}  // namespace dermis
