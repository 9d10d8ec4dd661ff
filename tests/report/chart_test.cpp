#include "dermis/report/chart.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

#include "markup_check.hpp"

using namespace dermis;
using Catch::Contains;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

LineChart line_chart() {
  return {
      .title = "Loss",
      .x_label = "step",
      .y_label = "cross-entropy",
      .series = {{"training", {0, 100, 200}, {2, 1, 0.5}}, {"validation", {0, 200}, {2.1, 0.9}}}};
}

BarChart bar_chart() {
  return {.title = "Arms",
          .x_label = "balanced accuracy",
          .bars = {{"real only", 0.6, 0.55, 0.65}, {"no interval", 0.3}},
          .references = {{"chance", 0.125}},
          .percent = true};
}

}  // namespace

TEST_CASE("line chart: is well-formed and holds title, labels, legend and round ticks") {
  const std::string svg = to_svg(line_chart());
  CHECK(fixtures::elements(svg).front() == "svg");
  for (const char* word : {"Loss", "step", "cross-entropy", "training", "validation", ">0.0<",
                           ">0.5<", ">1.0<", ">2.5<", ">100<", ">200<"}) {
    CHECK_THAT(svg, Contains(word));
  }
  CHECK(fixtures::count(svg, "<path ") == 2);
  CHECK_THAT(svg, Contains("stroke:var(--c1,") && Contains("stroke:var(--c2,"));
}

TEST_CASE("line chart: points lie where their values say") {
  LineChart chart;
  chart.series = {{"", {0, 10, 20, 40}, {0, 10, 20, 40}}};
  const std::string svg = to_svg(chart);
  const std::vector<double> x = fixtures::numbers(svg, "circle", "cx");
  const std::vector<double> y = fixtures::numbers(svg, "circle", "cy");
  REQUIRE(x.size() == 4);
  CHECK((x[2] - x[0]) / (x[3] - x[0]) == Approx(0.5).margin(1e-3));
  CHECK((y[1] - y[0]) / (y[3] - y[0]) == Approx(0.25).margin(1e-3));
  CHECK(y[3] < y[0]);  // upwards
  chart.log_y = true;
  chart.series = {{"", {1, 2, 3}, {0.01, 0.1, 1}}};
  const std::vector<double> logs = fixtures::numbers(to_svg(chart), "circle", "cy");
  CHECK(logs[0] - logs[1] == Approx(logs[1] - logs[2]).margin(0.2));
  CHECK_THAT(to_svg(chart), Contains(">0.01<") && Contains(">0.1<") && Contains(">1<"));
}

TEST_CASE("line chart: gaps for what cannot be drawn, a word for no data at all") {
  LineChart chart;
  chart.series = {{"a", {0, 1, 2, 3, 4}, {1, 2, missing, 4, 5}}};
  std::string svg = to_svg(chart);
  CHECK(fixtures::count(svg.substr(svg.find("<path d=")), "M") == 2);
  CHECK(svg.find("nan") == std::string::npos);
  chart.log_y = true;
  chart.series = {{"a", {0, 1, 2}, {0, -1, 0}}};
  CHECK_THAT(to_svg(chart), Contains("no data"));
  CHECK_THAT(to_svg(LineChart{}), Contains("no data"));
  CHECK(!fixtures::elements(to_svg(LineChart{})).empty());
}

TEST_CASE("line chart: constant, tiny and huge values get an axis with several ticks") {
  for (const double value : {0.0, 5.0, -3.0, 1e-9, 1e12}) {
    for (const bool log_y : {false, true}) {
      if (log_y && value <= 0) continue;
      LineChart chart;
      chart.log_y = log_y;
      chart.series = {{"", {1, 2}, {value, value}}};
      const std::string svg = to_svg(chart);
      CAPTURE(value, log_y, svg);
      CHECK(fixtures::numbers(svg, "text", "x").size() >= 4);
      CHECK(svg.find("inf") == std::string::npos);
      CHECK(svg.find("nan") == std::string::npos);
      for (const double y : fixtures::numbers(svg, "circle", "cy")) CHECK((y > 0 && y < 400));
    }
  }
}

TEST_CASE("line chart: long curves stay small and keep their range") {
  LineChart chart;
  chart.series.resize(1);
  for (int i = 0; i < 100000; ++i) {
    chart.series[0].xs.push_back(i);
    chart.series[0].ys.push_back(i == 50000 ? 9 : std::sin(i * 0.001));
  }
  const std::string svg = to_svg(chart);
  CHECK(svg.size() < 40000);
  CHECK_THAT(svg, Contains(">10<"));
  CHECK(fixtures::count(svg, "<path ") == 2);  // the range and the mean
}

