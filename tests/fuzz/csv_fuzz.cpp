/// \file
/// A CSV table. What is accepted is a rectangle, and reads back equal.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "dermis/io/csv.hpp"
#include "planted.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using dermis::fuzz::require;
  dermis::Table table;
  try {
    table = dermis::parse_csv({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const std::runtime_error&) {
    return 0;  // refused, as it may be; another exception is a finding
  }
  require(!table.columns.empty() && table.rows.size() == table.lines.size());
  std::string text = "\xEF\xBB\xBF";  // a first name may begin with another of these marks
  text += dermis::csv_line(table.columns) + '\n';
  std::int64_t line = 1;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    require(table.rows[i].size() == table.columns.size() && table.lines[i] > line);
    line = table.lines[i];
    text += dermis::csv_line(table.rows[i]) + '\n';
  }
  const dermis::Table again = dermis::parse_csv(text, "written");
  require(again.columns == table.columns && again.rows == table.rows);
  dermis::fuzz::planted_overflow(table.columns.size(), 6);
  return 0;
}
