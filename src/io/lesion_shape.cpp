#include "lesion_shape.hpp"

#include <algorithm>
#include <cmath>

namespace dermis::detail {

namespace {
constexpr double two_pi = 6.283185307179586;

/// Linear between pixel centres.
double between(const Coverage& lesion, double x, double y) {
  const double fx = std::floor(x), fy = std::floor(y), u = x - fx, v = y - fy;
  const auto ix = static_cast<std::int64_t>(fx), iy = static_cast<std::int64_t>(fy);
  return (1 - v) * ((1 - u) * lesion.at(ix, iy) + u * lesion.at(ix + 1, iy)) +
         v * ((1 - u) * lesion.at(ix, iy + 1) + u * lesion.at(ix + 1, iy + 1));
}

}  // namespace

Coverage coverage_of(const Image& mask) {
  Coverage lesion{mask.width, mask.height, {}};
  for (std::size_t i = 0; i < mask.rgb.size(); i += 3) lesion.values.push_back(mask.rgb[i] / 255.0);
  return lesion;
}

Moments moments_of(const Coverage& lesion) {
  Moments m;
  double xx = 0, xy = 0, yy = 0;
  const auto each = [&](const auto& add) {
    for (std::int64_t y = 0; y < lesion.height; ++y)
      for (std::int64_t x = 0; x < lesion.width; ++x)
        if (const double w = lesion.at(x, y); w > 0)
          add(w, static_cast<double>(x), static_cast<double>(y));
  };
  each([&](double w, double x, double y) { m.area += w, m.x += w * x, m.y += w * y; });
  if (m.area == 0) return m;
  m.x /= m.area, m.y /= m.area;
  each([&](double w, double x, double y) {
    const double dx = x - m.x, dy = y - m.y;
    xx += w * dx * dx, xy += w * dx * dy, yy += w * dy * dy;
  });
  xx /= m.area, xy /= m.area, yy /= m.area;
  const double half = 0.5 * (xx + yy), root = std::hypot(0.5 * (xx - yy), xy);
  m.long_radius = 2 * std::sqrt(half + root);
  m.short_radius = 2 * std::sqrt(std::max(half - root, 0.0));
  const double angle = 0.5 * std::atan2(2 * xy, xx - yy);
  m.axis = {std::cos(angle), std::sin(angle)};
  return m;
}

std::array<std::int64_t, 2> opposite(const Moments& m, int axis, std::int64_t x, std::int64_t y) {
  const double dx = static_cast<double>(x) - m.x, dy = static_cast<double>(y) - m.y;
  const double along = dx * m.axis[0] + dy * m.axis[1], across = dy * m.axis[0] - dx * m.axis[1];
  const double u = axis == 0 ? along : -along, v = axis == 0 ? -across : across;
  return {static_cast<std::int64_t>(std::lround(m.x + u * m.axis[0] - v * m.axis[1])),
          static_cast<std::int64_t>(std::lround(m.y + u * m.axis[1] + v * m.axis[0]))};
}

double border_length(const Coverage& lesion) {
  double length = 0;
  for (std::int64_t y = -1; y < lesion.height; ++y) {
    for (std::int64_t x = -1; x < lesion.width; ++x) {
      const std::array<double, 4> corner{lesion.at(x, y), lesion.at(x + 1, y),
                                         lesion.at(x + 1, y + 1), lesion.at(x, y + 1)};
      constexpr std::array<std::array<double, 2>, 4> place{{{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
      std::array<std::array<double, 2>, 4> crossing{};
      std::size_t count = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t next = (i + 1) % 4;
        const double a = corner[i], b = corner[next];
        if ((a >= 0.5) == (b >= 0.5)) continue;
        const double t = (0.5 - a) / (b - a);
        crossing[count++] = {place[i][0] + t * (place[next][0] - place[i][0]),
                             place[i][1] + t * (place[next][1] - place[i][1])};
      }
      for (std::size_t i = 0; i + 1 < count; i += 2)
        length +=
            std::hypot(crossing[i + 1][0] - crossing[i][0], crossing[i + 1][1] - crossing[i][1]);
    }
  }
  return length;
}

std::array<double, 2> border_direction(int i) {
  const double angle = two_pi * i / border_directions;
  return {std::cos(angle), std::sin(angle)};
}

std::array<double, border_directions> border_radii(const Coverage& lesion, const Moments& m) {
  constexpr double step = 0.25;
  const double farthest =
      std::hypot(static_cast<double>(lesion.width), static_cast<double>(lesion.height));
  std::array<double, border_directions> radii{};
  for (int i = 0; i < border_directions; ++i) {
    const auto [c, s] = border_direction(i);
    double& radius = radii[static_cast<std::size_t>(i)];
    double before = between(lesion, m.x, m.y);
    for (double r = step; r < farthest; r += step) {
      const double here = between(lesion, m.x + r * c, m.y + r * s);
      if (before >= 0.5 && here < 0.5) radius = r - step * (0.5 - here) / (before - here);
      before = here;
    }
  }
  return radii;
}

}  // namespace dermis::detail
