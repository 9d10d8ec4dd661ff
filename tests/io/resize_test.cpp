#include "dermis/io/resize.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/support.hpp"
#include "dermis/core/hash.hpp"

namespace dermis {
namespace {

/// Rough on purpose: every weight and every rounding shows.
Image formula(std::int64_t width, std::int64_t height) {
  Image image = make_image(width, height);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::int64_t value =
            x * 37 + y * 91 + c * 53 + x * y * 7 + ((x * x * 3) ^ (y * y * 5));
        image.pixel(x, y)[c] = static_cast<std::uint8_t>(value & 255);
      }
    }
  }
  return image;
}

std::string pixels(const Image& image) {
  return fingerprint({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
}

struct Golden {
  std::int64_t from_width, from_height, width, height;
  Filter filter;
  const char* pixels;
};

// clang-format off
// Pillow 12.3: FNV-1a of Image.fromarray(formula).resize((width, height), filter).tobytes(). Pillow 13.0 agrees except for
// 61 x 47 to 100 x 9 and 3 x 90 to 8 x 8, see resize.hpp.
const std::vector<Golden> goldens{
    {61, 47, 16, 16, Filter::Bilinear, "1121a9f33fe0858e"},
    {61, 47, 16, 16, Filter::Bicubic, "8a1c5e7437aa62c2"},
    {61, 47, 16, 16, Filter::Lanczos, "555b7737699db02a"},
    {61, 47, 64, 64, Filter::Bilinear, "f239820b1a22e290"},
    {61, 47, 64, 64, Filter::Bicubic, "94dd0a375148010b"},
    {61, 47, 64, 64, Filter::Lanczos, "93e6097d652f1f45"},
    {61, 47, 61, 20, Filter::Bilinear, "e4ff6d8d4963e774"},
    {61, 47, 61, 20, Filter::Bicubic, "68b97a948629d19b"},
    {61, 47, 61, 20, Filter::Lanczos, "cb40f7d366f92c3d"},
    {61, 47, 13, 47, Filter::Bilinear, "c208a358cf041d93"},
    {61, 47, 13, 47, Filter::Bicubic, "abf642dc703c9fa1"},
    {61, 47, 13, 47, Filter::Lanczos, "48d0078e90edf898"},
    {61, 47, 100, 9, Filter::Bilinear, "0ccb837839550b7f"},
    {61, 47, 100, 9, Filter::Bicubic, "a95becd0d2e8f6c0"},
    {61, 47, 100, 9, Filter::Lanczos, "4c4619ec15b90122"},
    {200, 150, 32, 24, Filter::Bilinear, "3e602b4bcd80681f"},
    {200, 150, 32, 24, Filter::Bicubic, "c3b7e7410d6b2b5a"},
    {200, 150, 32, 24, Filter::Lanczos, "80b3fe53e72f949b"},
    {7, 5, 1, 1, Filter::Bilinear, "60c0ec194a409802"},
    {7, 5, 1, 1, Filter::Bicubic, "697e14194f38b2ae"},
    {7, 5, 1, 1, Filter::Lanczos, "697e14194f38b2ae"},
    {1, 1, 5, 4, Filter::Bilinear, "edeab3784e758b69"},
    {1, 1, 5, 4, Filter::Bicubic, "edeab3784e758b69"},
    {1, 1, 5, 4, Filter::Lanczos, "edeab3784e758b69"},
    {3, 90, 8, 8, Filter::Bilinear, "ccb95d934308bab5"},
    {3, 90, 8, 8, Filter::Bicubic, "ac6a8f5339f4b80a"},
    {3, 90, 8, 8, Filter::Lanczos, "4732f222cea917ea"},
    {64, 64, 63, 65, Filter::Bilinear, "2632fd36d21cc18b"},
    {64, 64, 63, 65, Filter::Bicubic, "e2b4b44ef30b5589"},
    {64, 64, 63, 65, Filter::Lanczos, "b49813e5f676ff9a"},
};
// clang-format on

TEST_CASE("resize: agrees with Pillow to the bit") {
  for (const Golden& golden : goldens) {
    CAPTURE(golden.from_width, golden.from_height, golden.width, golden.height,
            static_cast<int>(golden.filter));
    const Image result = resize(formula(golden.from_width, golden.from_height), golden.width,
                                golden.height, golden.filter);
    CHECK(result.width == golden.width);
    CHECK(result.height == golden.height);
    CHECK(pixels(result) == golden.pixels);
  }
}

TEST_CASE("resize: agrees with Pillow, in plain numbers") {
  // Pillow 12.3 and 13.0, formula(8, 6) to 3 x 2.
  const Image image = formula(8, 6);
  CHECK(resize(image, 3, 2, Filter::Bilinear).rgb ==
        std::vector<std::uint8_t>{102, 145, 149, 132, 143, 129, 113, 128, 114, 102, 150, 136, 122,
                                  110, 120, 138, 133, 115});
  CHECK(resize(image, 3, 2).rgb == std::vector<std::uint8_t>{98, 143, 147, 134, 145, 130, 108, 127,
                                                             110, 105, 158, 137, 120, 105, 118, 141,
                                                             137, 114});
  CHECK(resize(image, 3, 2, Filter::Lanczos).rgb ==
        std::vector<std::uint8_t>{98, 142, 147, 135, 145, 130, 105, 128, 107, 108, 162, 138, 117,
                                  103, 117, 142, 137, 114});
}

TEST_CASE("resize: the same size is the same image, an even image stays even") {
  const Image image = formula(9, 5);
  CHECK(resize(image, 9, 5) == image);
  for (const Filter filter : {Filter::Bilinear, Filter::Bicubic, Filter::Lanczos}) {
    CHECK(resize(make_image(31, 17, 200), 7, 40, filter) == make_image(7, 40, 200));
    CHECK(resize(make_image(31, 17, 255), 64, 3, filter) == make_image(64, 3, 255));
  }
}

TEST_CASE("crop: takes the rectangle, refuses what reaches beyond") {
  const Image image = formula(6, 4);
  const Image part = crop(image, 2, 1, 3, 2);
  REQUIRE(part.width == 3);
  REQUIRE(part.height == 2);
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 3; ++x) {
      for (int c = 0; c < 3; ++c) CHECK(part.pixel(x, y)[c] == image.pixel(x + 2, y + 1)[c]);
    }
  }
  CHECK(crop(image, 0, 0, 6, 4) == image);
  CHECK(test::mentions(test::message_of<std::invalid_argument>([&] { crop(image, 4, 1, 3, 2); }),
                       {"[crop] expected a rectangle inside 6 x 4, got 3 x 2 at (4, 1)"}));
  CHECK_THROWS_AS(crop(image, -1, 0, 2, 2), std::invalid_argument);
  CHECK_THROWS_AS(crop(image, 0, 3, 2, 2), std::invalid_argument);
  CHECK_THROWS_AS(crop(image, 0, 0, 0, 2), std::invalid_argument);
  CHECK_THROWS_AS(crop(image, INT64_MAX, 0, 2, 2), std::invalid_argument);
}

