#include "dermis/report/card.hpp"

#include <algorithm>
#include <functional>

#include "../metrics/format.hpp"
#include "card_fields.hpp"
#include "dermis/report/html.hpp"
#include "markup.hpp"

namespace dermis {

namespace {

constexpr const char* not_measured = "not measured";

std::string spaced(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

std::string number(const Json& value) {
  return value.is_integer() ? detail::count(value.get<std::int64_t>())
                            : detail::significant(value.get<double>());
}

/// Everything in one line: "0.61 (0.58 to 0.64)", "16, 32", "MEL 349, NV 995".
std::string in_line(const Json& value) {
  if (value.is_null()) return not_measured;
  if (value.is_bool()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return number(value);
  if (value.is_string()) return value.get<std::string>();
  if (detail::is_interval(value) && value.at("lo").is_number() && value.at("hi").is_number() &&
      value.at("mean").is_number())
    return number(value.at("mean")) + " (" + number(value.at("lo")) + " to " +
           number(value.at("hi")) + ")";
  std::string line;
  const auto add = [&](const std::string& part) { line += (line.empty() ? "" : ", ") + part; };
  if (value.is_array()) {
    for (const auto& element : value.elements()) add(in_line(element));
  } else {
    for (const auto& [key, below] : value.items()) {
      const bool several = (below.is_object() && !detail::is_interval(below)) || below.is_array();
      add(spaced(key) + " " + (several ? "(" + in_line(below) + ")" : in_line(below)));
    }
  }
  return line.empty() ? "none" : line;
}

/// Objects within objects, intervals not counted.
int depth(const Json& value) {
  if (!value.is_object() || detail::is_interval(value)) return 0;
  int deepest = 0;
  for (const auto& [key, below] : value.items()) deepest = std::max(deepest, depth(below));
  return deepest + 1;
}

/// An object of rows; what lies deeper than a row's groups of columns is more tables than one.
bool is_table(const Json& value) {
  return value.is_object() && value.size() > 0 && depth(value) <= 3 &&
         std::all_of(value.items().begin(), value.items().end(), [](const Json::Member& row) {
           return row.second.is_object() && !detail::is_interval(row.second);
         });
}

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// A row a member; objects within a row become columns "synthetic kid". Turned if it is wide.
Table table_of(const Json& value) {
  using Cells = std::vector<std::pair<std::string, std::string>>;
  const std::function<void(const Json&, const std::string&, Cells&)> flatten =
      [&](const Json& below, const std::string& prefix, Cells& cells) {
        for (const auto& [key, cell] : below.items()) {
          const auto column = prefix + spaced(key);
          if (cell.is_object() && !detail::is_interval(cell))
            flatten(cell, column + " ", cells);
          else
            cells.emplace_back(column, in_line(cell));
        }
      };
  Table table{{""}, {}};
  std::vector<Cells> rows;
  for (const auto& [name, row] : value.items()) {
    flatten(row, "", rows.emplace_back());
    for (const auto& [column, cell] : rows.back())
      if (std::find(table.columns.begin() + 1, table.columns.end(), column) == table.columns.end())
        table.columns.push_back(column);
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    auto& line = table.rows.emplace_back(1, value.items()[r].first);
    for (std::size_t c = 1; c < table.columns.size(); ++c) {
      const auto cell = std::find_if(rows[r].begin(), rows[r].end(), [&](const auto& candidate) {
        return candidate.first == table.columns[c];
      });
      line.push_back(cell == rows[r].end() ? "–" : cell->second);
    }
  }
  constexpr std::size_t widest = 12;
  if (table.columns.size() <= widest || table.columns.size() <= table.rows.size() + 1) return table;
  Table turned{{""}, {}};  // a row a figure
  for (const auto& row : table.rows) turned.columns.push_back(row[0]);
  for (std::size_t c = 1; c < table.columns.size(); ++c) {
    auto& line = turned.rows.emplace_back(1, table.columns[c]);
    for (const auto& row : table.rows) line.push_back(row[c]);
  }
  return turned;
}

/// A section as it is laid out: its short values in one table, then a table a table.
struct Layout {
  Table values{{"Field", "Value"}, {}};
  std::vector<std::pair<std::string, Table>> tables;
};

Layout layout(const CardSection& section) {
  Layout out;
  const std::function<bool(const Json&)> has_table = [&](const Json& value) {
    return is_table(value) ||
           (value.is_object() && !detail::is_interval(value) &&
            std::any_of(value.items().begin(), value.items().end(),
                        [&](const auto& below) { return has_table(below.second); }));
  };
  const std::function<void(const std::string&, const Json&)> add = [&](const std::string& name,
                                                                       const Json& value) {
    if (is_table(value)) {
      out.tables.emplace_back(name, table_of(value));
    } else if (has_table(value)) {
      for (const auto& [key, below] : value.items()) add(name + ": " + spaced(key), below);
    } else {
      out.values.rows.push_back({name, in_line(value)});
    }
  };
  for (const auto& field : section.fields) add(field.name, field.value);
  return out;
}

std::string tally(const Card& card) {
  return text(card.measured_count(), " of ", card.field_count(), " fields measured");
}

/// `plain` as Markdown (CommonMark with tables) that shows it.
std::string markdown(const std::string& plain) {
  std::string safe;
  for (const char c : plain) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '<') {
      safe += "&lt;";
    } else if (c == '>') {
      safe += "&gt;";
    } else if (c == '&') {
      safe += "&amp;";
    } else if (byte < 0x20 || byte == 0x7f) {
      safe += ' ';  // a line break would end the table's row
    } else {
      if (std::string("\\`*_{}[]#|~").find(c) != std::string::npos) safe += '\\';
      safe += c;
    }
  }
  return safe;
}

std::string markdown(const Table& table) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string row = "|";
    for (const auto& cell : cells) row += " " + markdown(cell) + " |";
    return row + "\n";
  };
  std::string out = line(table.columns) + "|";
  for (std::size_t c = 0; c < table.columns.size(); ++c) out += "---|";
  out += "\n";
  for (const auto& row : table.rows) out += line(row);
  return out + "\n";
}

}  // namespace

