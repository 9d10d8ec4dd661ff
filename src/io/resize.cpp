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

/// Which source samples make an output sample, and with what weights.
struct Span {
  std::int64_t first, count;
  const std::int32_t* weights;
};

/// The spans of one axis. Calling compute() again takes memory only if more is needed than before.
class Spans {
 public:
  /// Of `in` samples those from `begin` on, `length` of them, become `out`.
  void compute(std::int64_t in, std::int64_t begin, std::int64_t length, std::int64_t out,
               const Kernel& kernel) {
    const double scale = static_cast<double>(length) / static_cast<double>(out);
    const double filter_scale = std::max(scale, 1.0);
    const double support = kernel.support * filter_scale;
    const double inverse = 1.0 / filter_scale;
    longest_ = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
    weights_.resize(static_cast<std::size_t>(out * longest_));
    spans_.clear();
    spans_.reserve(static_cast<std::size_t>(out));
    exact_.resize(static_cast<std::size_t>(longest_));
    for (std::int64_t i = 0; i < out; ++i) {
      const double center = static_cast<double>(begin) + (static_cast<double>(i) + 0.5) * scale;
      const std::int64_t first =
          std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
      const std::int64_t count =
          std::min<std::int64_t>(static_cast<std::int64_t>(center + support + 0.5), in) - first;
      double sum = 0.0;
      for (std::int64_t k = 0; k < count; ++k) {
        const double w = kernel.value((static_cast<double>(k + first) - center + 0.5) * inverse);
        exact_[static_cast<std::size_t>(k)] = w;
        sum += w;
      }
      std::int32_t* weights = weights_.data() + i * longest_;
      for (std::int64_t k = 0; k < count; ++k) {
        double w = exact_[static_cast<std::size_t>(k)];
        if (sum != 0.0) w /= sum;
        weights[k] = static_cast<std::int32_t>((w < 0 ? -0.5 : 0.5) + w * (1 << precision_bits));
      }
      spans_.push_back({first, count, weights});
    }
  }

  const Span& operator[](std::int64_t i) const { return spans_[static_cast<std::size_t>(i)]; }
  std::int64_t longest() const { return longest_; }  ///< no span counts more

 private:
  std::int64_t longest_ = 0;
  std::vector<std::int32_t> weights_;
  std::vector<Span> spans_;
  std::vector<double> exact_;
};

std::uint8_t clip8(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision_bits, 0, 255));
}

/// A row of `width` pixels from the row `in`.
void convolve_row(const std::uint8_t* in, const Spans& spans, std::int64_t width,
                  std::uint8_t* out) {
  for (std::int64_t x = 0; x < width; ++x, out += 3) {
    const Span& span = spans[x];
    const std::uint8_t* at = in + 3 * span.first;
    std::int32_t red = half, green = half, blue = half;
    for (std::int64_t k = 0; k < span.count; ++k, at += 3) {
      const std::int32_t w = span.weights[k];
      red += at[0] * w;
      green += at[1] * w;
      blue += at[2] * w;
    }
    out[0] = clip8(red);
    out[1] = clip8(green);
    out[2] = clip8(blue);
  }
}

/// The row that the rows of `span` make; row(y) is source row y. `out` has a byte for each of
/// `sums`.
template <class Row>
void convolve_column(const Span& span, const Row& row, std::vector<std::int32_t>& sums,
                     std::uint8_t* out) {
  std::int32_t* const sum = sums.data();  // bytes written through `out` cannot be this pointer
  const std::size_t count = sums.size();
  std::fill_n(sum, count, half);
  for (std::int64_t k = 0; k < span.count; ++k) {
    const std::uint8_t* in = row(span.first + k);
    const std::int32_t w = span.weights[k];
    for (std::size_t i = 0; i < count; ++i) sum[i] += in[i] * w;
  }
  for (std::size_t i = 0; i < count; ++i) out[i] = clip8(sum[i]);
}

/// What convolve() works in.
struct Memory {
  Spans across, down;
  std::vector<std::uint8_t> rows;  // between the passes, used again and again
  std::vector<std::int32_t> sums;
};

