#include <algorithm>
#include <cmath>
#include <limits>

#include "axis.hpp"
#include "dermis/core/check.hpp"
#include "dermis/report/chart.hpp"
#include "markup.hpp"
#include "svg.hpp"

namespace dermis {
namespace {

using namespace detail;

/// The marks of one row centred on `y`.
std::string marks(const Bar& bar, const BarChart& chart, const Axis& axis, double y) {
  std::string body;
  if (!std::isfinite(bar.mean)) return body;
  const double at = axis(bar.mean);
  if (chart.from_zero) {
    const double zero = axis(0);
    body += text("<rect x=\"", coordinate(std::min(zero, at)), "\" y=\"", coordinate(y - 8),
                 "\" width=\"", coordinate(std::abs(at - zero)),
                 "\" height=\"16.0\" style=\"fill:", colour(0), ";fill-opacity:.28\"/>\n");
  }
  if (std::isfinite(bar.lo) && std::isfinite(bar.hi)) {
    const std::string style = text("stroke:", colour(0), ";stroke-width:2");
    body += line_at(axis(bar.lo), y, axis(bar.hi), y, style);
    body += line_at(axis(bar.lo), y - 5, axis(bar.lo), y + 5, style);
    body += line_at(axis(bar.hi), y - 5, axis(bar.hi), y + 5, style);
  }
  body += text("<circle cx=\"", coordinate(at), "\" cy=\"", coordinate(y),
               "\" r=\"4.5\" style=\"fill:", colour(0), "\"/>\n");
  return body;
}

}  // namespace

std::string interval_text(double mean, double lo, double hi, bool percent) {
  const double factor = percent ? 100 : 1;
  // One number of decimals for all three, fit for the mean; shares are at their best with three.
  int decimals = percent ? 1 : 3;
  if (!percent && std::isfinite(mean) && mean != 0 &&
      !(std::abs(mean) >= 0.1 && std::abs(mean) < 10)) {
    decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(std::abs(mean)))), 0, 8);
  }
  std::string label = fixed(mean * factor, decimals);
  if (percent && std::isfinite(mean)) label += " %";
  if (!std::isfinite(mean) || !std::isfinite(lo) || !std::isfinite(hi)) return label;
  return label + " [" + fixed(lo * factor, decimals) + ", " + fixed(hi * factor, decimals) + "]";
}

std::string to_svg(const BarChart& chart) {
  constexpr double width = 720, row_height = 32;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  const auto include = [&](double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  };
  int longest_name = 1, longest_figures = 1;
  constexpr int name_limit = 34;
  for (const Bar& bar : chart.bars) {
    include(bar.mean);
    if (std::isfinite(bar.lo) && std::isfinite(bar.hi)) {
      include(bar.lo);
      include(bar.hi);
    }
    longest_name = std::max(longest_name, std::min(name_limit, characters(bar.name)));
    const std::string figures = interval_text(bar.mean, bar.lo, bar.hi, chart.percent);
    longest_figures = std::max(longest_figures, characters(figures));
  }
  const bool empty = low > high;

  std::string body;
  double y = 0;
  if (!chart.title.empty()) body += text_at(0, y += 20, chart.title, "strong");
  const double references_top = y;
  const double top = y + 10 + 20 * static_cast<double>(chart.references.size());
  const double bottom = top + std::max(2.0, static_cast<double>(chart.bars.size())) * row_height;
  const double height = bottom + (chart.x_label.empty() ? 28 : 48);
  const std::string title = chart.title.empty() ? "Bar chart" : chart.title;
  if (empty) {
    body += text_at(width / 2, (top + bottom) / 2, "no data", "soft", "middle");
    return svg_element(width, height, title, body);
  }
  for (const Reference& reference : chart.references) include(reference.value);
  if (chart.from_zero) include(0);

  const double left = longest_name * character_width + 14;
  const double right = width - longest_figures * character_width - 12;
  Axis axis = Axis::linear(low, high, 5, true);
  if (chart.percent) axis.label_percent();
  axis.place(left + 6, right - 6);

  for (const Tick& tick : axis.ticks()) {
    const double at = axis(tick.value);
    body += line_at(at, top, at, bottom, grid_line);
    body += text_at(at, bottom + 20, tick.label, "soft", "middle");
  }
  body += line_at(left, bottom, right, bottom, axis_line);
  if (!chart.x_label.empty()) {
    body += text_at((left + right) / 2, bottom + 41, chart.x_label, "soft", "middle");
  }
  for (std::size_t i = 0; i < chart.references.size(); ++i) {
    const Reference& reference = chart.references[i];
    if (!std::isfinite(reference.value)) continue;
    const double at = axis(reference.value);
    const double baseline = references_top + 22 + 20 * static_cast<double>(i);
    body += line_at(at, baseline - 11, at, bottom,
                    text("stroke:", colour(i + 1), ";stroke-width:1.5;stroke-dasharray:5 4"));
    const bool before = at > (left + right) / 2;
    body += text_at(before ? at - 6 : at + 6, baseline, shortened(reference.name, 50), "soft",
                    before ? "end" : "start");
  }
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double centre = top + (static_cast<double>(i) + 0.5) * row_height;
    body += text_at(left - 8, centre + 4.5, shortened(bar.name, name_limit), "ink", "end");
    body += marks(bar, chart, axis, centre);
    body += text_at(right + 10, centre + 4.5,
                    interval_text(bar.mean, bar.lo, bar.hi, chart.percent), "ink");
  }
  return svg_element(width, height, title, body);
}

}  // namespace dermis
