// Follows Pillow's src/libImaging/Resample.c step by step (the same double arithmetic for the
// coefficients, the same rounding, the same order of passes): every bit of the result depends on
// that.

#include "dermis/io/resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

// 8 bits for the result, 2 for what negative lobes may add to intermediate sums; the rest is
// fraction.
constexpr int precision_bits = 32 - 8 - 2;
constexpr std::int32_t half = 1 << (precision_bits - 1);

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= 3.14159265358979323846;
  return std::sin(x) / x;
}

double lanczos(double x) {
  return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

double box(double x) {
  return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

struct Kernel {
  double (*value)(double);
  double support;
};

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::Bilinear:
      return {bilinear, 1.0};
    case Filter::Bicubic:
      return {bicubic, 2.0};
    case Filter::Lanczos:
      return {lanczos, 3.0};
    case Filter::Box:
      return {box, 0.5};
    case Filter::Nearest:
      break;  // not a convolution
  }
  throw std::invalid_argument("[resize] expected a filter of the enumeration Filter");
}

void check_inside(const Image& image, const Box& box, const char* tag) {
  check_argument(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0 &&
                     box.width <= image.width && box.height <= image.height &&
                     box.x <= image.width - box.width && box.y <= image.height - box.height,
                 "[", tag, "] expected a rectangle inside ", image.width, " x ", image.height,
                 ", got ", box.width, " x ", box.height, " at (", box.x, ", ", box.y, ")");
}

/// Which source samples make an output sample, and with what weights.
struct Span {
  std::int64_t first, count;
  const std::int32_t* weights;
};

class Spans {
 public:
  /// Of `in` samples those from `begin` on, `length` of them, become `out`.
  Spans(std::int64_t in, std::int64_t begin, std::int64_t length, std::int64_t out,
        const Kernel& kernel) {
    const double scale = static_cast<double>(length) / static_cast<double>(out);
    const double filter_scale = std::max(scale, 1.0);
    const double support = kernel.support * filter_scale;
    const double inverse = 1.0 / filter_scale;
    const auto stride = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
    weights_.resize(static_cast<std::size_t>(out * stride));
    spans_.reserve(static_cast<std::size_t>(out));
    std::vector<double> exact(static_cast<std::size_t>(stride));
    for (std::int64_t i = 0; i < out; ++i) {
      const double center = static_cast<double>(begin) + (static_cast<double>(i) + 0.5) * scale;
      const std::int64_t first =
          std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
      const std::int64_t count =
          std::min<std::int64_t>(static_cast<std::int64_t>(center + support + 0.5), in) - first;
      double sum = 0.0;
      for (std::int64_t k = 0; k < count; ++k) {
        const double w = kernel.value((static_cast<double>(k + first) - center + 0.5) * inverse);
        exact[static_cast<std::size_t>(k)] = w;
        sum += w;
      }
      std::int32_t* weights = weights_.data() + i * stride;
      for (std::int64_t k = 0; k < count; ++k) {
        double w = exact[static_cast<std::size_t>(k)];
        if (sum != 0.0) w /= sum;
        weights[k] = static_cast<std::int32_t>((w < 0 ? -0.5 : 0.5) + w * (1 << precision_bits));
      }
      spans_.push_back({first, count, weights});
    }
  }

  const Span& operator[](std::int64_t i) const { return spans_[static_cast<std::size_t>(i)]; }

 private:
  std::vector<std::int32_t> weights_;
  std::vector<Span> spans_;
};

std::uint8_t clip8(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision_bits, 0, 255));
}

Image resize_horizontally(const Image& image, const Box& box, std::int64_t width,
                          const Kernel& kernel) {
  const Spans spans(image.width, box.x, box.width, width, kernel);
  Image result = make_image(width, image.height);
  std::uint8_t* out = result.rgb.data();
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.pixel(0, y);
    for (std::int64_t x = 0; x < width; ++x, out += 3) {
      const Span& span = spans[x];
      const std::uint8_t* in = row + 3 * span.first;
      std::int32_t red = half, green = half, blue = half;
      for (std::int64_t k = 0; k < span.count; ++k, in += 3) {
        const std::int32_t w = span.weights[k];
        red += in[0] * w;
        green += in[1] * w;
        blue += in[2] * w;
      }
      out[0] = clip8(red);
      out[1] = clip8(green);
      out[2] = clip8(blue);
    }
  }
  return result;
}

