#pragma once
/// \file
/// Private to src/io: a lesion's outline, from its segmentation.

#include <array>
#include <cstdint>
#include <vector>

#include "dermis/io/image.hpp"

namespace dermis::detail {

/// How much of each pixel belongs to the lesion, 0 .. 1.
struct Coverage {
  std::int64_t width = 0, height = 0;
  std::vector<double> values;

  double at(std::int64_t x, std::int64_t y) const {  ///< 0 outside
    return x < 0 || y < 0 || x >= width || y >= height
               ? 0
               : values[static_cast<std::size_t>(y * width + x)];
  }
  bool inside(std::int64_t x, std::int64_t y) const { return at(x, y) >= 0.5; }
};

Coverage coverage_of(const Image& mask);

/// Middle and principal axes.
struct Moments {
  double area = 0, x = 0, y = 0;
  std::array<double, 2> axis{1, 0};          ///< unit vector along the long axis
  double long_radius = 0, short_radius = 0;  ///< of the ellipse of equal second moments
};

Moments moments_of(const Coverage& lesion);

/// Pixel that lies opposite of (x, y) about an axis through the middle: 0 the long one, 1 the
/// short.
std::array<std::int64_t, 2> opposite(const Moments& moments, int axis, std::int64_t x,
                                     std::int64_t y);

/// Length of the line where the coverage is one half (marching squares).
double border_length(const Coverage& lesion);

/// Directions in which the border is looked for, and its distance from the middle in each, in
/// pixels: the outermost one.
constexpr int border_directions = 128;
std::array<double, border_directions> border_radii(const Coverage& lesion, const Moments& moments);

/// cos and sin of a direction.
std::array<double, 2> border_direction(int i);

}  // namespace dermis::detail
