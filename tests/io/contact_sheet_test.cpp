#include "dermis/io/contact_sheet.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace dermis;

TEST_CASE("grid: cells, gaps, enlargement and centring") {
  const Image small = make_image(1, 2, 10), large = make_image(3, 2, 20);
  const Image sheet = grid({small, large, large}, 2, 1, 2);
  CHECK(sheet.width == 2 * 6 + 1);  // two cells of 3 x 2 pixels, twice enlarged
  CHECK(sheet.height == 2 * 4 + 1);
  CHECK(*sheet.pixel(0, 0) == 255);  // left of the narrow image
  CHECK(*sheet.pixel(2, 0) == 10);
  CHECK(*sheet.pixel(3, 3) == 10);
  CHECK(*sheet.pixel(4, 0) == 255);
  CHECK(*sheet.pixel(6, 0) == 255);  // the gap
  CHECK(*sheet.pixel(7, 0) == 20);
  CHECK(*sheet.pixel(0, 5) == 20);
  CHECK(*sheet.pixel(12, 8) == 255);  // no fourth image
}

TEST_CASE("grid: one image of scale 1 is itself, and few images make no empty columns") {
  Image image = make_image(4, 3, 7);
  image.pixel(1, 2)[2] = 99;
  CHECK(grid({image}, 8) == image);
  CHECK(grid({image, image}, 8, 0).width == 8);
  CHECK(grid({}, 4) == Image{});
}

TEST_CASE("grid: bad arguments are refused") {
  const Image image = make_image(2, 2);
  CHECK_NOTHROW(grid({image}, 1, 0, 1));
  CHECK_THROWS_AS(grid({image}, 0), std::invalid_argument);
  CHECK_THROWS_AS(grid({image}, 1, -1), std::invalid_argument);
  CHECK_THROWS_AS(grid({image}, 1, 0, 0), std::invalid_argument);
  Image broken = image;
  broken.rgb.pop_back();
  CHECK_THROWS_AS(grid({image, broken}, 2), std::invalid_argument);
}
