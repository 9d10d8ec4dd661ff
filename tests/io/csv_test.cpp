#include "dermis/io/csv.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/file.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;
using Row = std::vector<std::string>;

std::string parse_error(std::string_view text) {
  return message_of<std::runtime_error>([&] { parse_csv(text, "labels.csv"); });
}

TEST_CASE("csv: plain tables, LF or CRLF, with or without a last line break") {
  for (const char* text :
       {"image,label\na,NV\nb,MEL\n", "image,label\r\na,NV\r\nb,MEL\r\n",
        "image,label\na,NV\nb,MEL", "\xEF\xBB\xBFimage,label\n\na,NV\n\r\nb,MEL\n\n"}) {
    const Table table = parse_csv(text, "labels.csv");
    CHECK(table.source == "labels.csv");
    CHECK(table.columns == Row{"image", "label"});
    CHECK(table.rows == std::vector<Row>{{"a", "NV"}, {"b", "MEL"}});
  }
  const Table table = parse_csv("image,label\n\na,NV\n\nb,\"M\nEL\"\nc,NV\n", "labels.csv");
  CHECK(table.lines == std::vector<std::int64_t>{3, 5, 7});
  CHECK(table.column("label") == 1);
  CHECK(table.column("Label") == -1);
  CHECK(parse_csv("image,label\n", "labels.csv").rows.empty());
}

TEST_CASE("csv: quotes, empty cells, commas and line breaks in cells") {
  const Table table =
      parse_csv("a,b,c\n\"x,y\",\"say \"\"hi\"\"\",\"two\r\nlines\"\n,\"\",\n", "t");
  CHECK(table.rows == std::vector<Row>{{"x,y", "say \"hi\"", "two\r\nlines"}, {"", "", ""}});
}

TEST_CASE("csv: what is written reads back") {
  const std::vector<Row> rows{{"plain", "with,comma", "with \"quote\""},
                              {"", "line\nbreak", "\r"},
                              {" space ", "", "\u00e4"}};
  std::string text = "a,b,c\n";
  for (const Row& row : rows) text += csv_line(row) + "\n";
  CHECK(parse_csv(text, "t").rows == rows);
  CHECK(csv_line({"a", "b,c", "d\"e"}) == "a,\"b,c\",\"d\"\"e\"");
  CHECK(parse_csv("a\n" + csv_line({""}) + "\n", "t").rows == std::vector<Row>{{""}});
}

TEST_CASE("csv: errors name file and line") {
  CHECK(parse_error("image,label\na,NV\nb\n") == "[csv] labels.csv:3: expected 2 cells, got 1");
  CHECK(parse_error("image,label\na,NV,x\n") == "[csv] labels.csv:2: expected 2 cells, got 3");
  CHECK(parse_error("image,label\n\n\"a\nb\",NV\nc,NV,\n") ==
        "[csv] labels.csv:5: expected 2 cells, got 3");
  CHECK(mentions(parse_error("image,label\na,NV\nb,\"NV\nc,MEL\n"),
                 {"labels.csv:3: expected a closing quote"}));
  CHECK(
      mentions(parse_error("image,label\na,\"NV\"x\n"), {"labels.csv:2: expected a comma", "'x'"}));
  CHECK(mentions(parse_error("image,label\na,N\"V\n"),
                 {"labels.csv:2: expected quotes around the whole cell"}));
  CHECK(mentions(parse_error(""),
                 {"labels.csv:1: expected a line of column names, got an empty file"}));
  CHECK(mentions(parse_error("\xEF\xBB\xBF\n\n"), {"an empty file"}));
  CHECK(mentions(parse_error("image,label,image\na,NV,b\n"), {"labels.csv:1: ", "'image' twice"}));
  CHECK(
      mentions(parse_error(std::string_view("i\0m\0", 4)), {"labels.csv:1: expected UTF-8 text"}));
  CHECK(parse_error("image,label,,\na,NV,,\n")
            .empty());  // a spreadsheet's empty columns are no error
}

TEST_CASE("csv: reads files") {
  const test::ScratchFolder folder;
  write_atomically(folder / "labels.csv", "image,label\na,NV\n");
  CHECK(read_csv(folder / "labels.csv").rows.size() == 1);
  CHECK(read_csv(folder / "labels.csv").source == (folder / "labels.csv").string());
  CHECK(mentions(message_of<std::runtime_error>([&] { read_csv(folder / "none.csv"); }),
                 {(folder / "none.csv").string(), "No such file"}));
  CHECK(
      mentions(message_of<std::runtime_error>([&] { read_csv(folder / ""); }), {"Is a directory"}));
}

}  // namespace
}  // namespace dermis
