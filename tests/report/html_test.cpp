#include "dermis/report/html.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <stdexcept>

#include "dermis/core/file.hpp"
#include "markup_check.hpp"

using namespace dermis;
using Catch::Contains;

namespace {

/// A page with every kind of block; `word` is in every place that takes text.
HtmlReport page(const std::string& word) {
  const Image image = make_image(4, 4, 200);
  Eigen::MatrixXi matrix(2, 2);
  matrix << 3, 1, 0, 0;
  HtmlReport report(word, word);
  report.heading(word).heading(word).heading(word).heading(word, 3);
  report.paragraph(word).notice(word).code(word).key_figures({{word, word}});
  report.table({word, word}, {{word, word}}, word);
  report.picture(image, word, 2).gallery({word}, {{word, {image}}}, word);
  report.chart(LineChart{word, word, word, {{word, {0, 1}, {0, 1}}}}, word);
  report.chart(BarChart{word, word, {{word, 1}}, {}}, word);
  report.confusion(matrix, {word, word}, word);
  return report;
}

}  // namespace

TEST_CASE("report: the page is well-formed and needs nothing from outside") {
  const std::string html = page("plain").html();
  const std::vector<std::string> elements = fixtures::elements(html);
  CHECK(elements[0] == "!DOCTYPE");
  for (const char* forbidden : {"script", "link", "iframe", "object", "base"}) {
    CHECK(std::count(elements.begin(), elements.end(), forbidden) == 0);
  }
  // Namespaces of SVG are names, not addresses that a browser fetches.
  CHECK(fixtures::count(html, "http") ==
        fixtures::count(html, "xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(html.find("url(") == std::string::npos);
  CHECK(html.find("@import") == std::string::npos);
  CHECK(fixtures::count(html, "src=\"") == fixtures::count(html, "src=\"data:image/png;base64,"));
  CHECK_THAT(html, Contains("prefers-color-scheme: dark") && Contains("@media print"));
}

TEST_CASE("report: text is escaped wherever it goes") {
  const std::string html = page("<img src=x onerror=\"a\">&'\x01").html();
  CHECK(html.find("<img src=x") == std::string::npos);
  CHECK(html.find("onerror=\"") == std::string::npos);
  CHECK(html.find('\x01') == std::string::npos);
  CHECK(fixtures::elements(html).size() == fixtures::elements(page("plain").html()).size());
  CHECK(fixtures::count(html, "&lt;img src=x onerror=&quot;a&quot;&gt;&amp;&#39;\xEF\xBF\xBD") >
        25);
}

TEST_CASE("report: the same calls give the same page") {
  CHECK(page("a").html() == page("a").html());
  CHECK(page("a").html() != page("b").html());
}

TEST_CASE("report: an embedded picture decodes to the same pixels") {
  Image image = make_image(5, 3, 90);
  image.pixel(4, 2)[1] = 17;
  const std::string html = HtmlReport("r").picture(image, "a picture", 3).html();
  CHECK_THAT(html, Contains("width=\"15\" height=\"9\" alt=\"a picture\""));
  const std::string mark = "base64,";
  const std::size_t from = html.find(mark) + mark.size();
  const auto bytes = fixtures::from_base64(html.substr(from, html.find('"', from) - from));
  CHECK(decode_image(std::string(bytes.begin(), bytes.end()), "embedded") == image);
}

TEST_CASE("report: contents, figures and tables are numbered in order") {
  HtmlReport report("r");
  report.heading("First").heading("Detail", 3).heading("Second").heading("Third");
  report.picture(make_image(1, 1), "one")
      .table({"a"}, {}, "single")
      .picture(make_image(1, 1), "two");
  const std::string html = report.html();
  CHECK_THAT(html, Contains("<a href=\"#section-2\">Second</a>"));
  CHECK_THAT(html, Contains("<h2 id=\"section-2\">Second</h2>"));
  CHECK(html.find("\">Detail</a>") == std::string::npos);
  CHECK_THAT(html, Contains("<b>Figure 2.</b> two") && Contains("<b>Table 1.</b> single"));
  // Two headings need no contents.
  CHECK(HtmlReport("r").heading("a").heading("b").html().find("<nav") == std::string::npos);
}

TEST_CASE("report: columns of figures are aligned right, columns of words are not") {
  const std::string html =
      HtmlReport("r")
          .table({"arm", "score", "remark"},
                 {{"1", "61.2 % [58.9, 63.4]", "3 of 4"}, {"2", "–", "none"}, {"3", "- / -", "no"}})
          .html();
  CHECK_THAT(html, Contains("<th scope=\"col\" class=\"figure\">score</th>"));
  CHECK_THAT(html, Contains("<td class=\"figure\">–</td>"));
  CHECK_THAT(html, Contains("<th scope=\"col\">remark</th>"));
  CHECK_THAT(html, Contains("<th scope=\"row\">1</th>"));
}

TEST_CASE("report: the heat map shows the percentages of rows, and rows without images") {
  Eigen::MatrixXi matrix(2, 2);
  matrix << 3, 1, 0, 0;
  const std::string html = HtmlReport("r").confusion(matrix, {"MEL", "NV"}, "c").html();
  CHECK_THAT(html, Contains("rgba(var(--heat),0.750)\">75 %<small>3</small>"));
  CHECK_THAT(html, Contains("rgba(var(--heat),0.250)\">25 %<small>1</small>"));
  CHECK_THAT(html, Contains("–<small>0</small>"));
  CHECK_THAT(html, Contains("<td>4</td></tr>"));
}

TEST_CASE("report: blocks that do not fit are refused and leave no trace") {
  HtmlReport report("r");
  const std::string before = report.html();
  CHECK_THROWS_AS(report.heading("x", 1), std::invalid_argument);
  CHECK_THROWS_AS(report.heading("x", 5), std::invalid_argument);
  CHECK_THROWS_WITH(report.table({"a", "b"}, {{"1", "2"}, {"1"}}),
                    "[report] expected 2 cells in row 1, got 1");
  CHECK_THROWS_AS(report.picture(make_image(1, 1), "x", 0), std::invalid_argument);
  CHECK_THROWS_AS(report.picture(Image{}, "x"), std::invalid_argument);
  CHECK_THROWS_WITH(report.gallery({"real", "synthetic"}, {{"MEL", {make_image(1, 1)}}}, "x"),
                    "[report] expected 2 pictures in row 'MEL', got 1");
  CHECK_THROWS_AS(report.confusion(Eigen::MatrixXi::Zero(2, 2), {"MEL"}, "x"),
                  std::invalid_argument);
  CHECK(report.html() == before);
}

TEST_CASE("report: is written whole, or the error names the path") {
  const auto folder = std::filesystem::temp_directory_path() / "dermis_html_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const HtmlReport report = page("a");
  report.write(folder / "report.html");
  CHECK(read_file(folder / "report.html") == report.html());
  // Below a regular file there is nowhere to write, not even for root.
  CHECK_THROWS_WITH(report.write(folder / "report.html" / "x.html"), Contains("x.html"));
  CHECK_THROWS_AS(report.write(folder / "report.html" / "x.html"), std::runtime_error);
  std::filesystem::remove_all(folder);
}
