#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "axis.hpp"
#include "dermis/core/check.hpp"
#include "dermis/report/chart.hpp"
#include "markup.hpp"
#include "svg.hpp"

namespace dermis {
namespace {

using namespace detail;

struct Point {
  double x = 0;
  double y = 0;
  bool valid = false;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

std::vector<Point> points_of(const Series& series, bool log_y) {
  std::vector<Point> points;
  points.reserve(series.xs.size());
  for (std::size_t i = 0; i < series.xs.size(); ++i) {
    const double x = series.xs[i], y = series.ys[i];
    points.push_back({x, y, std::isfinite(x) && std::isfinite(y) && (!log_y || y > 0)});
  }
  return points;
}

/// Long curves are drawn as their range in the background and their mean in front: so many points
/// would make a band that hides the others, and a large page.
constexpr std::size_t long_curve = 1000;

/// The lowest and the highest point of each of `stretches` equal parts, in the order of the curve.
std::vector<Point> extremes(const std::vector<Point>& points, std::size_t stretches) {
  std::vector<Point> kept;
  for (std::size_t s = 0; s < stretches; ++s) {
    const std::size_t end = (s + 1) * points.size() / stretches;
    std::size_t lowest = s * points.size() / stretches, highest = lowest;
    for (std::size_t i = lowest; i < end; ++i) {
      if (!points[i].valid) {  // a gap has to stay visible
        lowest = highest = i;
        break;
      }
      if (points[i].y < points[lowest].y) lowest = i;
      if (points[i].y > points[highest].y) highest = i;
    }
    kept.push_back(points[std::min(lowest, highest)]);
    if (lowest != highest) kept.push_back(points[std::max(lowest, highest)]);
  }
  return kept;
}

/// The mean of each of `stretches` equal parts; a part without a valid point is a gap.
std::vector<Point> means(const std::vector<Point>& points, std::size_t stretches) {
  std::vector<Point> averaged;
  for (std::size_t s = 0; s < stretches; ++s) {
    const std::size_t end = (s + 1) * points.size() / stretches;
    Point mean;
    double count = 0;
    for (std::size_t i = s * points.size() / stretches; i < end; ++i) {
      if (!points[i].valid) continue;
      mean.x += points[i].x;
      mean.y += points[i].y;
      ++count;
    }
    if (count > 0) mean = {mean.x / count, mean.y / count, true};
    averaged.push_back(mean);
  }
  return averaged;
}

std::string stroke_of(std::size_t index) {
  static constexpr std::array<const char*, 3> dashes{"", ";stroke-dasharray:7 4",
                                                     ";stroke-dasharray:2 3"};
  return text("stroke:", colour(index), dashes[index / palette_size % dashes.size()],
              ";stroke-width:2;fill:none;stroke-linejoin:round;stroke-linecap:round");
}

std::string curve(const std::vector<Point>& points, const Axis& x, const Axis& y,
                  const std::string& style, const std::string& fill) {
  std::string path, dots, last;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!points[i].valid) continue;
    const bool starts = i == 0 || !points[i - 1].valid;
    const bool ends = i + 1 == points.size() || !points[i + 1].valid;
    const std::string px = coordinate(x(points[i].x)), py = coordinate(y(points[i].y));
    // A point without neighbours has no line to show it; few points are marked one by one.
    if ((starts && ends) || points.size() <= 12) {
      dots += text("<circle cx=\"", px, "\" cy=\"", py, "\" r=\"3\" style=\"fill:", fill, "\"/>\n");
    }
    const std::string at = text(px, " ", py);
    if (starts || at != last) path += (starts ? "M" : "L") + at;
    last = at;
  }
  return text("<path d=\"", path, "\" style=\"", style, "\"/>\n", dots);
}

std::string marker(double x, double y, std::size_t index, const std::string& name = "") {
  const std::string title = name.empty() ? "" : "<title>" + escape(name) + "</title>";
  return text("<circle cx=\"", coordinate(x), "\" cy=\"", coordinate(y),
              "\" r=\"4\" style=\"fill:", colour(index), ";fill-opacity:.75\">", title,
              "</circle>\n");
}

/// Points without a line. Names stand on the side of the marker where there is more room.
std::string scattered(const Series& series, const std::vector<Point>& points, const Axis& x,
                      const Axis& y, std::size_t index) {
  std::string body;
  const bool written = points.size() <= 12;
  const double middle = (x(x.low()) + x(x.high())) / 2;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!points[i].valid) continue;
    const double px = x(points[i].x), py = y(points[i].y);
    const std::string name = series.point_names.empty() ? "" : series.point_names[i];
    body += marker(px, py, index, name);
    if (name.empty() || !written) continue;
    body += px < middle ? text_at(px + 8, py + 4.5, shortened(name, 24), "ink")
                        : text_at(px - 8, py + 4.5, shortened(name, 24), "ink", "end");
  }
  return body;
}

