#include "dermis/io/lesion_measures.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <stdexcept>

#include "core/support.hpp"

namespace dermis {
namespace {

using test::mentions;
using test::message_of;
using Colour = std::array<std::uint8_t, 3>;

constexpr Colour skin{225, 185, 165}, brown{88, 58, 42}, black{36, 30, 28},
    light_brown{176, 130, 96};

struct Picture {
  Image image, mask;
};

/// Lesion where `inside(x, y)`, coordinates from the middle; `colour` as a function of them.
Picture picture(std::int64_t side, const std::function<bool(double, double)>& inside,
                const std::function<Colour(double, double)>& colour = {}) {
  Picture p{make_image(side, side), make_image(side, side)};
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const double u = static_cast<double>(x) - 0.5 * static_cast<double>(side - 1);
      const double v = static_cast<double>(y) - 0.5 * static_cast<double>(side - 1);
      const bool in = inside(u, v);
      const Colour c = colour ? colour(u, v) : in ? brown : skin;
      for (int i = 0; i < 3; ++i) {
        p.image.pixel(x, y)[i] = c[static_cast<std::size_t>(i)];
        p.mask.pixel(x, y)[i] = in ? 255 : 0;
      }
    }
  }
  return p;
}

LesionMeasures measured(const Picture& p, const LesionMeasureOptions& options = {}) {
  return measure_lesion(p.image, p.mask, options);
}

LesionMeasureOptions with_scale(double mm_per_pixel) {
  LesionMeasureOptions options;
  options.mm_per_pixel = mm_per_pixel;
  return options;
}

bool disc(double x, double y) {
  return std::hypot(x, y) < 60;
}

}  // namespace

TEST_CASE("lesion measures: a disc is round, symmetrical, of one colour and cut off sharply") {
  const auto m = measured(picture(200, disc), with_scale(0.05));
  CHECK(m.area_share == Approx(3.14159265 * 3600 / 40000).epsilon(0.01));
  CHECK(m.diameter == Approx(0.6).epsilon(0.01));
  CHECK(m.diameter_mm == Approx(6).epsilon(0.01));
  CHECK(m.compactness == Approx(1).margin(0.13));  // of a stair of pixels
  CHECK(m.radial_variance < 0.001);
  CHECK(m.irregularity < 0.02);
  CHECK(m.shape_asymmetry[0] + m.shape_asymmetry[1] < 0.02);
  CHECK(m.colour_asymmetry[0] + m.colour_asymmetry[1] < 0.5);
  CHECK(m.abruptness > 0.95);
  CHECK_FALSE(m.cut_off);
  CHECK(m.colour_count() == 1);
  CHECK(m.colours[3]);  // dark brown
}

TEST_CASE("lesion measures: an ellipse is regular, its radius is not constant") {
  const auto m = measured(picture(200, [](double x, double y) {
    const double u = 0.8 * x + 0.6 * y, v = 0.8 * y - 0.6 * x;
    return u * u / 6400 + v * v / 1600 < 1;
  }));
  CHECK(m.irregularity < 0.02);
  CHECK(m.radial_variance > 0.04);
  CHECK(m.shape_asymmetry[0] < 0.02);
  CHECK(m.shape_asymmetry[1] < 0.02);
}

TEST_CASE("lesion measures: what is asymmetrical, about which axis") {
  // A drop along x: symmetrical about its long axis, not about the short one.
  const auto drop = measured(picture(
      200, [](double x, double y) { return x > -70 && x < 70 && std::abs(y) < 0.25 * (x + 75); }));
  CHECK(drop.shape_asymmetry[0] < 0.02);
  CHECK(drop.shape_asymmetry[1] > 0.15);

  // One half black: colours differ about one axis, the shape about none.
  const auto halves = measured(picture(
      200, [](double x, double y) { return x * x / 6400 + y * y / 2500 < 1; },
      [](double x, double y) {
        return x * x / 6400 + y * y / 2500 >= 1 ? skin : x < 0 ? black : light_brown;
      }));
  CHECK(halves.shape_asymmetry[1] < 0.02);
  CHECK(halves.colour_asymmetry[0] < 3);
  CHECK(halves.colour_asymmetry[1] > 30);
  CHECK(halves.colour_count() == 2);
  CHECK(halves.colour_shares[5] == Approx(0.5).margin(0.03));
  CHECK(halves.colour_shares[2] == Approx(0.5).margin(0.03));
}

TEST_CASE("lesion measures: notches lengthen the border") {
  const auto flower = measured(picture(200, [](double x, double y) {
    return std::hypot(x, y) < 60 * (1 + 0.2 * std::cos(7 * std::atan2(y, x)));
  }));
  CHECK(flower.compactness > 1.6);
  CHECK(flower.irregularity == Approx(0.2 / std::sqrt(2.0)).margin(0.03));  // rms of the wave
}

TEST_CASE("lesion measures: a border that fades is less abrupt") {
  double last = 2;
  for (const double width : {1.0, 12.0, 40.0}) {
    const auto m = measured(picture(200, disc, [&](double x, double y) {
      const double share = std::clamp(0.5 + (std::hypot(x, y) - 60) / width, 0.0, 1.0);
      Colour c{};
      for (std::size_t i = 0; i < 3; ++i)
        c[i] = static_cast<std::uint8_t>(brown[i] + share * (skin[i] - brown[i]));
      return c;
    }));
    CHECK(m.abruptness < last - 0.2);
    last = m.abruptness;
  }
}

TEST_CASE("lesion measures: large pictures, cut off ones and errors") {
  const auto large = measured(
      picture(600, [](double x, double y) { return std::hypot(x, y) < 180; }), with_scale(0.01));
  CHECK(large.diameter_mm == Approx(3.6).epsilon(0.01));
  const auto cut = measured(picture(100, [](double x, double) { return x < 0; }));
  CHECK(cut.cut_off);
  CHECK(to_json(cut).at("diameter_mm").is_null());

  const auto p = picture(64, [](double x, double y) { return std::hypot(x, y) < 20; });
  const auto error = [&](const Image& mask, const LesionMeasureOptions& options = {}) {
    return message_of<std::invalid_argument>([&] { measure_lesion(p.image, mask, options); });
  };
  CHECK(mentions(error(make_image(63, 64)), {"mask of 64 x 64", "got 63 x 64"}));
  CHECK(mentions(error(make_image(64, 64, 0)), {"at least 32 pixels", "got 0"}));
  CHECK(mentions(error(make_image(64, 64, 255)), {"skin around the lesion"}));
  CHECK(mentions(error(p.mask, with_scale(-1)), {"mm_per_pixel", "-1"}));
  CHECK(mentions(error(p.mask, LesionMeasureOptions{0, 0}), {"least_colour_share"}));
}

}  // namespace dermis
