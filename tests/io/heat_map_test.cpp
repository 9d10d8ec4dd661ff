#include <catch2/catch.hpp>
#include <limits>

#include "dermis/io/heat_map.hpp"

using namespace dermis;
using Catch::Matchers::Contains;

namespace {
double luminance(const Colour& c) {
  return 0.30 * c[0] + 0.59 * c[1] + 0.11 * c[2];  // the weights cubehelix is made for
}
}  // namespace

TEST_CASE("heat map: luminance rises evenly with the value") {
  for (int i = 1; i <= 20; ++i) {
    const double step = luminance(heat_colour(i / 20.0)) - luminance(heat_colour((i - 1) / 20.0));
    INFO("step " << i);
    CHECK(step > 8.5);
    CHECK(step < 12.5);
  }
  CHECK(heat_colour(-1) == heat_colour(0));
  CHECK(heat_colour(2) == heat_colour(1));
  const auto middle = heat_colour(0.5);
  CHECK(std::max({middle[0], middle[1], middle[2]}) - std::min({middle[0], middle[1], middle[2]}) >
        80);  // a colour, not a grey
}

TEST_CASE("heat map: the overlay follows the map, its scale does not matter") {
  const Image image = make_image(2, 2, 100);
  const auto heated = overlay(image, {0, 1, 2, 4}, 1);
  const auto first = heat_colour(0), last = heat_colour(1), quarter = heat_colour(0.25);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(heated.pixel(0, 0)[c] == first[c]);
    CHECK(heated.pixel(1, 0)[c] == quarter[c]);
    CHECK(heated.pixel(1, 1)[c] == last[c]);
  }
  CHECK(overlay(image, {0, 10, 20, 40}, 1) == heated);
  CHECK(overlay(image, {0, 1, 2, 4}, 0) == image);  // grey already
  CHECK(overlay(image, {-3, 1, 2, 4}, 1) == heated);
  const auto flat = overlay(image, {0, 0, 0, 0}, 1);
  CHECK(flat.pixel(1, 1)[0] == first[0]);
  CHECK_THROWS_WITH(overlay(image, {0, 1}), Contains("map of 4 values, got 2"));
  CHECK_THROWS_WITH(overlay(image, {0, 1, 2, 3}, 1.5), Contains("opacity in 0..1, got 1.5"));
  CHECK_THROWS_WITH(overlay(image, {0, 1, 2, std::numeric_limits<float>::infinity()}),
                    Contains("finite"));
}

TEST_CASE("heat map: an outline is the mask's own border") {
  const Image image = make_image(5, 5, 0);
  std::vector<std::uint8_t> mask(25, 0);
  for (const int y : {1, 2, 3})
    for (const int x : {1, 2, 3}) mask[static_cast<std::size_t>(5 * y + x)] = 1;
  const auto drawn = outlined(image, mask, {9, 8, 7});
  for (int y = 0; y < 5; ++y)
    for (int x = 0; x < 5; ++x) {
      const bool border = mask[static_cast<std::size_t>(5 * y + x)] == 1 && !(x == 2 && y == 2);
      CHECK(drawn.pixel(x, y)[0] == (border ? 9 : 0));
      CHECK(drawn.pixel(x, y)[2] == (border ? 7 : 0));
    }
  CHECK_THROWS_WITH(outlined(image, {1}), Contains("mask of 25 pixels, got 1"));
}
