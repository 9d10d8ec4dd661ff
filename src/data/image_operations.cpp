// Every bit depends on the types and the order of the arithmetic below, which is Pillow's:
// tables and histograms in Python's integers and doubles, blending in float, the cubic in double.

#include "dermis/data/image_operations.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<std::int64_t, 256>;

Histogram histogram(const Image& image, std::size_t channel) {
  Histogram counts{};
  for (std::size_t i = channel; i < image.rgb.size(); i += 3) ++counts[image.rgb[i]];
  return counts;
}

/// Each value v of channel c becomes value(c, v).
template <class Value>
Image look_up(const Image& image, Value value) {
  detail::check_image(image, "image operations");
  Image result = image;
  for (std::size_t c = 0; c < 3; ++c) {
    Table table;
    for (int v = 0; v < 256; ++v)
      table[static_cast<std::size_t>(v)] = static_cast<std::uint8_t>(value(c, v));
    for (std::size_t i = c; i < result.rgb.size(); i += 3) result.rgb[i] = table[result.rgb[i]];
  }
  return result;
}

/// ITU-R 601 in 16-bit fixed point.
std::uint8_t luma(const std::uint8_t* pixel) {
  return static_cast<std::uint8_t>(
      (19595U * pixel[0] + 38470U * pixel[1] + 7471U * pixel[2] + 0x8000U) >> 16);
}

/// degenerate + factor (image - degenerate), truncated.
std::uint8_t blend(int degenerate, int value, float factor) {
  const float mixed =
      static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate);
  return static_cast<std::uint8_t>(std::clamp(mixed, 0.0F, 255.0F));
}

/// The cubic through v2 (d = 0) and v3 (d = 1).
double cubic(double v1, double v2, double v3, double v4, double d) {
  const double p2 = -v1 + v3, p3 = 2 * (v1 - v2) + v3 - v4, p4 = -v1 + v2 - v3 + v4;
  return v2 + d * (p2 + d * (p3 + d * p4));
}

/// Writes the three values at (x, y), a point inside the image.
void look_up_bicubic(const Image& image, double x, double y, std::uint8_t* out) {
  const auto left = static_cast<std::int64_t>(std::floor(x - 0.5));
  const auto top = static_cast<std::int64_t>(std::floor(y - 0.5));
  const double dx = x - 0.5 - static_cast<double>(left), dy = y - 0.5 - static_cast<double>(top);
  std::array<const std::uint8_t*, 16> near;  // the borders are repeated
  for (std::int64_t row = 0; row < 4; ++row) {
    for (std::int64_t column = 0; column < 4; ++column)
      near[static_cast<std::size_t>(4 * row + column)] =
          image.pixel(std::clamp<std::int64_t>(left - 1 + column, 0, image.width - 1),
                      std::clamp<std::int64_t>(top - 1 + row, 0, image.height - 1));
  }
  for (std::size_t c = 0; c < 3; ++c) {
    std::array<double, 4> rows;
    for (std::size_t row = 0; row < 4; ++row)
      rows[row] = cubic(near[4 * row][c], near[4 * row + 1][c], near[4 * row + 2][c],
                        near[4 * row + 3][c], dx);
    const double value = cubic(rows[0], rows[1], rows[2], rows[3], dy);
    out[c] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
  }
}

}  // namespace

Image autocontrast(const Image& image) {
  std::array<int, 3> low{255, 255, 255}, high{0, 0, 0};
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    low[i % 3] = std::min<int>(low[i % 3], image.rgb[i]);
    high[i % 3] = std::max<int>(high[i % 3], image.rgb[i]);
  }
  return look_up(image, [&](std::size_t c, int v) {
    if (high[c] <= low[c]) return v;
    const double scale = 255.0 / (high[c] - low[c]), offset = -low[c] * scale;
    return static_cast<int>(std::clamp(v * scale + offset, 0.0, 255.0));
  });
}

Image equalize(const Image& image) {
  std::array<Table, 3> tables;
  for (std::size_t c = 0; c < 3; ++c) {
    const Histogram counts = histogram(image, c);
    std::int64_t total = 0, last = 0;
    for (const std::int64_t count : counts) {
      total += count;
      if (count > 0) last = count;
    }
    const std::int64_t step = (total - last) / 255;  // 0: one value alone, or too few pixels
    std::int64_t sum = step / 2;
    for (std::size_t v = 0; v < 256; ++v) {
      tables[c][v] = static_cast<std::uint8_t>(step == 0 ? static_cast<std::int64_t>(v)
                                                         : std::min<std::int64_t>(sum / step, 255));
      sum += counts[v];
    }
  }
  return look_up(image,
                 [&](std::size_t c, int v) { return tables[c][static_cast<std::size_t>(v)]; });
}

