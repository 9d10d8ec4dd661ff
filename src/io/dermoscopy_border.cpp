#include <algorithm>
#include <array>
#include <vector>

#include "dermis/io/dermoscopy.hpp"
#include "dermis/io/resize.hpp"

namespace dermis {
namespace {

constexpr int dark = 24;             // of 255: an image whose bright level is below has no field
constexpr double lit_level = 0.2;    // of the bright level
constexpr double lit_share = 0.05;   // of a row or column
constexpr double least_side = 0.25;  // of the image

int brightest(const std::uint8_t* pixel) {
  return std::max({pixel[0], pixel[1], pixel[2]});
}

/// The value that 95 % of the pixels do not exceed.
int bright_level(const Image& image) {
  std::array<std::int64_t, 256> counts{};
  const std::int64_t pixels = image.width * image.height;
  for (std::int64_t i = 0; i < pixels; ++i)
    ++counts[static_cast<std::size_t>(brightest(image.rgb.data() + 3 * i))];
  std::int64_t above = 0;
  int level = 255;
  while (level > 0 && (above += counts[static_cast<std::size_t>(level)]) * 20 <= pixels) --level;
  return level;
}

struct Run {
  std::int64_t first = 0, length = 0;
};

/// The run of lit lines (rows or columns) that holds most lit pixels.
Run brightest_run(const std::vector<std::int64_t>& lit, std::int64_t line_length) {
  Run best;
  std::int64_t best_sum = 0;
  const auto count = static_cast<std::int64_t>(lit.size());
  for (std::int64_t first = 0; first < count; ++first) {
    std::int64_t sum = 0, end = first;
    for (; end < count; ++end) {
      const std::int64_t in_line = lit[static_cast<std::size_t>(end)];
      if (static_cast<double>(in_line) < lit_share * static_cast<double>(line_length)) break;
      sum += in_line;
    }
    if (sum > best_sum) {
      best = {first, end - first};
      best_sum = sum;
    }
    first = end;
  }
  return best;
}

}  // namespace

Box lit_field(const Image& image) {
  detail::check_image(image, "border");
  const Box whole{0, 0, image.width, image.height};
  const int bright = bright_level(image);
  if (bright < dark) return whole;
  std::vector<std::int64_t> rows(static_cast<std::size_t>(image.height));
  std::vector<std::int64_t> columns(static_cast<std::size_t>(image.width));
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      if (brightest(image.pixel(x, y)) <= lit_level * bright) continue;
      ++rows[static_cast<std::size_t>(y)];
      ++columns[static_cast<std::size_t>(x)];
    }
  }
  const Run row = brightest_run(rows, image.width), column = brightest_run(columns, image.height);
  if (static_cast<double>(row.length) < least_side * static_cast<double>(image.height) ||
      static_cast<double>(column.length) < least_side * static_cast<double>(image.width))
    return whole;
  return {column.first, row.first, column.length, row.length};
}

Image crop_border(const Image& image) {
  const Box box = lit_field(image);
  return crop(image, box.x, box.y, box.width, box.height);
}

}  // namespace dermis
