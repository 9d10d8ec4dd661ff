#pragma once
/// \file
/// Figures as people read them.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

#include "dermis/metrics/bootstrap.hpp"

namespace dermis::detail {

/// printf into a string of at most 511 characters.
template <class... Values>
std::string format(const char* pattern, Values... values) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

/// 0.802 -> "80.2 %"; "-" for what is not finite.
inline std::string percent(double share) {
  return std::isfinite(share) ? format("%.1f %%", 100 * share) : "-";
}
/// "80.2 % (78.4 to 82.0)".
inline std::string percent(const Interval& i) {
  return format("%.1f %% (%.1f to %.1f)", 100 * i.mean, 100 * i.lo, 100 * i.hi);
}

/// A difference of shares: "+1.0 (-3.5 to +5.4)".
inline std::string points(const Interval& difference) {
  return format("%+.1f (%+.1f to %+.1f)", 100 * difference.mean, 100 * difference.lo,
                100 * difference.hi);
}

/// 25600 -> "25 600".
inline std::string count(std::int64_t value) {
  auto digits = std::to_string(value);
  for (auto at = static_cast<std::int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ' ');
  return digits;
}

}  // namespace dermis::detail
