#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/core/options.hpp"
#include "dermis/explain/occlusion.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

/// Knows one square: the probability of class 1 is its mean red over 255.
Eigen::MatrixXd by_square(const at::Tensor& images) {
  const auto red = images.select(1, 0).slice(1, 4, 8).slice(2, 8, 12).to(torch::kDouble);
  const auto share = red.mean({1, 2}) / 255;
  Eigen::MatrixXd p(images.size(0), 2);
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    p(i, 1) = share[i].item<double>();
    p(i, 0) = 1 - p(i, 1);
  }
  return p;
}

at::Tensor planted() {
  auto images = torch::zeros({1, 3, 16, 16}, torch::kByte);
  images[0].slice(1, 4, 8).slice(2, 8, 12).fill_(240);
  return images;
}

}  // namespace

TEST_CASE("occlusion: finds the planted square, and how much covering it costs") {
  const auto map = occlusion_maps(by_square, planted(), {1}, {.size = 4, .stride = 4})[0];
  // Squares that do not overlap: only the one on it matters. The mean of the image is 15.
  auto expected = torch::zeros({16, 16});
  expected.slice(0, 4, 8).slice(1, 8, 12).fill_((240.0 - 15) / 255);
  CHECK(difference(map, expected) < 1e-6);
  // For the other class the same is a gain.
  CHECK(difference(occlusion_maps(by_square, planted(), {0}, {.size = 4, .stride = 4})[0],
                   -expected) < 1e-6);
}

TEST_CASE("occlusion: overlapping squares are averaged, every pixel is covered") {
  const auto map = occlusion_maps(by_square, planted(), {1}, {.size = 4, .stride = 2})[0];
  CHECK(map[5][9].item<float>() > map[5][7].item<float>());
  CHECK(map[5][7].item<float>() > 0);
  CHECK(map[15][0].item<float>() == 0);
  const auto best = map.flatten().argmax().item<std::int64_t>();
  CHECK((best / 16 >= 4 && best / 16 < 8));
  CHECK((best % 16 >= 8 && best % 16 < 12));
  // 16 is no multiple of 5: the last squares are moved inwards.
  const auto odd = occlusion_maps(by_square, planted(), {1}, {.size = 5, .stride = 5});
  CHECK(at::isfinite(odd).all().item<bool>());
}

TEST_CASE("occlusion: a blurred fill leaves even ground alone") {
  const OcclusionOptions blur{.size = 4, .stride = 2, .fill = OcclusionFill::Blur};
  const auto even = torch::full({1, 3, 16, 16}, 120, torch::kByte);
  CHECK(occlusion_maps(by_square, even, {1}, blur).abs().max().item<float>() == 0);
  const auto map = occlusion_maps(by_square, planted(), {1}, blur)[0];
  const auto best = map.flatten().argmax().item<std::int64_t>();
  CHECK((best / 16 >= 4 && best / 16 < 8));
  CHECK((best % 16 >= 8 && best % 16 < 12));
  CHECK(map.max().item<float>() < (240.0F - 15) / 255);
}

TEST_CASE("occlusion: options and errors") {
  CHECK(occlusion_for(64).size == 16);
  CHECK(occlusion_for(64).stride == 8);
  OcclusionOptions read;
  options_from_json(read, Json::object({{"fill", "blur"}, {"size", 3}}), "test");
  CHECK(read.fill == OcclusionFill::Blur);
  CHECK_THROWS_WITH(options_from_json(read, Json::object({{"fill", "black"}}), "test"),
                    Contains("expected mean or blur, got black"));
  const auto images = planted();
  CHECK_THROWS_WITH(occlusion_maps(by_square, images, {1}, {.size = 17}),
                    Contains("1 .. 16") && Contains("got 17 and 8"));
  CHECK_THROWS_WITH(occlusion_maps(by_square, images, {1}, {.size = 4, .stride = 5}),
                    Contains("got 4 and 5"));
  CHECK_THROWS_WITH(occlusion_maps(by_square, images, {2}, {.size = 4, .stride = 4}),
                    Contains("classes in 0 .. 1, got 2"));
  CHECK_THROWS_WITH(occlusion_maps(by_square, images, {}, {.size = 4, .stride = 4}),
                    Contains("probabilities of 0 images, got 1"));
  CHECK_THROWS_WITH(occlusion_maps(by_square, images.to(torch::kFloat), {1}), Contains("uint8"));
}
