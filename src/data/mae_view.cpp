#include <algorithm>
#include <cmath>

#include "dermis/data/rand_augment.hpp"
#include "recipe_views.hpp"

namespace dermis::detail {
namespace {

struct Rectangle {
  std::int64_t width, height;
};

/// Area as a share of the image's, aspect width / height log-uniform in [1 / aspect, aspect].
Rectangle draw_rectangle(std::int64_t side, double area_min, double area_max, double aspect,
                         RandomStream& stream) {
  const double area = stream.uniform(area_min, area_max) * static_cast<double>(side * side);
  const double ratio = std::exp(stream.uniform(-1, 1) * std::log(aspect));
  return {static_cast<std::int64_t>(std::nearbyint(std::sqrt(area * ratio))),
          static_cast<std::int64_t>(std::nearbyint(std::sqrt(area / ratio)))};
}

/// Uniform in 0 .. last.
std::int64_t draw_offset(std::int64_t last, RandomStream& stream) {
  return static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(last) + 1));
}

constexpr int kAttempts = 10;  // timm's, for a rectangle that fits

Image random_resized_crop(const Image& image, RandomStream& stream) {
  const std::int64_t side = image.width;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto [width, height] = draw_rectangle(side, 0.08, 1, 4.0 / 3, stream);
    if (width < 1 || height < 1 || width > side || height > side) continue;
    const std::int64_t y = draw_offset(side - height, stream);
    const std::int64_t x = draw_offset(side - width, stream);
    return resize(crop(image, x, y, width, height), side, side, Filter::Bicubic);
  }
  return image;  // a square's central crop
}

void mirror(Image& image) {
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width / 2; ++x)
      std::swap_ranges(image.pixel(x, y), image.pixel(x, y) + 3,
                       image.pixel(image.width - 1 - x, y));
  }
}

void erase(std::int64_t side, const Normalization& normalization, RandomStream& stream,
           float* out) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto [width, height] = draw_rectangle(side, 0.02, 1.0 / 3, 1 / 0.3, stream);
    if (width >= side || height >= side) continue;
    const std::int64_t top = draw_offset(side - height, stream);
    const std::int64_t left = draw_offset(side - width, stream);
    for (std::int64_t c = 0; c < 3; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      for (std::int64_t y = top; y < top + height; ++y) {
        for (std::int64_t x = left; x < left + width; ++x)
          out[(c * side + y) * side + x] = static_cast<float>(
              normalization.mean[channel] + normalization.std[channel] * stream.normal());
      }
    }
    return;
  }
}

}  // namespace

void mae_view(const Image& image, const Normalization& normalization, RandomStream stream,
              float* out) {
  RandAugmentOptions options;
  for (std::size_t c = 0; c < 3; ++c)
    options.fill[c] = static_cast<std::uint8_t>(
        std::clamp(std::nearbyint(normalization.mean[c] * 255), 0.0, 255.0));

  Image view = random_resized_crop(image, stream);
  if (stream.chance(0.5)) mirror(view);
  view = rand_augment(std::move(view), options, stream);
  const std::int64_t side = image.width, plane = side * side;
  for (std::int64_t i = 0; i < plane; ++i) {
    for (std::int64_t c = 0; c < 3; ++c)
      out[c * plane + i] = static_cast<float>(view.rgb[static_cast<std::size_t>(3 * i + c)]) / 255;
  }
  if (stream.chance(0.25)) erase(side, normalization, stream, out);
}

}  // namespace dermis::detail