std::int64_t Card::field_count() const {
  std::int64_t count = 0;
  for (const auto& section : sections) count += static_cast<std::int64_t>(section.fields.size());
  return count;
}

std::int64_t Card::measured_count() const {
  std::int64_t count = 0;
  for (const auto& section : sections)
    count += std::count_if(section.fields.begin(), section.fields.end(),
                           [](const CardField& field) { return !field.value.is_null(); });
  return count;
}

std::string to_markdown(const Card& card) {
  std::string out = "# " + markdown(card.title) + "\n\n" + tally(card) + ".\n\n";
  for (const auto& section : card.sections) {
    out += "## " + markdown(section.title) + "\n\n";
    if (!section.statement.empty()) out += markdown(section.statement) + "\n\n";
    const auto parts = layout(section);
    if (!parts.values.rows.empty()) out += markdown(parts.values);
    for (const auto& [name, table] : parts.tables)
      out += "**" + markdown(name) + "**\n\n" + markdown(table);
  }
  out.pop_back();  // one newline at the end
  return out;
}

Json to_json(const Card& card) {
  Json sections = Json::array();
  for (const auto& section : card.sections) {
    Json fields = Json::array();
    for (const auto& field : section.fields)
      fields.push_back(Json::object(
          {{"name", field.name}, {"value", field.value.is_null() ? not_measured : field.value}}));
    sections.push_back(Json::object(
        {{"title", section.title}, {"statement", section.statement}, {"fields", fields}}));
  }
  return Json::object({{"title", card.title},
                       {"measured", card.measured_count()},
                       {"fields", card.field_count()},
                       {"sections", sections}});
}

void add_card(HtmlReport& report, const Card& card) {
  report.heading(card.title).paragraph(tally(card) + ".");
  for (const auto& section : card.sections) {
    report.heading(section.title, 3);
    if (!section.statement.empty()) report.paragraph(section.statement);
    const auto parts = layout(section);
    if (!parts.values.rows.empty()) report.table(parts.values.columns, parts.values.rows);
    for (const auto& [name, table] : parts.tables) report.table(table.columns, table.rows, name);
  }
}

}  // namespace dermis
