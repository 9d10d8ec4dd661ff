#include "dermis/io/dermoscopy.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/support.hpp"
#include "dermis/io/resize.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;

constexpr double infinity = std::numeric_limits<double>::infinity();

void paint(Image& image, std::int64_t x, std::int64_t y, int r, int g, int b) {
  std::uint8_t* pixel = image.pixel(x, y);
  pixel[0] = static_cast<std::uint8_t>(r);
  pixel[1] = static_cast<std::uint8_t>(g);
  pixel[2] = static_cast<std::uint8_t>(b);
}

/// Some number of 0 .. 8 that looks random.
int noise(std::int64_t x, std::int64_t y) {
  auto bits = static_cast<std::uint32_t>(x * 73856093 ^ y * 19349663);
  bits ^= bits >> 13;
  bits *= 0x5bd1e995u;
  return static_cast<int>((bits >> 15) % 9);
}

/// Uneven skin with noise, a dark lesion with soft edge and dark dots in it.
Image skin(std::int64_t width, std::int64_t height) {
  Image image = make_image(width, height);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const double u = static_cast<double>(x) / static_cast<double>(width) - 0.5;
      const double v = static_cast<double>(y) / static_cast<double>(height) - 0.5;
      const double inside = 1 / (1 + std::exp(60 * (std::hypot(u, v) - 0.25)));
      const bool dot = inside > 0.9 && x % 40 < 6 && y % 40 < 6;
      const int dark = static_cast<int>(90 * inside + 40 * v) + (dot ? 35 : 0) + noise(x, y);
      paint(image, x, y, 215 - dark, 175 - dark, 150 - dark);
    }
  }
  return image;
}

/// Black, with a lit ellipse in the box.
Image round_field(std::int64_t width, std::int64_t height, const Box& box) {
  Image image = make_image(width, height);
  for (std::int64_t y = 0; y < box.height; ++y) {
    for (std::int64_t x = 0; x < box.width; ++x) {
      const double u = (2.0 * static_cast<double>(x) + 1) / static_cast<double>(box.width) - 1;
      const double v = (2.0 * static_cast<double>(y) + 1) / static_cast<double>(box.height) - 1;
      if (u * u + v * v <= 1) paint(image, box.x + x, box.y + y, 210, 160, 140);
    }
  }
  return image;
}

bool close(const Box& found, const Box& expected, std::int64_t tolerance) {
  const auto near = [&](std::int64_t a, std::int64_t b) { return std::abs(a - b) <= tolerance; };
  return near(found.x, expected.x) && near(found.y, expected.y) &&
         near(found.x + found.width, expected.x + expected.width) &&
         near(found.y + found.height, expected.y + expected.height);
}

/// Entries (37 y + 23 x + 50 c + 11 x y (c + 1)) mod 256.
Image formula() {
  Image image = make_image(7, 5);
  for (std::int64_t y = 0; y < 5; ++y) {
    for (std::int64_t x = 0; x < 7; ++x) {
      for (std::int64_t c = 0; c < 3; ++c)
        image.pixel(x, y)[c] =
            static_cast<std::uint8_t>((37 * y + 23 * x + 50 * c + 11 * x * y * (c + 1)) % 256);
    }
  }
  return image;
}

void check_light(const std::array<double, 3>& light, double r, double g, double b) {
  CHECK(light[0] == Approx(r).epsilon(1e-13));
  CHECK(light[1] == Approx(g).epsilon(1e-13));
  CHECK(light[2] == Approx(b).epsilon(1e-13));
}

TEST_CASE("dermoscopy: the lit field of a rectangle, a circle, a whole and a dark image") {
  Image image = make_image(120, 90, 3);
  for (std::int64_t y = 10; y < 70; ++y) {
    for (std::int64_t x = 25; x < 100; ++x) paint(image, x, y, 200, 150, 130);
  }
  CHECK(lit_field(image) == Box{25, 10, 75, 60});
  CHECK(crop_border(image) == crop(image, 25, 10, 75, 60));

  const Box box{80, 30, 400, 360};
  CHECK(close(lit_field(round_field(600, 450, box)), box, 2));
  CHECK(lit_field(skin(60, 45)) == Box{0, 0, 60, 45});
  CHECK(crop_border(skin(60, 45)) == skin(60, 45));
  for (const int value : {0, 10}) {
    const Image dark = make_image(40, 30, static_cast<std::uint8_t>(value));
    CHECK(crop_border(dark) == dark);
  }
  CHECK(crop_border(make_image(1, 1, 200)) == make_image(1, 1, 200));
  CHECK_THROWS_AS(lit_field(Image{}), std::invalid_argument);
}