TEST_CASE("line chart: many series repeat the palette with dashes") {
  LineChart chart;
  for (int i = 0; i < 9; ++i)
    chart.series.push_back({"series " + std::to_string(i), {0, 1}, {0., 1.}});
  const std::string svg = to_svg(chart);
  CHECK(fixtures::count(svg, "stroke-dasharray") == 4);  // two curves and their legend entries
}

TEST_CASE("line chart: xs and ys of unequal length are refused") {
  LineChart chart = line_chart();
  CHECK_NOTHROW(to_svg(chart));
  chart.series[1].ys.pop_back();
  CHECK_THROWS_WITH(to_svg(chart),
                    "[chart] expected as many ys as xs in 'validation', got 1 and 2");
}

TEST_CASE("line chart: unit axes hold an ROC curve with readers as named points") {
  LineChart chart{.title = "ROC", .x_label = "1 - specificity", .y_label = "sensitivity"};
  chart.unit_axes = true;
  chart.series = {{"model", {0, 0.1, 0.4, 0.6}, {0, 0.5, 0.7, 0.8}},
                  {.name = "readers",
                   .xs = {0.2, 0.8, missing},
                   .ys = {0.5, 0.25, 0.5},
                   .markers = true,
                   .point_names = {"reader 1", "<2>", "absent"}}};
  const std::string svg = to_svg(chart);
  CHECK(fixtures::elements(svg).front() == "svg");
  CHECK(fixtures::count(svg, "<path ") == 1);      // the model's
  CHECK(fixtures::count(svg, "r=\"4\"") == 3);     // two readers and the legend
  CHECK(fixtures::count(svg, ">reader 1<") == 2);  // on hovering and beside the marker
  CHECK(fixtures::count(svg, ">&lt;2&gt;<") == 2);
  CHECK_THAT(svg, !Contains("absent"));
  // Both axes end at 0 and 1 though no value does, and are equally long.
  CHECK(fixtures::count(svg, ">0.0<") == 2);
  CHECK(fixtures::count(svg, ">1.0<") == 2);
  const std::vector<double> x = fixtures::numbers(svg, "circle", "cx");  // legend, model, readers
  const std::vector<double> y = fixtures::numbers(svg, "circle", "cy");
  REQUIRE(x.size() == 7);
  const double per_x = (x[4] - x[1]) / 0.6, per_y = (y[1] - y[4]) / 0.8;
  CHECK(per_x == Approx(per_y).epsilon(0.02));
  CHECK(x[5] == Approx(x[1] + 0.2 * per_x).margin(0.11));
  CHECK(y[6] == Approx(y[1] - 0.25 * per_y).margin(0.11));
}

TEST_CASE("line chart: many markers keep their names for the tooltip") {
  LineChart chart;
  chart.series = {{.name = "readers", .markers = true}};
  for (int i = 0; i < 2000; ++i) {
    chart.series[0].xs.push_back(i);
    chart.series[0].ys.push_back(i % 7);
    chart.series[0].point_names.push_back("reader " + std::to_string(i));
  }
  const std::string svg = to_svg(chart);
  CHECK(fixtures::count(svg, "<circle ") == 2001);  // no mean of stretches, and the legend's
  CHECK(fixtures::count(svg, ">reader 7<") == 1);
  CHECK(fixtures::count(svg, "<path ") == 0);
}

TEST_CASE("line chart: a long curve on unit axes keeps its course and stays small") {
  LineChart chart;
  chart.unit_axes = true;
  chart.series.resize(1);
  for (int i = 0; i <= 50000; ++i) {
    chart.series[0].xs.push_back(i / 50000.0);
    chart.series[0].ys.push_back(i < 25000 ? 0 : 1);
  }
  const std::string svg = to_svg(chart);
  CHECK(fixtures::count(svg, "<path ") == 1);
  CHECK(svg.size() < 80000);
  // A step: every point is at the bottom or at the top, none between, as a mean would be.
  const std::size_t path = svg.find("<path d=");
  const std::string course = svg.substr(path, svg.find(" style", path) - path);
  std::set<std::string> heights;
  for (std::size_t at = course.find(' ', 7); at != std::string::npos; at = course.find(' ', at + 1))
    heights.insert(course.substr(at, course.find_first_of("L\"", at) - at));
  CHECK(heights.size() == 2);
}

