#include "dermis/data/mixup.hpp"

#include <torch/types.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>

using namespace dermis;
using Catch::Contains;

namespace {

/// Image i is filled with i.
at::Tensor numbered(int64_t count, int64_t side = 16) {
  return torch::arange(count, torch::kFloat32).view({count, 1, 1, 1}).repeat({1, 3, side, side});
}

RandomStream stream(std::uint64_t step) {
  return RandomStream(5, "mixup", step);
}

double value(const at::Tensor& scalar) {
  return scalar.item<double>();
}

}  // namespace

TEST_CASE("mixup: images and targets are mixed with the reversed batch by one share") {
  const at::Tensor images = numbered(4), labels = torch::tensor({0, 1, 2, 2}, torch::kInt64);
  const at::Tensor shares = torch::tensor({0.92F, 0.02F, 0.02F, 0.02F, 0.02F,  // smoothing 0.1
                                           0.02F, 0.92F, 0.02F, 0.02F, 0.02F,  //
                                           0.02F, 0.02F, 0.92F, 0.02F, 0.02F,  //
                                           0.02F, 0.02F, 0.92F, 0.02F, 0.02F})
                                .view({4, 5});
  for (std::uint64_t step = 0; step < 20; ++step) {
    const auto mixed = mixup(images, labels, 5, {.cutmix_alpha = 0}, stream(step));
    const double lambda = 1 - value(mixed.images[0][0][0][0]) / 3;  // lambda 0 + (1 - lambda) 3
    REQUIRE(lambda >= 0);
    REQUIRE(lambda <= 1);
    CHECK(
        torch::allclose(mixed.images, images * lambda + images.flip(0) * (1 - lambda), 1e-5, 1e-5));
    CHECK(torch::allclose(mixed.targets, shares * lambda + shares.flip(0) * (1 - lambda), 1e-5,
                          1e-5));
  }
  CHECK(torch::equal(images, numbered(4)));  // left unchanged
}

TEST_CASE("cutmix: a box comes from the reversed batch, its area is the other label's share") {
  const at::Tensor images = numbered(2), labels = torch::tensor({0, 1}, torch::kInt64);
  double smallest = 1, largest = 0;
  for (std::uint64_t step = 0; step < 300; ++step) {
    const auto mixed =
        mixup(images, labels, 2, {.mixup_alpha = 0, .label_smoothing = 0}, stream(step));
    const at::Tensor box = mixed.images[0].ne(0);                   // [3, S, S]
    CHECK(torch::equal(mixed.images[0], box.to(torch::kFloat32)));  // 1: from the other image
    CHECK(torch::equal(mixed.images[1], 1 - mixed.images[0]));
    const auto height = box[0].any(1).sum().item<int64_t>();
    const auto width = box[0].any(0).sum().item<int64_t>();
    CHECK(box.sum().item<int64_t>() == 3 * height * width);
    const double area = static_cast<double>(height * width) / 256;
    CHECK(value(mixed.targets[0][1]) == Approx(area).margin(1e-6));
    CHECK(value(mixed.targets[1][1]) == Approx(1 - area).margin(1e-6));
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
  }
  CHECK(smallest < 0.02);
  CHECK(largest > 0.7);
}

TEST_CASE("mixup: the share is Beta(alpha, alpha)") {
  const at::Tensor images = numbered(2, 1), labels = torch::tensor({0, 1}, torch::kInt64);
  for (const double alpha : {0.1, 0.8, 3.0}) {
    double sum = 0, squares = 0;
    const int count = 3000;
    for (int step = 0; step < count; ++step) {
      const auto mixed = mixup(images, labels, 2, {.mixup_alpha = alpha, .cutmix_alpha = 0},
                               stream(static_cast<std::uint64_t>(step)));
      const double lambda = value(mixed.images[1][0][0][0]);
      sum += lambda;
      squares += lambda * lambda;
    }
    const double mean = sum / count, variance = squares / count - mean * mean;
    CHECK(mean == Approx(0.5).margin(0.04));
    CHECK(variance == Approx(1 / (4 * (2 * alpha + 1))).epsilon(0.08));
  }
}