Image resize_vertically(const Image& image, const Box& box, std::int64_t height,
                        const Kernel& kernel) {
  const Spans spans(image.height, box.y, box.height, height, kernel);
  Image result = make_image(image.width, height);
  const auto row_bytes = static_cast<std::size_t>(3 * image.width);
  std::vector<std::int32_t> sums(row_bytes);
  for (std::int64_t y = 0; y < height; ++y) {
    const Span& span = spans[y];
    std::fill(sums.begin(), sums.end(), half);
    for (std::int64_t k = 0; k < span.count; ++k) {
      const std::uint8_t* in = image.pixel(0, span.first + k);
      const std::int32_t w = span.weights[k];
      for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += in[i] * w;
    }
    std::uint8_t* out = result.pixel(0, y);
    for (std::size_t i = 0; i < row_bytes; ++i) out[i] = clip8(sums[i]);
  }
  return result;
}

/// Which source sample each output sample is: Pillow adds up the step, and so do we.
std::vector<std::int64_t> nearest(std::int64_t begin, std::int64_t length, std::int64_t out) {
  const double step = static_cast<double>(length) / static_cast<double>(out);
  double at = static_cast<double>(begin) + step * 0.5;
  std::vector<std::int64_t> samples;
  for (std::int64_t i = 0; i < out; ++i, at += step)
    samples.push_back(std::min(static_cast<std::int64_t>(at), begin + length - 1));
  return samples;
}

Image resize_nearest(const Image& image, const Box& box, std::int64_t width, std::int64_t height) {
  const std::vector<std::int64_t> columns = nearest(box.x, box.width, width);
  Image result = make_image(width, height);
  std::uint8_t* out = result.rgb.data();
  for (const std::int64_t y : nearest(box.y, box.height, height)) {
    for (const std::int64_t x : columns) out = std::copy_n(image.pixel(x, y), 3, out);
  }
  return result;
}

/// Half of a margin of at least 0.
std::int64_t half_of(std::int64_t margin, CropRounding rounding) {
  const std::int64_t down = margin / 2;
  return rounding == CropRounding::HalfToEven && margin % 2 == 1 && down % 2 == 1 ? down + 1 : down;
}

}  // namespace

Image resize(const Image& image, std::int64_t width, std::int64_t height, Filter filter) {
  return resize_box(image, {0, 0, image.width, image.height}, width, height, filter);
}

Image resize_box(const Image& image, const Box& box, std::int64_t width, std::int64_t height,
                 Filter filter, PassOrder order) {
  detail::check_image(image, "resize");
  check_argument(width > 0 && height > 0, "[resize] expected a size of at least 1 x 1, got ", width,
                 " x ", height);
  check_inside(image, box, "resize");
  if (filter == Filter::Nearest) return resize_nearest(image, box, width, height);
  const Kernel kernel = kernel_of(filter);
  const bool across = width != image.width || box.width != width;
  const bool down = height != image.height || box.height != height;
  const bool down_first = order == PassOrder::Pillow13 && height < image.height &&
                          image.height - height > 2 * (image.width - width);
  Image result = image;
  if (down && down_first) result = resize_vertically(result, box, height, kernel);
  if (across) result = resize_horizontally(result, box, width, kernel);
  if (down && !down_first) result = resize_vertically(result, box, height, kernel);
  return result;
}

Image crop(const Image& image, std::int64_t x, std::int64_t y, std::int64_t width,
           std::int64_t height) {
  detail::check_image(image, "crop");
  check_inside(image, {x, y, width, height}, "crop");
  Image result = make_image(width, height);
  for (std::int64_t row = 0; row < height; ++row) {
    const std::uint8_t* in = image.pixel(x, y + row);
    std::copy(in, in + 3 * width, result.pixel(0, row));
  }
  return result;
}

Image center_crop(const Image& image, std::int64_t width, std::int64_t height,
                  CropRounding rounding) {
  detail::check_image(image, "crop");
  check_argument(width > 0 && height > 0 && width <= image.width && height <= image.height,
                 "[crop] expected a size within ", image.width, " x ", image.height, ", got ",
                 width, " x ", height);
  return crop(image, half_of(image.width - width, rounding),
              half_of(image.height - height, rounding), width, height);
}

Image center_square(const Image& image) {
  const std::int64_t side = std::min(image.width, image.height);
  return crop(image, (image.width - side) / 2, (image.height - side) / 2, side, side);
}

Image square_resized(const Image& image, std::int64_t size, Filter filter) {
  return resize(center_square(image), size, size, filter);
}

}  // namespace dermis
