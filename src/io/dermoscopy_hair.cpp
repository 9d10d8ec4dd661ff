#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dermis/core/check.hpp"
#include "dermis/io/dermoscopy.hpp"

namespace dermis {
namespace {

constexpr double pi = 3.14159265358979323846;
// A line of 36 pixels then stays within a hair of 4 pixels whatever its direction.
constexpr int directions = 16;

/// A plane of bytes the size of the image.
using Plane = std::vector<std::uint8_t>;

struct Size {
  std::int64_t width, height;
};

Plane grey(const Image& image) {
  Plane plane(image.rgb.size() / 3);
  for (std::size_t i = 0; i < plane.size(); ++i) {
    const std::uint8_t* p = image.rgb.data() + 3 * i;
    plane[i] =
        static_cast<std::uint8_t>((77 * p[0] + 150 * p[1] + 29 * p[2] + 128) >> 8);  // BT.601
  }
  return plane;
}

/// Largest of the 3 x 3 pixels around each.
Plane dilated(const Plane& plane, Size size) {
  Plane rows = plane, result;
  for (std::int64_t y = 0; y < size.height; ++y) {
    const std::uint8_t* in = plane.data() + y * size.width;
    std::uint8_t* out = rows.data() + y * size.width;
    for (std::int64_t x = 0; x + 1 < size.width; ++x) {
      out[x] = std::max(out[x], in[x + 1]);
      out[x + 1] = std::max(out[x + 1], in[x]);
    }
  }
  result = rows;
  for (std::size_t i = static_cast<std::size_t>(size.width); i < rows.size(); ++i) {
    const std::size_t above = i - static_cast<std::size_t>(size.width);
    result[i] = std::max(result[i], rows[above]);
    result[above] = std::max(result[above], rows[i]);
  }
  return result;
}

/// Extreme value of each window of n samples, in place: values[i] of values[i .. i + n - 1] as far
/// as the window fits. Three comparisons a sample for any n (van Herk 1992, Gil and Werman 1993).
template <class Extreme>
void slide(Plane& values, std::size_t n, Plane& forward, Extreme extreme) {
  const std::size_t size = values.size();
  forward = values;  // extremes from the start of each block of n; `values` become those to its end
  for (std::size_t i = 1; i < size; ++i) {
    if (i % n != 0) forward[i] = extreme(forward[i], forward[i - 1]);
  }
  for (std::size_t i = size - 1; i-- > 0;) {
    if ((i + 1) % n != 0) values[i] = extreme(values[i], values[i + 1]);
  }
  for (std::size_t i = 0; i + n <= size; ++i) values[i] = extreme(values[i], forward[i + n - 1]);
  values.resize(size - n + 1);
}

/// Morphological opening by a line of `length` pixels in one direction: what is bright remains
/// where such a line fits into it. `outside` is the value beyond the image. Parallel digital lines
/// visit each pixel once.
Plane opened(const Plane& plane, Size size, double length, int direction, std::uint8_t outside) {
  const double dx = std::cos(pi * direction / directions);
  const double dy = std::sin(pi * direction / directions);
  const bool flat = std::abs(dx) >= std::abs(dy);
  const std::int64_t steps = flat ? size.width : size.height,
                     lanes = flat ? size.height : size.width;
  const std::int64_t step = flat ? 1 : size.width, lane = flat ? size.width : 1;
  const double slope = flat ? dy / dx : dx / dy;
  const auto n = static_cast<std::size_t>(
      std::max(1L, std::lround(length * std::max(std::abs(dx), std::abs(dy)))));
  std::vector<std::int64_t> shift(static_cast<std::size_t>(steps));
  for (std::int64_t i = 0; i < steps; ++i)
    shift[static_cast<std::size_t>(i)] = std::lround(static_cast<double>(i) * slope);
  const std::int64_t low = std::min(shift.front(), shift.back()),
                     high = std::max(shift.front(), shift.back());

  Plane result(plane.size()), line, scratch;
  std::vector<std::size_t> places;
  for (std::int64_t start = -high; start < lanes - low; ++start) {
    places.clear();
    line.assign(n - 1, outside);
    for (std::int64_t i = 0; i < steps; ++i) {
      const std::int64_t across = start + shift[static_cast<std::size_t>(i)];
      if (across < 0 || across >= lanes) continue;
      places.push_back(static_cast<std::size_t>(i * step + across * lane));
      line.push_back(plane[places.back()]);
    }
    if (places.empty()) continue;
    line.resize(line.size() + n - 1, outside);
    slide(line, n, scratch, [](std::uint8_t a, std::uint8_t b) { return std::min(a, b); });
    slide(line, n, scratch, [](std::uint8_t a, std::uint8_t b) { return std::max(a, b); });
    for (std::size_t i = 0; i < places.size(); ++i) result[places[i]] = line[i];
  }
  return result;
}

void keep_larger(Plane& plane, const Plane& other) {
  for (std::size_t i = 0; i < plane.size(); ++i) plane[i] = std::max(plane[i], other[i]);
}

/// By how much each pixel is darker than what closing along short lines makes of it.
Plane thin_and_dark(const Image& image, Size size, double width) {
  Plane negative = grey(image);
  for (std::uint8_t& value : negative) value = static_cast<std::uint8_t>(255 - value);
  // Closing is opening of the negative; beyond the image it is dark, so that a dark rim is no hair.
  Plane smallest = negative;
  for (int direction = 0; direction < directions; direction += directions / 4) {
    const Plane open = opened(negative, size, width, direction, 255);
    for (std::size_t i = 0; i < open.size(); ++i) smallest[i] = std::min(smallest[i], open[i]);
  }
  for (std::size_t i = 0; i < smallest.size(); ++i)
    smallest[i] = static_cast<std::uint8_t>(negative[i] - smallest[i]);
  return smallest;
}

/// Takes connected pieces out of the mask whose bounding box has a diagonal below `length`.
void drop_short(Plane& mask, Size size, double length) {
  constexpr std::uint8_t seen = 2;
  std::vector<std::int64_t> piece;
  for (std::int64_t first = 0; first < size.width * size.height; ++first) {
    if (mask[static_cast<std::size_t>(first)] != 1) continue;
    piece.assign(1, first);
    mask[static_cast<std::size_t>(first)] = seen;
    std::int64_t left = size.width, right = 0, top = size.height, bottom = 0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const std::int64_t x = piece[i] % size.width, y = piece[i] / size.width;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = std::max(bottom, y);
      for (std::int64_t v = std::max<std::int64_t>(y - 1, 0); v <= std::min(y + 1, size.height - 1);
           ++v) {
        for (std::int64_t u = std::max<std::int64_t>(x - 1, 0);
             u <= std::min(x + 1, size.width - 1); ++u) {
          std::uint8_t& value = mask[static_cast<std::size_t>(v * size.width + u)];
          if (value != 1) continue;
          value = seen;
          piece.push_back(v * size.width + u);
        }
      }
    }
    if (std::hypot(static_cast<double>(right - left), static_cast<double>(bottom - top)) >= length)
      continue;
    for (const std::int64_t place : piece) mask[static_cast<std::size_t>(place)] = 0;
  }
  for (std::uint8_t& value : mask) value = value != 0;
}

/// Mean over four axes of the line between the nearest clear pixels on both sides, the shorter the
/// heavier; no pixel is looked at beyond `reach`. Pixels without such a pair leave the mask.
void fill(Image& image, Plane& mask, std::int64_t reach) {
  constexpr std::array<std::array<int, 2>, 4> axes{{{1, 0}, {0, 1}, {1, 1}, {1, -1}}};
  const Image source = image;
  const Plane hair = mask;
  const auto clear_at = [&](std::int64_t x, std::int64_t y, int dx, int dy) {
    for (std::int64_t i = 1; i <= reach; ++i) {
      const std::int64_t u = x + i * dx, v = y + i * dy;
      if (u < 0 || v < 0 || u >= image.width || v >= image.height) break;
      if (hair[static_cast<std::size_t>(v * image.width + u)] == 0) return i;
    }
    return std::int64_t{0};
  };
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      if (hair[static_cast<std::size_t>(y * image.width + x)] == 0) continue;
      std::array<double, 3> sum{};
      double weights = 0;
      for (const auto& [dx, dy] : axes) {
        const std::int64_t ahead = clear_at(x, y, dx, dy), behind = clear_at(x, y, -dx, -dy);
        if (ahead == 0 || behind == 0) continue;
        const auto span = static_cast<double>((ahead + behind) * (dx * dx + dy * dy));
        const double weight = 1 / (span * span);
        const double share = static_cast<double>(behind) / static_cast<double>(ahead + behind);
        const std::uint8_t* a = source.pixel(x + ahead * dx, y + ahead * dy);
        const std::uint8_t* b = source.pixel(x - behind * dx, y - behind * dy);
        for (std::size_t c = 0; c < 3; ++c) sum[c] += weight * (share * a[c] + (1 - share) * b[c]);
        weights += weight;
      }
      if (weights == 0) {
        mask[static_cast<std::size_t>(y * image.width + x)] = 0;
        continue;
      }
      for (std::size_t c = 0; c < 3; ++c)
        image.pixel(x, y)[c] = static_cast<std::uint8_t>(std::lround(sum[c] / weights));
    }
  }
}