TEST_CASE("dermoscopy: noise, text and a black lesion do not move the border") {
  const Box box{80, 30, 400, 360};
  Image image = round_field(600, 450, box);
  for (std::int64_t y = 0; y < 450; ++y) {
    for (std::int64_t x = 0; x < 600; ++x) {
      std::uint8_t* pixel = image.pixel(x, y);
      for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(pixel[c] + noise(x, y));
      if ((x * 7 + y * 13) % 101 == 0) paint(image, x, y, 255, 255, 255);  // 1 % salt
      if (x > 200 && x < 400 && y > 100 && y < 300) paint(image, x, y, 20, 12, 10);
      if (y >= 8 && y < 18 && x >= 20 && x < 140 && x % 4 == 0) paint(image, x, y, 255, 255, 255);
    }
  }
  CHECK(close(lit_field(image), box, 3));
}

TEST_CASE("dermoscopy: the light's colour and the corrected image equal numpy's") {
  const Image image = formula();
  check_light(illuminant(image, {6, 1}), 0.5692794938992068, 0.5525279481774831,
              0.6087969483404492);
  check_light(illuminant(image, {1, 1}), 0.5358881622026377, 0.5313413854316514,
              0.6561251479242759);
  check_light(illuminant(image, {infinity, 1}), 0.5796111577634111, 0.5704834229954834,
              0.581893091455393);
  check_light(illuminant(image, {6, 2.2}), 0.5699709058317497, 0.5431859699122944,
              0.6165080442263303);
  const std::vector<std::uint8_t> expected{
      0,   52,  95,  23,  76,  117, 47,  100, 138, 70,  124, 160, 93,  148, 182, 117, 172, 204,
      140, 196, 226, 38,  91,  130, 72,  138, 183, 106, 185, 236, 141, 232, 46,  175, 11,  100,
      210, 59,  153, 244, 106, 206, 75,  130, 165, 121, 200, 7,   166, 2,   91,  212, 72,  175,
      255, 142, 17,  44,  212, 101, 89,  15,  186, 113, 168, 200, 169, 255, 73,  226, 87,  189,
      23,  180, 62,  80,  5,   177, 137, 98,  50,  194, 191, 166, 150, 207, 235, 218, 55,  139,
      26,  171, 44,  94,  20,  191, 162, 136, 95,  230, 252, 242, 39,  100, 146};
  CHECK(colour_constancy(image).rgb == expected);
}

TEST_CASE("dermoscopy: light of grey, black and single-channel images, and refused options") {
  const double third = std::sqrt(1.0 / 3);
  check_light(illuminant(make_image(3, 2, 77)), third, third, third);
  check_light(illuminant(make_image(3, 2)), third, third, third);
  CHECK(colour_constancy(make_image(3, 2, 77)) == make_image(3, 2, 77));
  CHECK(colour_constancy(make_image(3, 2)) == make_image(3, 2));
  Image red = make_image(1, 1);
  paint(red, 0, 0, 100, 0, 0);
  check_light(illuminant(red, {500, 1}), 1, 0, 0);  // 100^500 would overflow
  CHECK(colour_constancy(red).rgb == std::vector<std::uint8_t>{58, 0, 0});  // 100 / sqrt(3)
  CHECK(mentions(message_of<std::invalid_argument>([&] {
                   illuminant(red, {0.5, 1});
                 }),
                 {"[colour]", "p of at least 1", "0.5"}));
  CHECK(mentions(message_of<std::invalid_argument>([&] {
                   colour_constancy(red, {6, 0});
                 }),
                 {"[colour]", "gamma above 0"}));
  CHECK_THROWS_AS(colour_constancy(Image{}), std::invalid_argument);
}

