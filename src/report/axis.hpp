#pragma once
/// \file
/// An axis of a chart: from a range of data to round ticks, and from values to coordinates.

#include <string>
#include <vector>

namespace dermis::detail {

struct Tick {
  double value = 0;
  std::string label;
};

/// Maps values linearly, or by their logarithm, onto coordinates.
class Axis {
 public:
  /// Linear from `low` to `high`; with `widen` the ends move out to the ticks around them. A range
  /// without extent gets one.
  static Axis linear(double low, double high, int ticks, bool widen);
  /// Logarithmic; both ends above 0.
  static Axis logarithmic(double low, double high);

  /// Coordinates of the two ends.
  void place(double first, double last);
  double operator()(double value) const;

  double low() const { return low_; }
  double high() const { return high_; }
  const std::vector<Tick>& ticks() const { return ticks_; }
  /// Rewrites the ticks as percentages.
  void label_percent();

 private:
  double low_ = 0;
  double high_ = 1;
  double step_ = 1;
  bool logarithmic_ = false;
  double first_ = 0;
  double last_ = 1;
  std::vector<Tick> ticks_;
};

}  // namespace dermis::detail
