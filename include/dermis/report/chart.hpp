#pragma once
/// \file
/// Charts as inline SVG: lines (curves of training) and bars with intervals (arms of a comparison).
/// Colours are safe for colour-blind readers and follow the page's light or dark theme through CSS
/// variables, with fallbacks so that a chart also stands alone in a file.

#include <limits>
#include <string>
#include <vector>

namespace dermis {

struct Series {
  std::string name;
  std::vector<double> xs;
  std::vector<double> ys;  ///< as many as xs; values that are not finite interrupt the line
  bool markers = false;    ///< points alone, no line between them
  /// A name a marker, or none at all: a tooltip, also written beside it where there are at most 12.
  std::vector<std::string> point_names = {};
};

/// Curves and points over a common x axis, linear or logarithmic in y. A line of more than 1,000
/// points is drawn as its range (faint) and its mean in 150 stretches, unless `unit_axes` is set.
struct LineChart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;
  bool log_y = false;  ///< logarithmic y axis; values of 0 and below are left out
  /// Both axes from 0 to 1 in a square, for ROC curves and reliability diagrams.
  bool unit_axes = false;
};

struct Bar {
  std::string name;
  double mean = 0;
  double lo =
      std::numeric_limits<double>::quiet_NaN();  ///< lower end of the interval; NaN: none drawn
  double hi = std::numeric_limits<double>::quiet_NaN();
};

/// A vertical line to compare with, such as chance level.
struct Reference {
  std::string name;
  double value = 0;
};

/// One horizontal bar a row, top to bottom, with its interval as a whisker and its figures beside
/// it.
struct BarChart {
  std::string title;
  std::string x_label;
  std::vector<Bar> bars;
  std::vector<Reference> references;
  bool percent = false;   ///< write figures in percent (0.42 -> 42.0 %)
  bool from_zero = true;  ///< bars from 0; otherwise dots on an axis fitted to the data
};

/// The chart as an `<svg>` element, all text escaped. A chart without a finite value says "no
/// data". Throws std::invalid_argument if a series has not as many ys as xs, point names that are
/// not as many or without `markers`; with `unit_axes` for values outside [0, 1] or `log_y`.
std::string to_svg(const LineChart& chart);
std::string to_svg(const BarChart& chart);

/// "0.612 [0.589, 0.634]", or "61.2 % [58.9, 63.4]" with `percent`; without the brackets if lo or
/// hi is NaN, a dash if the mean is.
std::string interval_text(double mean, double lo, double hi, bool percent = false);

}  // namespace dermis