TEST_CASE("dermoscopy: drawn hairs are found and painted over") {
  const Image clean = skin(600, 450);
  Image hairy = clean;
  std::vector<bool> drawn(600 * 450);
  for (int hair = 0; hair < 5; ++hair) {
    for (double t = 0; t < 1; t += 0.0005) {  // gently bent, 3 pixels wide, in five directions
      const double angle = 0.2 + 0.6 * hair, bend = 40 * t * (1 - t);
      const double x = 300 + 320 * (t - 0.5) * std::cos(angle) - bend * std::sin(angle);
      const double y = 225 + 320 * (t - 0.5) * std::sin(angle) + bend * std::cos(angle);
      for (int v = -1; v <= 1; ++v) {
        for (int u = -1; u <= 1; ++u) {
          const auto column = static_cast<std::int64_t>(x) + u;
          const auto row = static_cast<std::int64_t>(y) + v;
          paint(hairy, column, row, 40, 30, 30);
          drawn[static_cast<std::size_t>(row * 600 + column)] = true;
        }
      }
    }
  }
  const HairRemoval result = remove_hair(hairy);
  REQUIRE(result.mask.size() == drawn.size());
  double all = 0, found = 0, masked = 0, before = 0, after = 0;
  bool only_masked = true;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    masked += result.mask[i];
    if (result.mask[i] == 0 &&
        !std::equal(&result.image.rgb[3 * i], &result.image.rgb[3 * i] + 3, &hairy.rgb[3 * i]))
      only_masked = false;
    if (!drawn[i]) continue;
    ++all;
    found += result.mask[i];
    before += std::abs(hairy.rgb[3 * i] - clean.rgb[3 * i]);
    after += std::abs(result.image.rgb[3 * i] - clean.rgb[3 * i]);
  }
  CHECK(found / all > 0.95);
  CHECK(masked < 5 * all);
  CHECK(after < before / 5);
  CHECK(only_masked);
}

TEST_CASE("dermoscopy: what is no hair is left alone") {
  const Image clean = skin(600, 450);
  const HairRemoval result = remove_hair(clean);
  CHECK(std::count(result.mask.begin(), result.mask.end(), 1) < 0.01 * 600 * 450);
  const Image field = round_field(600, 450, {80, 30, 400, 360});
  const HairRemoval round = remove_hair(field);
  CHECK(std::count(round.mask.begin(), round.mask.end(), 1) < 0.01 * 600 * 450);
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(1, 50), std::pair(50, 2)})
    CHECK(remove_hair(make_image(width, height, 90)).image == make_image(width, height, 90));
}

TEST_CASE("dermoscopy: hair options outside their range are refused") {
  const Image image = make_image(20, 20, 90);
  const auto error = [&](const HairOptions& options) {
    return message_of<std::invalid_argument>([&] { remove_hair(image, options); });
  };
  CHECK(error({0.025, 0.08, 15}).empty());
  CHECK(mentions(error({0, 0.08, 15}), {"[hair]", "width", "got width 0"}));
  CHECK(mentions(error({0.1, 0.08, 15}), {"[hair]", "width < length"}));
  CHECK(mentions(error({0.1, 1.5, 15}), {"[hair]", "length 1.5"}));
  CHECK(mentions(error({0.025, 0.08, 0}), {"[hair]", "contrast above 0"}));
  CHECK_THROWS_AS(remove_hair(Image{}), std::invalid_argument);
}

TEST_CASE("dermoscopy: preprocess does what is asked, border before hair before colour") {
  const Image image = round_field(200, 150, {30, 20, 120, 110});
  CHECK(preprocess(image, {}) == image);
  DermoscopyOptions options;
  options.crop_border = true;
  CHECK(preprocess(image, options) == crop_border(image));
  options.remove_hair = options.colour_constancy = true;
  CHECK(preprocess(image, options) == colour_constancy(remove_hair(crop_border(image)).image));
  CHECK_THROWS_AS(preprocess(Image{}, options), std::invalid_argument);
}

TEST_CASE("dermoscopy: gains and values before they are rounded or cut") {
  Image image = make_image(2, 1);
  image.rgb = {100, 50, 0, 100, 50, 0};
  const double length = std::sqrt(100.0 * 100 + 50 * 50);
  const auto gains = colour_gains(illuminant(image));
  CHECK(gains[0] == Approx(length / (std::sqrt(3.0) * 100)));
  CHECK(gains[1] == Approx(length / (std::sqrt(3.0) * 50)));
  CHECK(gains[2] == 1);  // a channel without light
  const auto values = colour_constant_values(image);
  CHECK(values[0] == Approx(64.549722));
  CHECK(values[1] == Approx(64.549722));
  CHECK(values[2] == 0);
  ColourConstancyOptions options;
  CHECK(colour_constancy(image, options).rgb[0] == 65);
  options.truncate = true;
  CHECK(colour_constancy(image, options).rgb[0] == 64);
  options.p = 0;
  CHECK_THROWS_AS(colour_constant_values(image, options), std::invalid_argument);
}

}  // namespace
}  // namespace dermis
