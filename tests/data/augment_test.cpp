#include "dermis/data/augment.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <stdexcept>

using namespace dermis;

namespace {

constexpr double kPi = 3.14159265358979;

/// Smooth images without any symmetry, uint8 [count, 3, side, side].
at::Tensor smooth(int64_t count, int64_t side) {
  const at::Tensor line = torch::linspace(0, 1, side, torch::kFloat64);
  const at::Tensor x = line.view({1, 1, 1, side}), y = line.view({1, 1, side, 1});
  const at::Tensor n = torch::arange(count, torch::kFloat64).view({count, 1, 1, 1});
  const at::Tensor c = torch::arange(3, torch::kFloat64).view({1, 3, 1, 1});
  return (128 + 100 * torch::sin(2.1 * x + 0.7 * c + 0.3 * n) * torch::cos(1.3 * y + 0.9 * c))
      .to(torch::kUInt8);
}

/// A black image with a white disk, float [1, 3, 64, 64]; centre relative to the image's, in
/// pixels.
at::Tensor disk(double x0, double y0, double radius) {
  const at::Tensor line = torch::arange(64, torch::kFloat32) - 31.5;
  const at::Tensor inside =
      ((line.view({1, 64}) - x0).square() + (line.view({64, 1}) - y0).square()).sqrt().le(radius);
  return inside.to(torch::kFloat32).expand({1, 3, 64, 64}).contiguous();
}

struct Blob {
  double area, x, y;
};
Blob measure(const at::Tensor& image) {
  const at::Tensor plane = image[0][0].to(torch::kFloat64),
                   line = torch::arange(64, torch::kFloat64) - 31.5;
  const double area = plane.sum().item<double>();
  return {area, (plane * line.view({1, 64})).sum().item<double>() / area,
          (plane * line.view({64, 1})).sum().item<double>() / area};
}

std::vector<int64_t> counting(int64_t count, int64_t first = 0) {
  std::vector<int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}

at::Tensor as_float(const at::Tensor& bytes) {
  return bytes.to(torch::kFloat32) / 255;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("augment: switched off it changes nothing") {
  for (const int64_t side : {1, 7, 64}) {
    const at::Tensor images = smooth(3, side);
    const at::Tensor same = augment(images, no_augmentation(), 1, "test", 0, {0, 1, 2});
    CHECK(same.scalar_type() == torch::kFloat32);
    CHECK(largest_difference(same, as_float(images)) < 1e-4);
    CHECK(largest_difference(augment(as_float(images), no_augmentation(), 1, "test", 0, {0, 1, 2}),
                             same) == 0);
  }
}

TEST_CASE("augment: an image's view does not depend on the batch it is in") {
  for (const int64_t side : {17, 64}) {
    const at::Tensor images = smooth(16, side);
    const std::vector<int64_t> indices = counting(16, 1000);
    const at::Tensor whole = augment(images, {}, 7, "train", 3, indices);
    for (int64_t i = 0; i < 16; ++i) {
      CHECK(torch::equal(augment(images.slice(0, i, i + 1), {}, 7, "train", 3,
                                 {indices[static_cast<std::size_t>(i)]}),
                         whole.slice(0, i, i + 1)));
    }
    std::vector<int64_t> backwards(indices.rbegin(), indices.rend());
    CHECK(torch::equal(augment(images.flip(0), {}, 7, "train", 3, backwards).flip(0), whole));
  }
}

TEST_CASE("augment: seed, purpose, epoch and index each give another view") {
  const at::Tensor image = smooth(1, 32);
  const at::Tensor view = augment(image, {}, 7, "train", 3, {5});
  CHECK(torch::equal(view, augment(image, {}, 7, "train", 3, {5})));
  CHECK(largest_difference(view, augment(image, {}, 8, "train", 3, {5})) > 0.01);
  CHECK(largest_difference(view, augment(image, {}, 7, "mae", 3, {5})) > 0.01);
  CHECK(largest_difference(view, augment(image, {}, 7, "train", 4, {5})) > 0.01);
  CHECK(largest_difference(view, augment(image, {}, 7, "train", 3, {6})) > 0.01);
}

TEST_CASE("augment: stays in range, records no gradient, leaves the global generator alone") {
  const at::Tensor images =
      torch::cat({smooth(8, 32), torch::full({1, 3, 32, 32}, 255, torch::kUInt8)});
  torch::manual_seed(1);
  const double expected = torch::rand({1}).item<double>();
  torch::manual_seed(1);
  const at::Tensor views =
      augment(as_float(images).requires_grad_(), {.brightness = 1, .contrast = 1, .saturation = 1},
              1, "test", 0, counting(9));
  CHECK(torch::rand({1}).item<double>() == expected);
  CHECK_FALSE(views.requires_grad());
  CHECK(views.min().item<double>() >= 0);
  CHECK(views.max().item<double>() <= 1);
  CHECK(views.isfinite().all().item<bool>());
}

TEST_CASE("augment: half of the images are mirrored") {
  AugmentOptions options = no_augmentation();
  options.flip = true;
  const at::Tensor image = as_float(smooth(1, 16));
  const at::Tensor views =
      augment(image.expand({400, 3, 16, 16}).contiguous(), options, 1, "test", 0, counting(400));
  int mirrored = 0;
  for (int64_t i = 0; i < 400; ++i) {
    const bool as_is = largest_difference(views[i], image[0]) < 1e-4;
    const bool flipped = largest_difference(views[i], image[0].flip(2)) < 1e-4;
    REQUIRE(as_is != flipped);
    mirrored += flipped ? 1 : 0;
  }
  CHECK(mirrored > 150);
  CHECK(mirrored < 250);
}

TEST_CASE("augment: rotation keeps the distance from the centre and reaches every direction") {
  AugmentOptions options = no_augmentation();
  options.rotate = 180;
  const at::Tensor image = disk(12, 0, 4);
  std::vector<int> quadrants(4);
  for (int64_t i = 0; i < 80; ++i) {
    const Blob blob = measure(augment(image, options, 1, "test", 0, {i}));
    CHECK(std::hypot(blob.x, blob.y) == Approx(12).margin(0.1));
    CHECK(blob.area == Approx(measure(image).area).epsilon(0.03));
    ++quadrants[static_cast<std::size_t>((blob.x > 0 ? 1 : 0) + (blob.y > 0 ? 2 : 0))];
  }
  for (const int count : quadrants) CHECK(count >= 8);

  options.rotate = 30;
  double largest = 0;
  for (int64_t i = 0; i < 80; ++i) {
    const Blob blob = measure(augment(image, options, 1, "test", 0, {i}));
    largest = std::max(largest, std::abs(std::atan2(blob.y, blob.x)) * 180 / kPi);
  }
  CHECK(largest <= 30.5);
  CHECK(largest > 25);
}

TEST_CASE("augment: scale above 1 zooms in") {
  AugmentOptions options = no_augmentation();
  const at::Tensor image = disk(5, -3, 5);
  for (const double scale : {0.5, 2.0}) {
    options.scale_min = options.scale_max = scale;
    const Blob blob = measure(augment(image, options, 1, "test", 0, {0}));
    if (scale > 1) CHECK(blob.area == Approx(measure(image).area * scale * scale).epsilon(0.05));
    if (scale > 1) CHECK(blob.x == Approx(5 * scale).margin(0.1));
    if (scale > 1) CHECK(blob.y == Approx(-3 * scale).margin(0.1));
    if (scale < 1)
      CHECK(blob.area ==
            Approx(measure(image).area).epsilon(0.1));  // four mirror images, each a quarter
  }
  options.scale_min = 0.8;
  options.scale_max = 1.25;
  for (int64_t i = 0; i < 40; ++i) {
    const double ratio = measure(augment(disk(0, 0, 8), options, 1, "test", 0, {i})).area /
                         measure(disk(0, 0, 8)).area;
    CHECK(ratio > 0.6);
    CHECK(ratio < 1.6);
  }
}

TEST_CASE("augment: shift moves both ways along both axes") {
  AugmentOptions options = no_augmentation();
  options.shift = 0.25;
  double low_x = 0, high_x = 0, low_y = 0, high_y = 0;
  for (int64_t i = 0; i < 80; ++i) {
    const Blob blob = measure(augment(disk(0, 0, 5), options, 1, "test", 0, {i}));
    low_x = std::min(low_x, blob.x);
    high_x = std::max(high_x, blob.x);
    low_y = std::min(low_y, blob.y);
    high_y = std::max(high_y, blob.y);
  }
  for (const double reach : {-low_x, high_x, -low_y, high_y}) {
    CHECK(reach <= 16.1);
    CHECK(reach > 12);
  }
}

TEST_CASE("augment: borders are reflected, not filled") {
  const at::Tensor flat = torch::full({20, 3, 32, 32}, 0.5);
  AugmentOptions options;
  options.brightness = options.contrast = options.saturation = 0;
  options.scale_min = 0.4;
  CHECK(largest_difference(augment(flat, options, 1, "test", 0, counting(20)), flat) < 1e-5);
}

TEST_CASE("augment: brightness scales, contrast keeps the mean grey, saturation keeps every grey") {
  const at::Tensor images = as_float(smooth(30, 16)) * 0.4 + 0.3;  // far from the clamps
  const at::Tensor weights =
      torch::tensor({0.299, 0.587, 0.114}).to(torch::kFloat32).view({1, 3, 1, 1});
  const auto grey = [&](const at::Tensor& x) { return (x * weights).sum(1, true); };
  const auto deviation = [](const at::Tensor& x) { return x.flatten(1).std(1, true, true); };
  const auto check_factors =
      [](const at::Tensor& factor) {  // [30, ...], one factor an image within 0.8..1.2
        const at::Tensor flat = factor.flatten(1);
        CHECK((std::get<0>(flat.max(1)) - std::get<0>(flat.min(1))).max().item<double>() < 1e-3);
        CHECK(flat.min().item<double>() >= 0.799);
        CHECK(flat.max().item<double>() <= 1.201);
        CHECK(flat.max().item<double>() - flat.min().item<double>() > 0.3);
      };
  AugmentOptions options = no_augmentation();
  options.brightness = 0.2;
  check_factors(augment(images, options, 1, "test", 0, counting(30)) / images);

  options = no_augmentation();
  options.contrast = 0.2;
  at::Tensor views = augment(images, options, 1, "test", 0, counting(30));
  CHECK(largest_difference(grey(views).mean({1, 2, 3}), grey(images).mean({1, 2, 3})) < 1e-5);
  check_factors(deviation(views) / deviation(images));

  options = no_augmentation();
  options.saturation = 0.2;
  views = augment(images, options, 1, "test", 0, counting(30));
  CHECK(largest_difference(grey(views), grey(images)) < 1e-5);
  check_factors(deviation(views - grey(views)) / deviation(images - grey(images)));
}

TEST_CASE("augment: switching one part off leaves the others as they were") {
  const at::Tensor images = as_float(smooth(6, 32)) * 0.4 + 0.3;
  AugmentOptions geometry;
  geometry.brightness = geometry.contrast = geometry.saturation = 0;
  AugmentOptions brighter = geometry;
  brighter.brightness = 0.2;
  const at::Tensor ratio = (augment(images, brighter, 1, "test", 0, counting(6)) /
                            augment(images, geometry, 1, "test", 0, counting(6)))
                               .flatten(1);
  CHECK((std::get<0>(ratio.max(1)) - std::get<0>(ratio.min(1))).max().item<double>() < 1e-4);
}

TEST_CASE("augment: refuses what does not fit") {
  const at::Tensor images = smooth(2, 8);
  CHECK_THROWS_AS(augment(images, {}, 1, "t", 0, {0}), std::invalid_argument);
  CHECK_THROWS_AS(augment(images[0], {}, 1, "t", 0, {0, 1, 2}), std::invalid_argument);
  CHECK_THROWS_AS(augment(images.slice(2, 0, 4), {}, 1, "t", 0, {0, 1}), std::invalid_argument);
  CHECK_THROWS_AS(augment(images.slice(1, 0, 1), {}, 1, "t", 0, {0, 1}), std::invalid_argument);
  CHECK_THROWS_AS(augment(images.to(torch::kInt64), {}, 1, "t", 0, {0, 1}), std::invalid_argument);
  CHECK_THROWS_AS(augment(at::Tensor(), {}, 1, "t", 0, {}), std::invalid_argument);
  CHECK_THROWS_WITH(validate(AugmentOptions{.rotate = 181}), Catch::Contains("rotate"));
  CHECK_THROWS_WITH(validate(AugmentOptions{.scale_min = 2}), Catch::Contains("scale_min"));
  CHECK_THROWS_WITH(validate(AugmentOptions{.scale_min = 0}), Catch::Contains("scale_min"));
  CHECK_THROWS_WITH(validate(AugmentOptions{.shift = -0.1}), Catch::Contains("shift"));
  CHECK_THROWS_WITH(validate(AugmentOptions{.saturation = 1.5}), Catch::Contains("saturation"));
  CHECK_NOTHROW(validate(AugmentOptions{}));
}
