#include "dermis/io/skin_tone.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "core/support.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/skin_mask.hpp"

using namespace dermis;
using test::mentions;
using test::message_of;

namespace {

using Colour = std::array<int, 3>;

/// Skin of one colour with some noise and a dark round lesion in the middle.
Image lesion_on(const Colour& skin, std::int64_t side, double radius) {
  Image image = make_image(side, side);
  RandomStream random(1, "skin tone test");
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const double u = (2.0 * static_cast<double>(x) + 1) / static_cast<double>(side) - 1;
      const double v = (2.0 * static_cast<double>(y) + 1) / static_cast<double>(side) - 1;
      const int grain = static_cast<int>(random.below(5)) - 2;
      for (std::size_t c = 0; c < 3; ++c) {
        const double value = std::hypot(u, v) < radius ? 0.4 * skin[c] : skin[c];
        image.pixel(x, y)[c] = static_cast<std::uint8_t>(std::lround(value) + grain);
      }
    }
  }
  return image;
}

Lab lab(int r, int g, int b) {
  const std::uint8_t rgb[] = {static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(g),
                              static_cast<std::uint8_t>(b)};
  return lab_of_srgb(rgb);
}

}  // namespace

TEST_CASE("tone: CIELAB of sRGB") {
  // Of D65 white, black, mid grey and the red primary, as printed in Lindbloom's tables.
  CHECK(lab(255, 255, 255).lightness == Approx(100).margin(1e-3));
  CHECK(lab(255, 255, 255).b == Approx(0).margin(0.02));
  CHECK(lab(0, 0, 0).lightness == Approx(0).margin(1e-9));
  CHECK(lab(119, 119, 119).lightness == Approx(50.034).margin(0.01));
  const Lab red = lab(255, 0, 0);
  CHECK(red.lightness == Approx(53.24).margin(0.01));
  CHECK(red.a == Approx(80.09).margin(0.02));
  CHECK(red.b == Approx(67.20).margin(0.02));
}

TEST_CASE("tone: the angle goes on past 90 degrees where b is negative") {
  CHECK(typology_angle({70, 0, 20}) == Approx(45));
  CHECK(typology_angle({30, 0, 20}) == Approx(-45));
  CHECK(typology_angle({70, 0, 0}) == Approx(90));
  CHECK(typology_angle({70, 0, -20}) == Approx(135));
}

TEST_CASE("tone: probabilities of the groups are areas under a normal curve") {
  const auto p = tone_group_probabilities(41, 10);
  CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(1));
  CHECK(p[0] == Approx(0.0807567).margin(1e-6));        // 1 - Phi(1.4)
  CHECK(p[0] + p[1] == Approx(0.5));                    // 41 is the border of light
  CHECK(p[2] == Approx(0.5 - 0.0968005).margin(1e-6));  // Phi(-1.3)
  CHECK(tone_group_probabilities(-60, 1)[5] == Approx(1));
  CHECK(mentions(message_of<std::invalid_argument>([] { tone_group_probabilities(40, 0); }),
                 {"[tone]", "error above 0", "got 40 and 0"}));
}

TEST_CASE("tone: the angle of the skin, not of the lesion") {
  for (const Colour& skin : {Colour{237, 194, 181}, Colour{199, 148, 115}, Colour{110, 75, 55}}) {
    const double truth = typology_angle(lab(skin[0], skin[1], skin[2]));
    for (const std::int64_t side : {32, 64, 200}) {
      const ToneEstimate estimate = estimate_tone(lesion_on(skin, side, 0.5));
      REQUIRE(estimate.measured);
      CHECK(estimate.ita == Approx(truth).margin(1));
      CHECK(estimate.spread < 1);
      CHECK(estimate.error >= estimate.spread);
      CHECK(estimate.skin_share > 0.4);
    }
  }
}

TEST_CASE("tone: the mask of skin and lesion") {
  const SkinMask mask = skin_mask(lesion_on({220, 170, 150}, 96, 0.5));
  double skin_in_lesion = 0, found = 0, lesion = 0;
  for (std::int64_t y = 0; y < 96; ++y) {
    for (std::int64_t x = 0; x < 96; ++x) {
      const auto i = static_cast<std::size_t>(y * 96 + x);
      const double r = std::hypot(static_cast<double>(2 * x - 95), static_cast<double>(2 * y - 95));
      skin_in_lesion += r < 48 && mask.skin[i] != 0;
      lesion += r < 48;
      found += r < 48 && mask.lesion[i] != 0;
    }
  }
  CHECK(skin_in_lesion == 0);
  CHECK(found / lesion > 0.95);
  const Box box = mask.lesion_box();
  CHECK(box.x == Approx(24).margin(3));
  CHECK(box.width == Approx(48).margin(5));
  CHECK(mask.lesion_box(0.1).width > box.width);
  CHECK(skin_mask(make_image(40, 40, 180)).lesion_box().width == 0);
}

TEST_CASE("tone: a coloured light is noticed, too little skin is not measured") {
  const ToneEstimate white = estimate_tone(lesion_on({220, 175, 155}, 64, 0.5));
  CHECK_FALSE(white.colour_cast);
  const ToneEstimate orange = estimate_tone(lesion_on({240, 130, 60}, 64, 0.5));
  CHECK(orange.colour_cast);
  CHECK(orange.cast > white.cast);

  ToneOptions strict;
  strict.least_skin = 0.99;
  const ToneEstimate none = estimate_tone(lesion_on({220, 175, 155}, 64, 0.5), strict);
  CHECK_FALSE(none.measured);
  CHECK(std::isnan(none.ita));
  CHECK(mentions(to_json(none).dump(), {"null"}));  // NaN
}

TEST_CASE("tone: JSON holds the angle and the groups") {
  const ToneEstimate estimate = estimate_tone(lesion_on({220, 175, 155}, 64, 0.5));
  const Json json = to_json(estimate);
  CHECK(json.at("ita").get<double>() == estimate.ita);
  CHECK(json.at("groups").size() == 6);
  CHECK(json.at("groups").at("very light").get<double>() == estimate.groups[0]);
}

TEST_CASE("tone: wrong arguments are named") {
  const Image image = make_image(16, 16, 180);
  const auto message = [&](double error, double share, int resamples) {
    ToneOptions options;
    options.systematic_error = error;
    options.least_skin = share;
    options.resamples = resamples;
    return message_of<std::invalid_argument>([&] { estimate_tone(image, options); });
  };
  CHECK(mentions(message(-1, 0.1, 9), {"[tone]", "systematic error of at least 0", "got -1"}));
  CHECK(mentions(message(1, 1.5, 9), {"[tone]", "share of skin in [0, 1]", "got 1.5"}));
  CHECK(mentions(message(1, 0.1, 1), {"[tone]", "at least 2 resamples", "got 1"}));
  CHECK(mentions(message_of<std::invalid_argument>([] { estimate_tone(Image{}); }), {"[tone]"}));
  CHECK(mentions(message_of<std::invalid_argument>([] { skin_mask(Image{}); }), {"[skin]"}));
}
