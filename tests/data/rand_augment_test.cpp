#include "dermis/data/rand_augment.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>

using namespace dermis;
using Catch::Contains;

namespace {

constexpr Rgb kFill = {124, 116, 104};

/// 31 x 29, no channel uses the whole range or is smooth everywhere.
Image formula() {
  Image image = make_image(31, 29);
  for (std::int64_t y = 0; y < 29; ++y) {
    for (std::int64_t x = 0; x < 31; ++x) {
      image.pixel(x, y)[0] = static_cast<std::uint8_t>(20 + 7 * x);
      image.pixel(x, y)[1] = static_cast<std::uint8_t>(10 + (x * x + 3 * y * y) / 14 % 200);
      image.pixel(x, y)[2] = static_cast<std::uint8_t>(40 + (37 * x + 101 * y) % 150);
    }
  }
  return image;
}

std::uint32_t checksum(const Image& image) {
  std::uint32_t sum = 0;
  for (const std::uint8_t value : image.rgb) sum = sum * 31 + value;
  return sum;
}

}  // namespace

TEST_CASE("rand_augment: every operation equals timm's to the bit") {
  const Image image = formula();
  REQUIRE(checksum(image) == 0xe1a3a50e);
  // timm 1.0.31 on Pillow 13.0: magnitude 2.5, 9, 9 negated, 9.75 negated.
  const std::uint32_t expected[distortion_count][4] = {
      {0x62b50284, 0x62b50284, 0x62b50284, 0x62b50284},  // AutoContrast
      {0x4dfe489d, 0x4dfe489d, 0x4dfe489d, 0x4dfe489d},  // Equalize
      {0x4a4d4471, 0x4a4d4471, 0x4a4d4471, 0x4a4d4471},  // Invert
      {0x9a300fc8, 0x25f297c9, 0x5133f186, 0x5864dae4},  // Rotate
      {0x3cd74ba0, 0x03c87400, 0x03c87400, 0x03c87400},  // PosterizeIncreasing
      {0xb629ec8e, 0xc28b8948, 0xc28b8948, 0x4a4d4471},  // SolarizeIncreasing
      {0x10695731, 0x8d233239, 0x8d233239, 0x621b6701},  // SolarizeAdd
      {0x6bc68522, 0x6faf42f2, 0xa55b991e, 0x18860c1b},  // ColorIncreasing
      {0x3642c07a, 0xa1dfc314, 0x53aeb6ff, 0x0e448830},  // ContrastIncreasing
      {0x3d62e6be, 0x4e60fbaa, 0x84f8c72e, 0xb7b45b36},  // BrightnessIncreasing
      {0xa14a509f, 0x4925a5d1, 0xb0dc9d60, 0x20fca71c},  // SharpnessIncreasing
      {0xa1839e79, 0xf213748e, 0xfd4e5d9f, 0x7d74ebf8},  // ShearX
      {0x630e760f, 0x06607a0c, 0xf2b6ac6e, 0x25463360},  // ShearY
      {0x1ebf4e81, 0x78ba0871, 0xf3b7e75e, 0xb084c7e5},  // TranslateXRel
      {0xf92b2e6a, 0xdb7e8a99, 0xf4cd77bf, 0x67dae223},  // TranslateYRel
  };
  for (int i = 0; i < distortion_count; ++i) {
    const auto distortion = static_cast<Distortion>(i);
    INFO("distortion " << i);
    CHECK(checksum(distort(image, distortion, 2.5, false, kFill)) == expected[i][0]);
    CHECK(checksum(distort(image, distortion, 9, false, kFill)) == expected[i][1]);
    CHECK(checksum(distort(image, distortion, 9, true, kFill)) == expected[i][2]);
    CHECK(checksum(distort(image, distortion, 9.75, true, kFill)) == expected[i][3]);
  }
}

TEST_CASE("rand_augment: at magnitude 0 the signed and blending operations change nothing") {
  const Image image = formula();
  for (const auto distortion :
       {Distortion::Rotate, Distortion::Solarize, Distortion::SolarizeAdd, Distortion::Color,
        Distortion::Contrast, Distortion::Brightness, Distortion::Sharpness, Distortion::ShearX,
        Distortion::ShearY, Distortion::TranslateX, Distortion::TranslateY})
    CHECK(distort(image, distortion, 0, true, kFill) == image);
}

TEST_CASE("image operations: edge cases") {
  const Image flat = make_image(3, 2, 77);
  CHECK(autocontrast(flat) == flat);
  CHECK(equalize(flat) == flat);
  CHECK(posterize(flat, 8) == flat);
  CHECK(posterize(flat, 0) == make_image(3, 2, 0));
  CHECK(adjust_contrast(flat, 5) == flat);
  CHECK(adjust_sharpness(make_image(1, 1, 9), 2) == make_image(1, 1, 9));
  CHECK(solarize_add(flat, 1000) == make_image(3, 2, 255));
  CHECK(affine(flat, {1, 0, 3, 0, 1, 0}, {1, 1, 1}) == make_image(3, 2, 1));
  CHECK_THROWS_WITH(posterize(flat, 9), Contains("[posterize] expected bits in 0 .. 8, got 9"));
  CHECK_THROWS_WITH(solarize(flat, 257), Contains("0 .. 256, got 257"));
  CHECK_THROWS_WITH(solarize_add(flat, -1), Contains("at least 0, got -1"));
  for (const auto operation : {autocontrast, equalize, invert})
    CHECK_THROWS_AS(operation(Image{}), std::invalid_argument);
  CHECK_THROWS_AS(adjust_color(Image{}, 1), std::invalid_argument);
  CHECK_THROWS_AS(adjust_sharpness(Image{2, 2, {}}, 1), std::invalid_argument);
  CHECK_THROWS_AS(rotate(Image{}, 10, kFill), std::invalid_argument);
}

TEST_CASE("rand_augment: what happens depends on the stream alone, each part as often as asked") {
  const Image image = formula();
  RandAugmentOptions options;
  RandomStream a(1, "test"), b(1, "test");
  CHECK(rand_augment(image, options, a) == rand_augment(image, options, b));

  const auto changed = [&](const RandAugmentOptions& o) {
    int count = 0;
    for (std::uint64_t i = 0; i < 400; ++i) {
      RandomStream stream(1, "test", 0, i);
      count += rand_augment(image, o, stream) != image ? 1 : 0;
    }
    return count;
  };
  const int both = changed(options);  // 1 - 0.5^2 = 0.75 of 400: deviation 8.7
  CHECK(both > 260);
  CHECK(both < 335);
  options.probability = 1;
  CHECK(changed(options) >= 396);  // inverting twice gives the image back
  options.operations = 0;
  CHECK(changed(options) == 0);
}

TEST_CASE("rand_augment: refuses what does not fit") {
  const Image image = formula();
  RandomStream stream(1, "test");
  CHECK_THROWS_WITH(distort(image, Distortion::Color, 10.1, false, kFill),
                    Contains("[rand_augment] expected a magnitude in [0, 10], got 10.1"));
  RandAugmentOptions options;
  options.operations = -1;
  CHECK_THROWS_WITH(rand_augment(image, options, stream), Contains("operations"));
  options = {};
  options.probability = 1.5;
  CHECK_THROWS_WITH(validate(options), Contains("probability in [0, 1], got 1.5"));
  options = {};
  options.magnitude = 11;
  CHECK_THROWS_WITH(validate(options), Contains("magnitude in [0, 10], got 11"));
  options = {};
  options.magnitude_std = -1;
  CHECK_THROWS_WITH(validate(options), Contains("magnitude_std"));
}
