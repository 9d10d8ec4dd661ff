#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dermis/core/check.hpp"
#include "dermis/io/dermoscopy.hpp"

namespace dermis {
namespace {

using Histogram = std::array<std::int64_t, 256>;

std::array<Histogram, 3> histograms(const Image& image) {
  std::array<Histogram, 3> counts{};
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) ++counts[c][image.rgb[i + c]];
  }
  return counts;
}

/// (mean v^p)^(1/p) with v = (value / 255)^gamma. Taken relative to the largest v, so that no power
/// overflows or vanishes.
double minkowski_mean(const Histogram& counts, std::int64_t pixels,
                      const ColourConstancyOptions& options) {
  int largest = 255;
  while (largest > 0 && counts[static_cast<std::size_t>(largest)] == 0) --largest;
  if (largest == 0) return 0;
  const double scale = std::pow(largest / 255.0, options.gamma);
  if (std::isinf(options.p)) return scale;
  double sum = 0;
  for (int value = 1; value <= largest; ++value) {
    sum += static_cast<double>(counts[static_cast<std::size_t>(value)]) *
           std::pow(static_cast<double>(value) / largest, options.gamma * options.p);
  }
  return scale * std::pow(sum / static_cast<double>(pixels), 1 / options.p);
}

}  // namespace

std::array<double, 3> illuminant(const Image& image, const ColourConstancyOptions& options) {
  detail::check_image(image, "colour");
  check_argument(options.p >= 1, "[colour] expected a norm p of at least 1, got ", options.p);
  check_argument(options.gamma > 0 && std::isfinite(options.gamma),
                 "[colour] expected gamma above 0, got ", options.gamma);
  const std::array<Histogram, 3> counts = histograms(image);
  std::array<double, 3> light{};
  double squares = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    light[c] = minkowski_mean(counts[c], image.width * image.height, options);
    squares += light[c] * light[c];
  }
  for (double& channel : light)
    channel = squares > 0 ? channel / std::sqrt(squares) : std::sqrt(1. / 3);
  return light;
}

std::array<double, 3> colour_gains(const std::array<double, 3>& light) {
  std::array<double, 3> gains{};
  // A channel without light holds zeros only.
  for (std::size_t c = 0; c < 3; ++c) gains[c] = light[c] > 0 ? 1 / (std::sqrt(3.0) * light[c]) : 1;
  return gains;
}

std::vector<double> colour_constant_values(const Image& image,
                                           const ColourConstancyOptions& options) {
  const std::array<double, 3> gains = colour_gains(illuminant(image, options));
  std::vector<double> values(image.rgb.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::min(image.rgb[i] * gains[i % 3], 255.0);
  return values;
}

Image colour_constancy(const Image& image, const ColourConstancyOptions& options) {
  const std::array<double, 3> gains = colour_gains(illuminant(image, options));
  std::array<std::array<std::uint8_t, 256>, 3> table{};
  for (std::size_t c = 0; c < 3; ++c) {
    for (int value = 0; value < 256; ++value) {
      const double exact = std::min(value * gains[c], 255.0);
      table[c][static_cast<std::size_t>(value)] =
          static_cast<std::uint8_t>(options.truncate ? exact : std::nearbyint(exact));
    }
  }
  Image result = image;
  for (std::size_t i = 0; i < result.rgb.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) result.rgb[i + c] = table[c][result.rgb[i + c]];
  }
  return result;
}

}  // namespace dermis
