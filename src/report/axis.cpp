#include "axis.hpp"

#include <algorithm>
#include <cmath>

#include "markup.hpp"

namespace dermis::detail {
namespace {

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `rough`.
double round_step(double rough) {
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double digit : {1.0, 2.0, 2.5, 5.0}) {
    if (digit * power >= rough * (1 - 1e-9)) return digit * power;
  }
  return 10 * power;
}

/// Decimals that tell multiples of `step` apart.
int decimals_of(double step) {
  int decimals = 0;
  while (decimals < 12 && std::abs(step - std::round(step)) > 1e-6 * step) {
    step *= 10;
    ++decimals;
  }
  return decimals;
}

std::string power_of_ten(int exponent) {
  static const char* const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string label = exponent < 0 ? "10⁻" : "10";
  for (const char c : std::to_string(std::abs(exponent))) label += digits[c - '0'];
  return label;
}

/// Multiples of `step`, in thousands or millions where they get long.
std::string linear_label(double value, double step, double largest) {
  if (largest >= 1e9 || largest < 1e-5) return significant(value);
  if (largest >= 1e6) return value == 0 ? "0" : fixed(value / 1e6, decimals_of(step / 1e6)) + "M";
  if (largest >= 1e4) return value == 0 ? "0" : fixed(value / 1e3, decimals_of(step / 1e3)) + "k";
  return fixed(value, decimals_of(step));
}

}  // namespace

Axis Axis::linear(double low, double high, int ticks, bool widen) {
  if (!(high - low > 1e-12 * std::max(std::abs(low), std::abs(high)))) {
    const double margin = low == 0 ? 1 : std::abs(low) / 2;
    low -= margin;
    high += margin;
  }
  Axis axis;
  const double step = round_step((high - low) / ticks);
  if (widen) {
    low = std::floor(low / step + 1e-9) * step;
    high = std::ceil(high / step - 1e-9) * step;
  }
  axis.low_ = low;
  axis.high_ = high;
  axis.step_ = step;
  const double largest = std::max(std::abs(low), std::abs(high));
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    const double value = k == 0 ? 0 : k * step;
    axis.ticks_.push_back({value, linear_label(value, step, largest)});
  }
  return axis;
}

Axis Axis::logarithmic(double low, double high) {
  if (high / low < 1.2) {  // one value, or nearly so
    low /= 1.5;
    high *= 1.5;
  }
  Axis axis;
  axis.logarithmic_ = true;
  axis.low_ = low;
  axis.high_ = high;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const double decades = std::log10(high / low);
  const int stride = std::max(1, static_cast<int>(decades / 6));
  std::vector<double> digits{1};
  if (decades < 3) digits = {1, 2, 5};
  if (decades < 0.8) digits = {1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9};
  if (decades < 0.3)
    digits = {1,   1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2,   2.2, 2.5, 2.8, 3,  3.3,
              3.6, 4,   4.5, 5,   5.5, 6,   6.5, 7,   7.5, 8,   8.5, 9,   9.5};
  for (int exponent = first; exponent <= last; exponent += stride) {
    for (const double digit : digits) {
      const double value = digit * std::pow(10.0, exponent);
      if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
      const bool plain = low >= 1e-4 && high < 1e5;
      const int decimals = std::max(0, -exponent) + decimals_of(digit);
      axis.ticks_.push_back({value, plain        ? fixed(value, exponent > 0 ? 0 : decimals)
                                    : digit == 1 ? power_of_ten(exponent)
                                                 : significant(value)});
    }
  }
  return axis;
}

void Axis::place(double first, double last) {
  first_ = first;
  last_ = last;
}

double Axis::operator()(double value) const {
  const double share = logarithmic_ ? std::log(value / low_) / std::log(high_ / low_)
                                    : (value - low_) / (high_ - low_);
  return first_ + share * (last_ - first_);
}

void Axis::label_percent() {
  for (Tick& tick : ticks_) tick.label = fixed(100 * tick.value, decimals_of(100 * step_)) + " %";
}

}  // namespace dermis::detail
