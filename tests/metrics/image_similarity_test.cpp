#include "dermis/metrics/image_similarity.hpp"

#include <catch2/catch.hpp>
#include <cmath>

using namespace dermis;

namespace {

/// (ax + by + cz + d xy) mod 256 with z the channel.
Image formula(int a, int b, int c, int d) {
  Image image = make_image(17, 14);
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      for (std::int64_t z = 0; z < 3; ++z) {
        image.pixel(x, y)[z] = static_cast<std::uint8_t>((a * x + b * y + c * z + d * x * y) & 255);
      }
    }
  }
  return image;
}

const Image first = formula(13, 29, 53, 0), second = formula(13, 31, 47, 1);

}  // namespace

// scikit-image 0.26; the last one by scipy.ndimage with mode "mirror".
TEST_CASE("image similarity: PSNR and the SSIM of scikit-image and torchmetrics") {
  CHECK(psnr(first, second) == Approx(8.569703376208627));
  const SSIM uniform = ssim(first, second, {7, 0, true, true});
  CHECK(uniform.mean == Approx(0.10603374450392233));
  CHECK(uniform.channels[0] == Approx(-0.008768441835972586));
  CHECK(uniform.channels[1] == Approx(0.11161835808323749));
  CHECK(uniform.channels[2] == Approx(0.21525131726450208));
  const SSIM gaussian = ssim(first, second);
  CHECK(gaussian.mean == Approx(0.1009089498851366));
  REQUIRE(gaussian.map.size() == first.rgb.size());
  CHECK(gaussian.map.front() == Approx(0.99392034));
  CHECK(gaussian.map.back() == Approx(0.3477505));
  SSIMOptions whole;
  whole.crop = false;
  CHECK(ssim(first, second, whole).mean == Approx(0.19427240879616087));
}

TEST_CASE("image similarity: equal images, and what is refused") {
  CHECK(std::isinf(psnr(first, first)));
  CHECK(ssim(first, first).mean == Approx(1));
  const Image other = make_image(17, 13);
  CHECK_THROWS_WITH(psnr(first, other), Catch::Contains("17 x 14 and 17 x 13"));
  CHECK_THROWS_WITH(ssim(first, other), Catch::Contains("one size"));
  CHECK_THROWS_WITH(ssim(first, second, {15, 0, true, true}), Catch::Contains("15 x 15"));
  CHECK_THROWS_WITH(ssim(first, second, {6, 0, true, true}), Catch::Contains("odd window"));
  CHECK_THROWS_WITH(ssim(first, second, {7, -1, true, true}), Catch::Contains("sigma"));
  CHECK_THROWS_WITH(psnr(Image{}, first), Catch::Contains("at least 1 x 1"));
}