TEST_CASE("mixup: by default every batch is mixed, half of them by CutMix; the stream decides") {
  const at::Tensor images = numbered(2), labels = torch::tensor({0, 1}, torch::kInt64);
  int cut = 0, unmixed = 0;
  for (std::uint64_t step = 0; step < 400; ++step) {
    const auto mixed = mixup(images, labels, 2, {}, stream(step));
    cut += mixed.images.eq(0).logical_or(mixed.images.eq(1)).all().item<bool>() ? 1 : 0;
    const auto half = mixup(images, labels, 2, {.probability = 0.5}, stream(step));
    unmixed += torch::equal(half.images, images) ? 1 : 0;
    CHECK(torch::allclose(mixed.targets.sum(1), torch::ones({2})));
  }
  CHECK(cut > 150);
  CHECK(cut < 250);
  CHECK(unmixed > 150);
  CHECK(unmixed < 260);  // CutMix may draw an empty box
  const auto a = mixup(images, labels, 2, {}, stream(1)),
             b = mixup(images, labels, 2, {}, stream(1));
  CHECK(torch::equal(a.images, b.images));
  CHECK(torch::equal(a.targets, b.targets));

  const auto off = mixup(images, labels, 2, {.mixup_alpha = 0, .cutmix_alpha = 0}, stream(1));
  CHECK(torch::equal(off.images, images));
  CHECK(torch::allclose(off.targets, torch::tensor({0.95F, 0.05F, 0.05F, 0.95F}).view({2, 2})));
}

TEST_CASE("mixup: refuses what does not fit") {
  const at::Tensor images = numbered(2), labels = torch::tensor({0, 1}, torch::kInt64);
  CHECK_THROWS_WITH(mixup(images.to(torch::kUInt8), labels, 2, {}, stream(0)),
                    Contains("[mixup] expected floating images"));
  CHECK_THROWS_WITH(mixup(images, labels.slice(0, 0, 1), 2, {}, stream(0)),
                    Contains("expected one int64 label an image (2)"));
  CHECK_THROWS_WITH(mixup(images, labels, 1, {}, stream(0)),
                    Contains("expected labels in [0, 1), got 0 to 1"));
  CHECK_THROWS_AS(mixup(at::Tensor(), labels, 2, {}, stream(0)), std::invalid_argument);
  CHECK_THROWS_WITH(validate(MixupOptions{.mixup_alpha = -1}), Contains("mixup_alpha"));
  CHECK_THROWS_WITH(validate(MixupOptions{.cutmix_alpha = NAN}), Contains("cutmix_alpha"));
  CHECK_THROWS_WITH(validate(MixupOptions{.switch_probability = 2}),
                    Contains("switch_probability"));
  CHECK_THROWS_WITH(validate(MixupOptions{.probability = -0.1}), Contains("probability"));
  CHECK_THROWS_WITH(validate(MixupOptions{.label_smoothing = 1}), Contains("label_smoothing"));
}

TEST_CASE("mixup: shares and boxes of the caller's") {
  const auto labels = torch::tensor({0, 1, 2}, torch::kLong);
  const auto [mixed, shares] = mixup_by(numbered(3, 4), labels, 3, 0.25);
  CHECK(value(mixed[0][0][0][0]) == Approx(1.5));  // 0.25 * 0 + 0.75 * 2
  CHECK(value(shares[0][0]) == Approx(0.25));
  CHECK(value(shares[0][2]) == Approx(0.75));

  const Box box{1, 0, 2, 3};  // columns 1 and 2, rows 0 to 2
  CHECK(kept_share(box, 4, 4) == Approx(1 - 6.0 / 16));
  const auto [cut, targets] = cutmix_by(numbered(3, 4), labels, 3, box, 0.3);
  CHECK(value(cut[0][0][2][2]) == 2);
  CHECK(value(cut[0][0][3][2]) == 0);
  CHECK(value(cut[0][0][2][3]) == 0);
  CHECK(value(targets[0][2]) == Approx(0.1 + 0.7 * 6 / 16));

  CHECK_THROWS_WITH(mixup_by(numbered(3, 4), labels, 3, 1.5), Contains("lambda in [0, 1]"));
  CHECK_THROWS_WITH(cutmix_by(numbered(3, 4), labels, 3, {2, 0, 3, 1}),
                    Contains("a box inside 4 x 4, got 3 x 1 at (2, 0)"));
  CHECK_THROWS_WITH(cutmix_by(numbered(3, 4), labels, 2, box), Contains("labels in [0, 2)"));
}
