#include "dermis/data/class_map.hpp"

#include "dermis/io/csv.hpp"
#include "labels.hpp"

namespace dermis {

ClassMap read_class_map(const std::filesystem::path& csv) {
  const Table table = read_csv(csv);
  const int64_t from = table.column("from");
  const int64_t to = table.column("to");
  check_runtime(from >= 0 && to >= 0 && table.columns.size() == 2, "[classes] ", table.source,
                ": expected columns from,to, got ", detail::join(table.columns));
  check_runtime(!table.rows.empty(), "[classes] ", table.source, ": expected rows, got none");
  ClassMap map;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::string name = detail::cell(table.rows[r], from);
    check_runtime(!name.empty(), "[classes] ", table.source, ":", table.lines[r],
                  ": expected a name in from, got none");
    check_runtime(map.emplace(name, detail::cell(table.rows[r], to)).second, "[classes] ",
                  table.source, ":", table.lines[r], ": expected each name once, got ", name,
                  " twice");
  }
  return map;
}

}  // namespace dermis