void check_series(const Series& series, bool unit_axes) {
  check_argument(series.xs.size() == series.ys.size(), "[chart] expected as many ys as xs in '",
                 series.name, "', got ", series.ys.size(), " and ", series.xs.size());
  const std::size_t named = series.point_names.size();
  check_argument(named == 0 || (series.markers && named == series.xs.size()),
                 "[chart] expected a name for each of the ", series.xs.size(), " markers of '",
                 series.name, "', got ", named, series.markers ? "" : " and a line");
  if (!unit_axes) return;
  for (const std::vector<double>* values : {&series.xs, &series.ys}) {
    for (const double value : *values) {
      // Probabilities in single precision may exceed 1 by a rounding error.
      check_argument(!std::isfinite(value) || std::abs(value - 0.5) <= 0.5 + 1e-6,
                     "[chart] expected values in [0, 1] in '", series.name, "', got ", value);
    }
  }
}

/// Legend entries in rows that fit between `left` and `right`; `y` is the first row's baseline and
/// moves to the last's.
std::string legend(const std::vector<Series>& series, double left, double right, double& y) {
  std::string body;
  double x = left;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const std::string name = shortened(series[i].name, 60);
    const double width = 28 + characters(name) * character_width + 18;
    if (x > left && x + width > right) {
      x = left;
      y += 20;
    }
    body += series[i].markers ? marker(x + 10, y - 4.5, i)
                              : line_at(x, y - 4.5, x + 20, y - 4.5, stroke_of(i));
    body += text_at(x + 27, y, name, "ink");
    x += width;
  }
  return body;
}

}  // namespace

std::string to_svg(const LineChart& chart) {
  check_argument(!(chart.unit_axes && chart.log_y),
                 "[chart] expected unit axes or a logarithmic one in '", chart.title,
                 "', got both");
  const double width = chart.unit_axes ? 480 : 720, right = width - 16;
  Range x_range, y_range;
  std::vector<std::vector<Point>> curves;
  bool named = chart.series.size() > 1;
  for (const Series& series : chart.series) {
    check_series(series, chart.unit_axes);
    curves.push_back(points_of(series, chart.log_y));
    for (const Point& point : curves.back()) {
      if (!point.valid) continue;
      x_range.add(point.x);
      y_range.add(point.y);
    }
    named = named || !series.name.empty();
  }

  std::string body;
  double y = 0;
  if (!chart.title.empty()) body += text_at(0, y += 20, chart.title, "strong");
  if (named) {
    y += 24;
    body += legend(chart.series, 0, right, y);
  }
  if (!chart.y_label.empty()) body += text_at(0, y += 24, chart.y_label, "soft");
  const bool empty = x_range.low > x_range.high;
  const double top = y + 14, bottom = top + (empty ? 60 : chart.unit_axes ? 420 : 260);
  const double height = bottom + (chart.x_label.empty() ? 28 : 48);
  const std::string title = chart.title.empty() ? "Line chart" : chart.title;
  if (empty) {
    body += text_at(width / 2, (top + bottom) / 2, "no data", "soft", "middle");
    return svg_element(width, height, title, body);
  }

  if (chart.unit_axes) x_range = y_range = {0, 1};
  // Zero is worth its space where it takes little.
  if (!chart.log_y && y_range.low > 0 && y_range.low < 0.35 * y_range.high) y_range.add(0);

  Axis x_axis = Axis::linear(x_range.low, x_range.high, 7, false);
  Axis y_axis = chart.log_y ? Axis::logarithmic(y_range.low, y_range.high)
                            : Axis::linear(y_range.low, y_range.high, 5, true);
  int longest = 1;
  for (const Tick& tick : y_axis.ticks()) longest = std::max(longest, characters(tick.label));
  const double left = longest * character_width + 12;
  x_axis.place(left + 6, right - 6);
  y_axis.place(bottom, top + 2);

  for (const Tick& tick : y_axis.ticks()) {
    const double at = y_axis(tick.value);
    body += line_at(left, at, right, at, grid_line);
    body += text_at(left - 8, at + 4.5, tick.label, "soft", "end");
  }
  body += line_at(left, bottom, right, bottom, axis_line);
  for (const Tick& tick : x_axis.ticks()) {
    const double at = x_axis(tick.value);
    body += line_at(at, bottom, at, bottom + 5, axis_line);
    body += text_at(at, bottom + 20, tick.label, "soft", "middle");
  }
  if (!chart.x_label.empty()) {
    body += text_at((left + right) / 2, bottom + 41, chart.x_label, "soft", "middle");
  }
  for (std::size_t i = 0; i < curves.size(); ++i) {
    // A mean of stretches would not be the ROC curve.
    const bool whole = chart.series[i].markers || chart.unit_axes;
    if (whole || curves[i].size() <= long_curve) continue;
    body +=
        curve(extremes(curves[i], 400), x_axis, y_axis,
              text("stroke:", colour(i), ";stroke-width:1;stroke-opacity:.25;fill:none"), "none");
    curves[i] = means(curves[i], 150);
  }
  for (std::size_t i = 0; i < curves.size(); ++i) {
    body += chart.series[i].markers ? scattered(chart.series[i], curves[i], x_axis, y_axis, i)
                                    : curve(curves[i], x_axis, y_axis, stroke_of(i), colour(i));
  }
  return svg_element(width, height, title, body);
}

}  // namespace dermis