/// Resizes row by row: between the two passes no more rows are held than one result row needs.
void convolve(const ImageView& image, const Box& box, Image& result, const Kernel& kernel,
              PassOrder order, Memory& memory) {
  const std::int64_t width = result.width, height = result.height;
  const bool across = width != image.width || box.width != width;
  const bool down = height != image.height || box.height != height;
  if (across) memory.across.compute(image.width, box.x, box.width, width, kernel);
  if (down) memory.down.compute(image.height, box.y, box.height, height, kernel);
  const auto pass_across = [&](const std::uint8_t* in, std::uint8_t* out) {
    if (across) return convolve_row(in, memory.across, width, out);
    std::copy_n(in, 3 * width, out);
  };
  const auto source = [&](std::int64_t y) { return image.pixel(0, y); };
  if (!down) {
    for (std::int64_t y = 0; y < height; ++y) pass_across(source(y), result.pixel(0, y));
    return;
  }
  const bool down_first = order == PassOrder::Pillow13 && height < image.height &&
                          image.height - height > 2 * (image.width - width);
  if (down_first) {
    memory.sums.resize(static_cast<std::size_t>(3 * image.width));
    memory.rows.resize(memory.sums.size());
    for (std::int64_t y = 0; y < height; ++y) {
      convolve_column(memory.down[y], source, memory.sums, memory.rows.data());
      pass_across(memory.rows.data(), result.pixel(0, y));
    }
    return;
  }
  const std::int64_t kept = memory.down.longest(), row_bytes = 3 * width;
  memory.sums.resize(static_cast<std::size_t>(row_bytes));
  memory.rows.resize(static_cast<std::size_t>(kept * row_bytes));
  const auto row = [&](std::int64_t y) { return memory.rows.data() + y % kept * row_bytes; };
  std::int64_t next = 0;  // the first source row that no pass went across yet
  for (std::int64_t y = 0; y < height; ++y) {
    const Span& span = memory.down[y];
    for (next = std::max(next, span.first); next < span.first + span.count; ++next)
      pass_across(source(next), row(next));
    convolve_column(span, row, memory.sums, result.pixel(0, y));
  }
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

void resize_nearest(const ImageView& image, const Box& box, Image& result) {
  const std::vector<std::int64_t> columns = nearest(box.x, box.width, result.width);
  std::uint8_t* out = result.rgb.data();
  for (const std::int64_t y : nearest(box.y, box.height, result.height)) {
    for (const std::int64_t x : columns) out = std::copy_n(image.pixel(x, y), 3, out);
  }
}

void resize_into(Image& result, const ImageView& image, const Box& box, Filter filter,
                 PassOrder order, Memory& memory) {
  if (filter == Filter::Nearest) return resize_nearest(image, box, result);
  convolve(image, box, result, kernel_of(filter), order, memory);
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
  detail::check_inside(image, box, "resize");
  Image result = make_image(width, height);
  Memory memory;
  resize_into(result, image, box, filter, order, memory);
  return result;
}

Image square_resized(const Image& image, std::int64_t size, Filter filter) {
  return SquareResizer(size, filter)(image);
}

struct SquareResizer::State {
  Filter filter;
  Image result;
  Memory memory;
};

SquareResizer::SquareResizer(std::int64_t size, Filter filter, std::int64_t largest_side)
    : state_(std::make_unique<State>(State{filter, make_image(size, size), {}})) {
  check_argument(largest_side >= 0, "[resize] expected a largest side of at least 0, got ",
                 largest_side);
  if (filter == Filter::Nearest || largest_side == 0) return;
  Memory& memory = state_->memory;
  for (Spans* spans : {&memory.across, &memory.down})
    spans->compute(largest_side, 0, largest_side, size, kernel_of(filter));
  memory.sums.reserve(static_cast<std::size_t>(3 * size));
  memory.rows.reserve(static_cast<std::size_t>(memory.down.longest() * 3 * size));
}
SquareResizer::~SquareResizer() = default;
SquareResizer::SquareResizer(SquareResizer&&) noexcept = default;
SquareResizer& SquareResizer::operator=(SquareResizer&&) noexcept = default;

const Image& SquareResizer::operator()(const ImageView& image) {
  const ImageView square = image.center_square();
  resize_into(state_->result, square, {0, 0, square.width, square.height}, state_->filter,
              PassOrder::HorizontalFirst, state_->memory);
  return state_->result;
}

}  // namespace dermis
