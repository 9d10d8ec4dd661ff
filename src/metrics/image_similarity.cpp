#include "dermis/metrics/image_similarity.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

void check_pair(const Image& a, const Image& b) {
  detail::check_image(a, "similarity");
  detail::check_image(b, "similarity");
  check_argument(a.width == b.width && a.height == b.height,
                 "[similarity] expected images of one size, got ", a.width, " x ", a.height,
                 " and ", b.width, " x ", b.height);
}

/// One channel as numbers, row by row.
struct Plane {
  std::int64_t width, height;
  std::vector<double> values;

  double& at(std::int64_t x, std::int64_t y) {
    return values[static_cast<std::size_t>(y * width + x)];
  }
};

Plane plane_of(const Image& image, std::size_t channel) {
  Plane plane{image.width, image.height, {}};
  for (std::size_t i = channel; i < image.rgb.size(); i += 3) plane.values.push_back(image.rgb[i]);
  return plane;
}

Plane product(const Plane& a, const Plane& b) {
  Plane result = a;
  for (std::size_t i = 0; i < result.values.size(); ++i) result.values[i] *= b.values[i];
  return result;
}

std::vector<double> window_of(const SSIMOptions& options) {
  std::vector<double> weights;
  double sum = 0;
  for (int i = -options.window / 2; i <= options.window / 2; ++i) {
    const double z = options.sigma > 0 ? i / options.sigma : 0;
    weights.push_back(std::exp(-z * z / 2));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// Where sample i of a row of `size` lies that goes on mirrored, its edge pixel repeated or not.
std::int64_t mirrored(std::int64_t i, std::int64_t size, bool repeat) {
  if (i < 0) return repeat ? -i - 1 : -i;
  if (i >= size) return repeat ? 2 * size - 1 - i : 2 * size - 2 - i;
  return i;
}

/// The windowed mean around each pixel: rows, then columns.
Plane smoothed(Plane in, const std::vector<double>& weights, bool repeat) {
  const auto radius = static_cast<std::int64_t>(weights.size()) / 2;
  Plane across = in;
  for (std::int64_t y = 0; y < in.height; ++y) {
    for (std::int64_t x = 0; x < in.width; ++x) {
      double sum = 0;
      for (std::int64_t k = -radius; k <= radius; ++k) {
        sum += weights[static_cast<std::size_t>(k + radius)] *
               in.at(mirrored(x + k, in.width, repeat), y);
      }
      across.at(x, y) = sum;
    }
  }
  for (std::int64_t y = 0; y < in.height; ++y) {
    for (std::int64_t x = 0; x < in.width; ++x) {
      double sum = 0;
      for (std::int64_t k = -radius; k <= radius; ++k) {
        sum += weights[static_cast<std::size_t>(k + radius)] *
               across.at(x, mirrored(y + k, in.height, repeat));
      }
      in.at(x, y) = sum;
    }
  }
  return in;
}

}  // namespace

double psnr(const Image& a, const Image& b) {
  check_pair(a, b);
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    const double difference = static_cast<double>(a.rgb[i]) - static_cast<double>(b.rgb[i]);
    sum += difference * difference;
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / sum);
}

SSIM ssim(const Image& a, const Image& b, const SSIMOptions& options) {
  check_pair(a, b);
  check_argument(options.window >= 3 && options.window % 2 == 1,
                 "[similarity] expected an odd window of at least 3, got ", options.window);
  check_argument(options.sigma >= 0, "[similarity] expected sigma of at least 0, got ",
                 options.sigma);
  check_argument(a.width >= options.window && a.height >= options.window,
                 "[similarity] expected images of at least the window, ", options.window, " x ",
                 options.window, ", got ", a.width, " x ", a.height);
  const std::vector<double> weights = window_of(options);
  const double n = static_cast<double>(options.window) * options.window;
  const double scale = options.sample_covariance ? n / (n - 1) : 1;
  constexpr double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
  const std::int64_t border = options.crop ? options.window / 2 : 0;

  SSIM result;
  result.map.resize(a.rgb.size());
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const Plane x = plane_of(a, channel), y = plane_of(b, channel);
    const auto mean = [&](const Plane& plane) { return smoothed(plane, weights, options.crop); };
    const Plane ux = mean(x), uy = mean(y);
    const Plane uxx = mean(product(x, x)), uyy = mean(product(y, y)), uxy = mean(product(x, y));
    for (std::size_t i = 0; i < ux.values.size(); ++i) {
      const double mx = ux.values[i], my = uy.values[i];
      const double vx = scale * (uxx.values[i] - mx * mx), vy = scale * (uyy.values[i] - my * my);
      const double vxy = scale * (uxy.values[i] - mx * my);
      result.map[3 * i + channel] =
          (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2));
    }
    double sum = 0;
    for (std::int64_t row = border; row < a.height - border; ++row) {
      for (std::int64_t column = border; column < a.width - border; ++column) {
        sum += result.map[static_cast<std::size_t>(3 * (row * a.width + column)) + channel];
      }
    }
    const std::int64_t pixels = (a.width - 2 * border) * (a.height - 2 * border);
    result.channels[channel] = sum / static_cast<double>(pixels);
    result.mean += result.channels[channel] / 3;
  }
  return result;
}

}  // namespace dermis
