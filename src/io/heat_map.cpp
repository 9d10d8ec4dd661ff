#include "dermis/io/heat_map.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

constexpr double kStart = 0.2, kTurns = -0.55, kHue = 1.4;  // of the helix around the grey diagonal
constexpr double kDarkest = 0.12, kLightest = 0.95;         // luminance at both ends

std::uint8_t byte(double value) {
  return static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
}

/// Rec. 601 luma in 0..1.
double luma(const std::uint8_t* pixel) {
  return (0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]) / 255;
}

}  // namespace

Colour heat_colour(double value) {
  const double t = std::clamp(value, 0.0, 1.0);
  const double light = kDarkest + (kLightest - kDarkest) * t;
  const double angle = 2 * 3.14159265358979323846 * (kStart / 3 + 1 + kTurns * t);
  const double away = kHue * light * (1 - light) / 2;
  const double u = std::cos(angle), v = std::sin(angle);
  return {byte(light + away * (-0.14861 * u + 1.78277 * v)),
          byte(light + away * (-0.29227 * u - 0.90649 * v)), byte(light + away * 1.97294 * u)};
}

Image overlay(const Image& image, const std::vector<float>& map, double opacity) {
  detail::check_image(image, "overlay");
  check_argument(map.size() * 3 == image.rgb.size(), "[overlay] expected a map of ",
                 image.rgb.size() / 3, " values, got ", map.size());
  check_argument(opacity >= 0 && opacity <= 1, "[overlay] expected an opacity in 0..1, got ",
                 opacity);
  double largest = 0;
  for (const float value : map) {
    check_argument(std::isfinite(value), "[overlay] expected finite values, got ", value);
    largest = std::max(largest, static_cast<double>(value));
  }
  Image result = image;
  for (std::size_t i = 0; i < map.size(); ++i) {
    auto* pixel = result.rgb.data() + 3 * i;
    const double grey = luma(pixel);
    const auto colour = heat_colour(largest > 0 ? static_cast<double>(map[i]) / largest : 0);
    for (std::size_t c = 0; c < 3; ++c)
      pixel[c] = byte((1 - opacity) * grey + opacity * colour[c] / 255.0);
  }
  return result;
}

Image outlined(const Image& image, const std::vector<std::uint8_t>& mask, const Colour& colour) {
  detail::check_image(image, "outline");
  check_argument(mask.size() * 3 == image.rgb.size(), "[outline] expected a mask of ",
                 image.rgb.size() / 3, " pixels, got ", mask.size());
  const auto inside = [&](std::int64_t x, std::int64_t y) {
    return x >= 0 && y >= 0 && x < image.width && y < image.height &&
           mask[static_cast<std::size_t>(y * image.width + x)] != 0;
  };
  Image result = image;
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x) {
      const bool surrounded =
          inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1);
      if (inside(x, y) && !surrounded) std::copy(colour.begin(), colour.end(), result.pixel(x, y));
    }
  return result;
}

}  // namespace dermis