Image invert(const Image& image) {
  return look_up(image, [](std::size_t, int v) { return 255 - v; });
}

Image posterize(const Image& image, int bits) {
  check_argument(bits >= 0 && bits <= 8, "[posterize] expected bits in 0 .. 8, got ", bits);
  return look_up(image, [&](std::size_t, int v) { return v & ~((1 << (8 - bits)) - 1); });
}

Image solarize(const Image& image, int threshold) {
  check_argument(threshold >= 0 && threshold <= 256,
                 "[solarize] expected a threshold in 0 .. 256, got ", threshold);
  return look_up(image, [&](std::size_t, int v) { return v < threshold ? v : 255 - v; });
}

Image solarize_add(const Image& image, int amount) {
  check_argument(amount >= 0, "[solarize_add] expected an amount of at least 0, got ", amount);
  return look_up(image,
                 [&](std::size_t, int v) { return v < 128 ? std::min(255, v + amount) : v; });
}

Image adjust_color(const Image& image, double factor) {
  detail::check_image(image, "adjust_color");
  Image result = image;
  for (std::size_t i = 0; i < result.rgb.size(); i += 3) {
    const int grey = luma(&image.rgb[i]);
    for (std::size_t c = 0; c < 3; ++c)
      result.rgb[i + c] = blend(grey, image.rgb[i + c], static_cast<float>(factor));
  }
  return result;
}

Image adjust_contrast(const Image& image, double factor) {
  detail::check_image(image, "adjust_contrast");
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) sum += luma(&image.rgb[i]);
  const int mean = static_cast<int>(
      static_cast<double>(sum) / static_cast<double>(image.width * image.height) + 0.5);
  return look_up(image,
                 [&](std::size_t, int v) { return blend(mean, v, static_cast<float>(factor)); });
}

Image adjust_brightness(const Image& image, double factor) {
  return look_up(image,
                 [&](std::size_t, int v) { return blend(0, v, static_cast<float>(factor)); });
}

Image adjust_sharpness(const Image& image, double factor) {
  detail::check_image(image, "adjust_sharpness");
  Image result = image;
  for (std::int64_t y = 1; y + 1 < image.height; ++y) {
    for (std::int64_t x = 1; x + 1 < image.width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        int sum = 4 * image.pixel(x, y)[c];
        for (std::int64_t row = y - 1; row <= y + 1; ++row)
          for (std::int64_t column = x - 1; column <= x + 1; ++column)
            sum += image.pixel(column, row)[c];
        const int smooth = (2 * sum + 13) / 26;  // sum / 13, rounded
        result.pixel(x, y)[c] = blend(smooth, image.pixel(x, y)[c], static_cast<float>(factor));
      }
    }
  }
  return result;
}

Image affine(const Image& image, const std::array<double, 6>& matrix, const Rgb& fill) {
  detail::check_image(image, "affine");
  Image result = make_image(image.width, image.height);
  const auto width = static_cast<double>(image.width), height = static_cast<double>(image.height);
  for (std::int64_t row = 0; row < image.height; ++row) {
    for (std::int64_t column = 0; column < image.width; ++column) {
      const double u = static_cast<double>(column) + 0.5, v = static_cast<double>(row) + 0.5;
      const double x = matrix[0] * u + matrix[1] * v + matrix[2];
      const double y = matrix[3] * u + matrix[4] * v + matrix[5];
      std::uint8_t* out = result.pixel(column, row);
      if (x >= 0 && x < width && y >= 0 && y < height)
        look_up_bicubic(image, x, y, out);
      else
        std::copy(fill.begin(), fill.end(), out);
    }
  }
  return result;
}

Image rotate(const Image& image, double degrees, const Rgb& fill) {
  const double angle = -degrees * 3.14159265358979323846 / 180;
  const auto rounded = [](double value) { return std::nearbyint(value * 1e15) / 1e15; };
  const double c = rounded(std::cos(angle)), s = rounded(std::sin(angle));
  const double x = static_cast<double>(image.width) / 2, y = static_cast<double>(image.height) / 2;
  return affine(image, {c, s, c * -x + s * -y + x, -s, c, -s * -x + c * -y + y}, fill);
}

}  // namespace dermis
