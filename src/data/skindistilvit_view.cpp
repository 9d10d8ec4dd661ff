#include <algorithm>
#include <array>
#include <cmath>

#include "recipe_views.hpp"

namespace dermis::detail {
namespace {

/// Index into 0 .. count - 1 by reflection about the outermost pixels' centres (reflect-101).
std::int64_t reflect(std::int64_t i, std::int64_t count) {
  if (count == 1) return 0;
  const std::int64_t period = 2 * (count - 1);
  i = (i % period + period) % period;
  return i < count ? i : period - i;
}

/// The three values at (x, y), in pixels from the first pixel's centre, in 0..255.
std::array<float, 3> look_up(const Image& image, double x, double y) {
  const double left = std::floor(x), top = std::floor(y);
  const auto dx = static_cast<float>(x - left), dy = static_cast<float>(y - top);
  const auto x0 = static_cast<std::int64_t>(left), y0 = static_cast<std::int64_t>(top);
  const std::int64_t columns[] = {reflect(x0, image.width), reflect(x0 + 1, image.width)};
  const std::int64_t rows[] = {reflect(y0, image.height), reflect(y0 + 1, image.height)};
  std::array<float, 3> result;
  for (std::size_t c = 0; c < 3; ++c) {
    const float v00 = image.pixel(columns[0], rows[0])[c],
                v01 = image.pixel(columns[1], rows[0])[c],
                v10 = image.pixel(columns[0], rows[1])[c],
                v11 = image.pixel(columns[1], rows[1])[c];
    const float above = v00 + dx * (v01 - v00), below = v10 + dx * (v11 - v10);
    result[c] = above + dy * (below - above);
  }
  return result;
}

}  // namespace

void skindistilvit_view(const Image& image, RandomStream stream, float* out) {
  const std::int64_t side = image.width;
  const auto large =
      static_cast<std::int64_t>(std::nearbyint(static_cast<double>(side) * 450 / 400));
  const auto resized = static_cast<double>(large);

  const bool moved = stream.chance(0.75);  // every parameter is drawn, whatever is applied
  const double angle = stream.uniform(-90, 90) * 3.141592653589793238463 / 180;
  const double scale = 1 + stream.uniform(-0.05, 0.05);
  const double shift_x = stream.uniform(-0.05, 0.05) * resized;
  const double shift_y = stream.uniform(-0.05, 0.05) * resized;
  const auto crop_range = static_cast<std::uint64_t>(large - side) + 1;
  const auto crop_y = static_cast<double>(stream.below(crop_range));
  const auto crop_x = static_cast<double>(stream.below(crop_range));
  const bool tinted = stream.chance(0.5);
  const double tint[] = {stream.uniform(-15, 15), stream.uniform(-15, 15), stream.uniform(-15, 15)};
  const bool lit = stream.chance(0.5);
  const double contrast = 1 + stream.uniform(-0.2, 0.2);
  const double brightness = stream.uniform(-0.2, 0.2) * 255;  // "by max": added, not multiplied

  // From the crop back to the resized image, then to the stored one.
  const double c = moved ? std::cos(angle) / scale : 1, s = moved ? std::sin(angle) / scale : 0;
  const double centre = (resized - 1) / 2;
  const double back_x = crop_x - centre - (moved ? shift_x : 0);
  const double back_y = crop_y - centre - (moved ? shift_y : 0);
  const double ratio = static_cast<double>(side) / resized;
  for (std::int64_t row = 0; row < side; ++row) {
    for (std::int64_t column = 0; column < side; ++column) {
      const double u = static_cast<double>(column) + back_x, v = static_cast<double>(row) + back_y;
      const double x = c * u - s * v + centre, y = s * u + c * v + centre;  // in the resized image
      const auto values = look_up(image, (x + 0.5) * ratio - 0.5, (y + 0.5) * ratio - 0.5);
      for (std::size_t channel = 0; channel < 3; ++channel) {
        double value = values[channel];
        if (tinted) value = std::clamp(value + tint[channel], 0.0, 255.0);
        if (lit) value = std::clamp(value * contrast + brightness, 0.0, 255.0);
        out[(static_cast<std::int64_t>(channel) * side + row) * side + column] =
            static_cast<float>(value / 255);
      }
    }
  }
}

}  // namespace dermis::detail
