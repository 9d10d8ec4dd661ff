#include "dermis/io/lesion_mask.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>

#include "dermis/core/check.hpp"
#include "dermis/io/resize.hpp"
#include "dermis/io/skin_tone.hpp"
#include "segmentation.hpp"

namespace dermis {
namespace {

using detail::Plane;
using Values = std::vector<double>;
using Terms = Eigen::Matrix<double, 6, 1>;  // 1, u, v, u^2, u v, v^2

constexpr std::int64_t working_side = 128;
constexpr double periphery = 0.65;  // of the half sides: beyond it is taken for skin at first
constexpr double least_distance = 5;
constexpr double share_of_otsu = 0.4;  // pigment fades into the skin
constexpr int fits = 4;

double median(Values values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The median within `radius` in both directions.
Values median_filtered(const Values& values, std::int64_t width, std::int64_t height,
                       std::int64_t radius) {
  Values result(values.size());
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      Values near;
      for (auto v = std::max<std::int64_t>(0, y - radius); v <= std::min(height - 1, y + radius);
           ++v)
        for (auto u = std::max<std::int64_t>(0, x - radius); u <= std::min(width - 1, x + radius);
             ++u)
          near.push_back(values[static_cast<std::size_t>(v * width + u)]);
      result[static_cast<std::size_t>(y * width + x)] = median(std::move(near));
    }
  return result;
}

/// Place in the image as seen from its middle, -1 to 1, in powers.
Terms terms_of(std::size_t i, std::int64_t width, std::int64_t height) {
  const auto x = static_cast<double>(static_cast<std::int64_t>(i) % width);
  const auto y = static_cast<double>(static_cast<std::int64_t>(i) / width);
  const double u = (2 * x + 1) / static_cast<double>(width) - 1;
  const double v = (2 * y + 1) / static_cast<double>(height) - 1;
  Terms terms;
  terms << 1, u, v, u * u, u * v, v * v;
  return terms;
}

using Channels = std::array<Values, 3>;

Channels colours_of(const Image& image) {
  Channels channels;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    const Lab lab = lab_of_srgb(image.rgb.data() + i);
    channels[0].push_back(lab.lightness);
    channels[1].push_back(lab.a);
    channels[2].push_back(lab.b);
  }
  const auto radius = std::max<std::int64_t>(1, std::max(image.width, image.height) / 32);
  for (auto& channel : channels)
    channel = median_filtered(channel, image.width, image.height, radius);
  return channels;
}

/// Distance of every pixel from the surface that fits those with `weights` best.
Values distances(const Channels& channels, const std::vector<Terms>& terms, const Values& weights) {
  Eigen::Matrix<double, 6, 6> squares = 1e-6 * Eigen::Matrix<double, 6, 6>::Identity();
  Eigen::Matrix<double, 6, 3> products = Eigen::Matrix<double, 6, 3>::Zero();
  const auto colour = [&](std::size_t i) {
    return Eigen::RowVector3d(channels[0][i], channels[1][i], channels[2][i]);
  };
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (weights[i] == 0) continue;
    squares += weights[i] * terms[i] * terms[i].transpose();
    products += weights[i] * terms[i] * colour(i);
  }
  const Eigen::Matrix<double, 6, 3> surface = squares.ldlt().solve(products);
  Values result;
  for (std::size_t i = 0; i < terms.size(); ++i)
    result.push_back((colour(i) - terms[i].transpose() * surface).norm());
  return result;
}

/// Distance of every pixel from the skin.
Values distance_from_skin(const Image& image) {
  const auto channels = colours_of(image);
  std::vector<Terms> terms;
  Values weights;
  for (std::size_t i = 0; i < channels[0].size(); ++i) {
    terms.push_back(terms_of(i, image.width, image.height));
    weights.push_back(std::max(std::abs(terms[i](1)), std::abs(terms[i](2))) > periphery ? 1 : 0);
  }
  Values distance;
  for (int fit = 0; fit < fits; ++fit) {
    distance = distances(channels, terms, weights);
    Values used;
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (weights[i] > 0) used.push_back(distance[i]);
    const double scale = 2 * std::max(1.0, median(std::move(used)));
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (weights[i] > 0) weights[i] = 1 / (1 + std::pow(distance[i] / scale, 4));
  }
  return distance;
}

/// Pixels outside that no path connects with the image's side become inside.
void fill_holes(Plane& mask, std::int64_t width, std::int64_t height) {
  Plane outside(mask.size());
  std::vector<std::int64_t> open;
  const auto visit = [&](std::int64_t x, std::int64_t y) {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const auto i = static_cast<std::size_t>(y * width + x);
    if (mask[i] != 0 || outside[i] != 0) return;
    outside[i] = 1;
    open.push_back(y * width + x);
  };
  for (std::int64_t x = 0; x < width; ++x) visit(x, 0), visit(x, height - 1);
  for (std::int64_t y = 0; y < height; ++y) visit(0, y), visit(width - 1, y);
  for (std::size_t k = 0; k < open.size(); ++k) {
    const auto x = open[k] % width, y = open[k] / width;
    visit(x - 1, y), visit(x + 1, y), visit(x, y - 1), visit(x, y + 1);
  }
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = outside[i] == 0;
}

Image mask_of(const Image& image) {
  const auto width = image.width, height = image.height;
  const auto distance = distance_from_skin(image);
  const double threshold = std::max(least_distance, share_of_otsu * detail::otsu(distance));
  Plane inside(distance.size());
  for (std::size_t i = 0; i < inside.size(); ++i) inside[i] = distance[i] > threshold;
  detail::keep_central_piece(inside, width, height);
  fill_holes(inside, width, height);
  const auto radius = std::max<std::int64_t>(1, std::max(width, height) / 21);
  const auto smooth = median_filtered(Values(inside.begin(), inside.end()), width, height, radius);
  for (std::size_t i = 0; i < inside.size(); ++i) inside[i] = smooth[i] > 0.5;
  detail::keep_central_piece(inside, width, height);
  auto mask = make_image(width, height);
  for (std::size_t i = 0; i < inside.size(); ++i)
    std::fill_n(mask.rgb.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, inside[i] ? 255 : 0);
  return mask;
}

}  // namespace

Image lesion_mask(const Image& image) {
  detail::check_image(image, "lesion");
  const auto longer = std::max(image.width, image.height);
  if (longer <= working_side) return mask_of(image);
  const auto shrunk = [&](std::int64_t side) {
    return std::max<std::int64_t>(1, side * working_side / longer);
  };
  auto mask =
      resize(mask_of(resize(image, shrunk(image.width), shrunk(image.height), Filter::Bilinear)),
             image.width, image.height, Filter::Bilinear);
  for (auto& value : mask.rgb) value = value >= 128 ? 255 : 0;
  return mask;
}

}  // namespace dermis
