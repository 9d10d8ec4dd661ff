#pragma once
/// \file
/// CSV tables with a header line (RFC 4180; also a byte-order mark, LF or CRLF, blank lines
/// skipped).

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dermis {

/// A parsed table; every row has as many cells as there are columns.
struct Table {
  std::string source;  ///< file name, for messages
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::int64_t> lines;  ///< line number in the file at which a row starts, from 1

  /// Index of the column of that name, -1 if there is none.
  std::int64_t column(const std::string& name) const;
};

/// Parses a text. A ragged row, an unterminated or misplaced quote, a doubled column name, an empty
/// text or one that is not UTF-8-like text (NUL bytes) is std::runtime_error naming `source:line`.
Table parse_csv(std::string_view text, const std::string& source);

/// Reads and parses a file; errors name file and line.
Table read_csv(const std::filesystem::path& path);

/// One line without line break; cells are quoted where they must be.
std::string csv_line(const std::vector<std::string>& cells);

namespace detail {

/// "a, b, c", for messages about columns, classes and images.
std::string join(const std::vector<std::string>& names);
/// "a, b, c and 7 more"
std::string first_few(const std::vector<std::string>& names);

}  // namespace detail
}  // namespace dermis