TEST_CASE("line chart: what does not fit unit axes or markers is refused") {
  LineChart chart;
  chart.unit_axes = true;
  chart.series = {{"roc", {0, 1}, {0, 1 + 1e-7}}};
  CHECK_NOTHROW(to_svg(chart));
  chart.series[0].ys[1] = 1.5;
  CHECK_THROWS_WITH(to_svg(chart), "[chart] expected values in [0, 1] in 'roc', got 1.5");
  chart.series[0].ys[1] = 1;
  chart.log_y = true;
  chart.title = "ROC";
  CHECK_THROWS_WITH(to_svg(chart),
                    "[chart] expected unit axes or a logarithmic one in 'ROC', got both");
  chart.log_y = false;
  chart.series[0].point_names = {"a", "b"};
  CHECK_THROWS_WITH(to_svg(chart),
                    "[chart] expected a name for each of the 2 markers of 'roc', got 2 and a line");
  chart.series[0].markers = true;
  CHECK_NOTHROW(to_svg(chart));
  chart.series[0].point_names.pop_back();
  CHECK_THROWS_WITH(to_svg(chart),
                    "[chart] expected a name for each of the 2 markers of 'roc', got 1");
}

TEST_CASE("bar chart: bars, whiskers, figures and the reference are there and in place") {
  const std::string svg = to_svg(bar_chart());
  CHECK(fixtures::elements(svg).front() == "svg");
  for (const char* word :
       {"Arms", "real only", "60.0 % [55.0, 65.0]", "30.0 %", "chance", ">0 %<"}) {
    CHECK_THAT(svg, Contains(word));
  }
  const std::vector<double> start = fixtures::numbers(svg, "rect", "x");
  const std::vector<double> width = fixtures::numbers(svg, "rect", "width");
  REQUIRE(width.size() == 2);
  CHECK(start[0] == start[1]);
  CHECK(width[0] / width[1] == Approx(2).margin(0.01));
  CHECK(fixtures::count(svg, "stroke-width:2") == 3);  // one whisker of three strokes
}

TEST_CASE("bar chart: dots on a fitted axis, negative differences, missing figures") {
  BarChart chart = bar_chart();
  chart.from_zero = false;
  chart.references.clear();
  CHECK(fixtures::count(to_svg(chart), "<rect ") == 0);
  chart.from_zero = true;
  chart.percent = false;
  chart.bars = {{"worse", -0.2, -0.3, -0.1}, {"better", 0.2, 0.1, 0.3}, {"failed", missing}};
  const std::string svg = to_svg(chart);
  const std::vector<double> start = fixtures::numbers(svg, "rect", "x");
  REQUIRE(start.size() == 2);
  CHECK(start[0] + fixtures::numbers(svg, "rect", "width")[0] == Approx(start[1]).margin(0.11));
  CHECK(svg.find("nan") == std::string::npos);
  CHECK_THAT(to_svg(BarChart{}), Contains("no data"));
}

TEST_CASE("charts: text is escaped") {
  const std::string hostile = "<script>\"&'";
  LineChart line{hostile, hostile, hostile, {{hostile, {0, 1}, {0, 1}}}};
  BarChart bars{hostile, hostile, {{hostile, 1}}, {{hostile, 0.5}}};
  for (const std::string& svg : {to_svg(line), to_svg(bars)}) {
    CHECK(fixtures::elements(svg).size() > 5);
    CHECK(svg.find("<script") == std::string::npos);
    CHECK(fixtures::count(svg, "&lt;script&gt;&quot;&amp;&#39;") >= 4);
  }
}

TEST_CASE("interval text: decimals fit the figure") {
  CHECK(interval_text(0.6123, 0.5891, 0.6344) == "0.612 [0.589, 0.634]");
  CHECK(interval_text(0.6123, 0.5891, 0.6344, true) == "61.2 % [58.9, 63.4]");
  CHECK(interval_text(0.5, missing, missing) == "0.500");
  CHECK(interval_text(missing, missing, missing, true) == "–");
  CHECK(interval_text(0.00123, -0.0004, 0.003) == "0.00123 [-0.00040, 0.00300]");
  CHECK(interval_text(48.3, 47.12, 49.5) == "48.3 [47.1, 49.5]");
}