TEST_CASE("center_square: the largest centred square, odd margins floored") {
  const Image image = formula(7, 4);
  CHECK(center_square(image) == crop(image, 1, 0, 4, 4));
  CHECK(center_square(formula(4, 9)) == crop(formula(4, 9), 0, 2, 4, 4));
  CHECK(center_square(formula(5, 5)) == formula(5, 5));
  CHECK(square_resized(image, 3, Filter::Lanczos) ==
        resize(crop(image, 1, 0, 4, 4), 3, 3, Filter::Lanczos));
}

TEST_CASE("square_resized: of a view and with kept memory the same as of an image") {
  const Filter filter = GENERATE(Filter::Bicubic, Filter::Lanczos, Filter::Nearest);
  SquareResizer resizer(16, filter, 20);
  for (const auto& [width, height] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{61, 47}, {3, 90}, {1, 1}, {16, 16}}) {
    const Image image = formula(width, height);
    CHECK(resizer(image) == resize(center_square(image), 16, 16, filter));
    CHECK(resizer(image) == square_resized(image, 16, filter));
  }
  const Image large = formula(61, 47);
  const ImageView part(large.pixel(5, 3), 30, 21, 3 * large.width);
  CHECK(resizer(part) == square_resized(crop(large, 5, 3, 30, 21), 16, filter));
  CHECK_THROWS_AS(SquareResizer(0), std::invalid_argument);
  CHECK_THROWS_AS(SquareResizer(16, filter, -1), std::invalid_argument);
  CHECK_THROWS_AS(resizer(Image{}), std::invalid_argument);
}

