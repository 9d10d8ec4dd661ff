#include "dermis/io/lesion_mask.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>
#include <utility>

using namespace dermis;

namespace {

/// A dark ellipse on skin that is darker to the right, with two hairs; and the ellipse alone.
std::pair<Image, Image> drawn(std::int64_t side) {
  auto image = make_image(side, side), truth = make_image(side, side);
  const auto n = static_cast<double>(side);
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x) {
      const double u = (2.0 * static_cast<double>(x) + 1) / n - 1;
      const double v = (2.0 * static_cast<double>(y) + 1) / n - 1;
      const bool inside = std::hypot(u / 0.5, v / 0.35) < 1;
      const bool hair = std::abs(u - 0.7 * v) < 1.2 / n || std::abs(v + 0.6) < 1.2 / n;
      const double light = (1 - 0.2 * u) * (inside ? 0.5 : 1) * (hair ? 0.4 : 1);
      auto* pixel = image.pixel(x, y);
      pixel[0] = static_cast<std::uint8_t>(200 * light);
      pixel[1] = static_cast<std::uint8_t>(150 * light);
      pixel[2] = static_cast<std::uint8_t>(120 * light);
      for (int c = 0; c < 3; ++c) truth.pixel(x, y)[c] = inside ? 255 : 0;
    }
  return {image, truth};
}

double overlap(const Image& a, const Image& b) {
  double both = 0, either = 0;
  for (std::size_t i = 0; i < a.rgb.size(); i += 3) {
    both += a.rgb[i] > 0 && b.rgb[i] > 0;
    either += a.rgb[i] > 0 || b.rgb[i] > 0;
  }
  return both / either;
}

}  // namespace

TEST_CASE("lesion_mask: a lesion under hairs on unevenly lit skin, at any size") {
  for (const std::int64_t side : {64, 128, 200}) {
    const auto [image, truth] = drawn(side);
    const auto mask = lesion_mask(image);
    INFO(side);
    REQUIRE(mask.width == side);
    CHECK(overlap(mask, truth) > 0.9);
    CHECK(std::all_of(mask.rgb.begin(), mask.rgb.end(),
                      [](std::uint8_t v) { return v == 0 || v == 255; }));
  }
}

TEST_CASE("lesion_mask: where nothing stands out there is none") {
  const auto mask = lesion_mask(make_image(40, 30, 190));
  CHECK(mask.width == 40);
  CHECK(std::all_of(mask.rgb.begin(), mask.rgb.end(), [](std::uint8_t v) { return v == 0; }));
  CHECK_THROWS_AS(lesion_mask(Image{2, 2, {}}), std::invalid_argument);
}