/// Mean of the 3 x 3 pixels around each filled one.
void smooth(Image& image, const Plane& mask) {
  const Image source = image;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      if (mask[static_cast<std::size_t>(y * image.width + x)] == 0) continue;
      std::array<int, 3> sum{};
      int count = 0;
      for (std::int64_t v = std::max<std::int64_t>(y - 1, 0);
           v <= std::min(y + 1, image.height - 1); ++v) {
        for (std::int64_t u = std::max<std::int64_t>(x - 1, 0);
             u <= std::min(x + 1, image.width - 1); ++u) {
          for (std::size_t c = 0; c < 3; ++c) sum[c] += source.pixel(u, v)[c];
          ++count;
        }
      }
      for (std::size_t c = 0; c < 3; ++c)
        image.pixel(x, y)[c] = static_cast<std::uint8_t>((sum[c] + count / 2) / count);
    }
  }
}

}  // namespace

HairRemoval remove_hair(const Image& image, const HairOptions& options) {
  detail::check_image(image, "hair");
  check_argument(options.width > 0 && options.width < options.length && options.length <= 1,
                 "[hair] expected 0 < width < length <= 1, got width ", options.width,
                 " and length ", options.length);
  check_argument(options.contrast > 0 && options.contrast <= 255,
                 "[hair] expected a contrast above 0, at most 255, got ", options.contrast);
  const Size size{image.width, image.height};
  const auto side = static_cast<double>(std::min(size.width, size.height));
  const double width = std::max(3.0, options.width * side);
  const double length = std::max(2 * width, options.length * side);

  // Dilated, so that a hair may bend or break by a pixel within a line.
  const Plane thin = dilated(thin_and_dark(image, size, width), size);
  Plane along(thin.size());
  for (int direction = 0; direction < directions; ++direction)
    keep_larger(along, opened(thin, size, length, direction, 0));
  for (std::uint8_t& value : along) value = value >= options.contrast;
  drop_short(along, size, 2 * length);

  HairRemoval result{image, dilated(along, size)};  // the soft edges of a hair
  fill(result.image, result.mask, std::lround(3 * width) + 4);
  smooth(result.image, result.mask);
  return result;
}

}  // namespace dermis