TEST_CASE("resize: refuses sizes below 1 and images whose bytes do not fit") {
  const Image image = formula(4, 4);
  CHECK(test::mentions(test::message_of<std::invalid_argument>([&] { resize(image, 0, 4); }),
                       {"[resize]", "0 x 4"}));
  CHECK_THROWS_AS(resize(image, 4, -1), std::invalid_argument);
  CHECK_THROWS_AS(square_resized(image, 0), std::invalid_argument);
  CHECK_THROWS_AS(resize(Image{}, 4, 4), std::invalid_argument);
  CHECK_THROWS_AS(center_square(Image{}), std::invalid_argument);
  Image broken = image;
  broken.rgb.pop_back();
  CHECK(test::mentions(test::message_of<std::invalid_argument>([&] { resize(broken, 2, 2); }),
                       {"4 x 4", "47 bytes"}));
}

namespace {

Image planes(std::int64_t width, std::int64_t height, int a, int b, int c) {
  Image image = make_image(width, height);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t z = 0; z < 3; ++z)
        image.pixel(x, y)[z] = static_cast<std::uint8_t>((a * x + b * y + c * z) & 255);
    }
  }
  return image;
}

}  // namespace

TEST_CASE("resize: Pillow's box and nearest filters, a box, and the passes of Pillow 13") {
  using Bytes = std::vector<std::uint8_t>;
  const Image image = planes(17, 14, 13, 29, 53);  // Pillow 13.0 on numpy's same numbers
  CHECK(resize(image, 3, 2, Filter::Nearest).rgb ==
        Bytes{113, 166, 219, 191, 244, 41, 13, 66, 119, 60, 113, 166, 138, 191, 244, 216, 13, 66});
  CHECK(resize(image, 3, 2, Filter::Box).rgb == Bytes{120, 149, 134, 147, 127, 121, 123, 115, 119,
                                                      110, 120, 149, 138, 147, 127, 137, 123, 115});
  CHECK(resize_box(image, {5, 3, 4, 4}, 3, 2).rgb ==
        Bytes{171, 212, 39, 194, 167, 53, 215, 119, 48, 217, 46, 73, 172, 43, 92, 124, 45, 111});
  const Image tall = planes(4, 12, 67, 91, 53);
  const Image turned = resize_box(tall, {0, 0, 4, 12}, 3, 2, Filter::Bicubic, PassOrder::Pillow13);
  CHECK(turned.rgb == Bytes{103, 148, 121, 140, 131, 105, 138, 121, 137, 131, 117, 146, 101, 135,
                            124, 143, 137, 115});
  CHECK(turned != resize(tall, 3, 2));
  CHECK_THROWS_WITH(resize_box(image, {14, 0, 4, 4}, 3, 2),
                    Catch::Contains("inside 17 x 14, got 4 x 4 at (14, 0)"));
  CHECK_THROWS_WITH(resize_box(image, {0, 0, 4, 4}, 0, 2), Catch::Contains("at least 1 x 1"));
}

TEST_CASE("crop: the centre by transformers' and by torchvision's rule") {
  const Image image = planes(9, 8, 1, 10, 0);  // margins 9 - 4 = 5 and 8 - 5 = 3
  CHECK(center_crop(image, 4, 5).rgb[0] == 2 + 10);
  CHECK(center_crop(image, 4, 5, CropRounding::HalfToEven).rgb[0] == 2 + 20);  // 2.5 and 1.5
  CHECK(center_crop(image, 9, 8, CropRounding::HalfToEven) == image);
  CHECK_THROWS_WITH(center_crop(image, 10, 8), Catch::Contains("within 9 x 8, got 10 x 8"));
}

}  // namespace
}  // namespace dermis
