#include "dermis/io/artefacts.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>

#include "core/support.hpp"

using namespace dermis;
using test::mentions;
using test::message_of;

namespace {

/// Skin with a dark round lesion, a third of a side across.
Image skin(std::int64_t side) {
  Image image = make_image(side, side);
  RandomStream random(2, "artefacts test");
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const double u = (2.0 * static_cast<double>(x) + 1) / static_cast<double>(side) - 1;
      const double v = (2.0 * static_cast<double>(y) + 1) / static_cast<double>(side) - 1;
      const int dark = (std::hypot(u, v) < 0.33 ? 90 : 0) + static_cast<int>(random.below(5));
      const int base[] = {215, 170, 150};
      for (int c = 0; c < 3; ++c) image.pixel(x, y)[c] = static_cast<std::uint8_t>(base[c] - dark);
    }
  }
  return image;
}

double changed_share(const Image& a, const Image& b) {
  double changed = 0;
  for (std::size_t i = 0; i < a.rgb.size(); i += 3) changed += std::abs(a.rgb[i] - b.rgb[i]) > 12;
  return changed / static_cast<double>(a.rgb.size() / 3);
}

}  // namespace

TEST_CASE("artefacts: each changes a part of the image, the same for the same stream") {
  for (const std::int64_t side : {32, 64, 200}) {
    const Image plain = skin(side);
    for (const Artefact artefact : all_artefacts) {
      CAPTURE(side, name_of(artefact));
      const Image drawn = draw(artefact, plain, RandomStream(3, "draw"));
      const double share = changed_share(plain, drawn);
      CHECK(share > 0.01);
      CHECK(share < 0.35);
      CHECK(draw(artefact, plain, RandomStream(3, "draw")) == drawn);
      CHECK(draw(artefact, plain, RandomStream(4, "draw")) != drawn);
    }
  }
}

TEST_CASE("artefacts: a vignette leaves the middle and darkens the corners") {
  const Image plain = skin(64), drawn = draw_vignette(plain, RandomStream(1, "draw"));
  CHECK(drawn.pixel(0, 0)[0] < 40);
  CHECK(drawn.pixel(63, 63)[0] < 40);
  for (std::int64_t i = 16; i < 48; ++i) CHECK(drawn.pixel(i, 32)[1] == plain.pixel(i, 32)[1]);
}

TEST_CASE("artefacts: a ruler lies beside one side") {
  const Image plain = skin(100), drawn = draw_ruler(plain, RandomStream(1, "draw"));
  for (std::int64_t y = 18; y < 82; ++y)
    for (std::int64_t x = 18; x < 82; ++x) REQUIRE(drawn.pixel(x, y)[0] == plain.pixel(x, y)[0]);
}

TEST_CASE("artefacts: what is drawn raises its own score") {
  const Image plain = skin(64);
  const auto before = artefact_scores(plain);
  for (std::size_t a = 0; a < all_artefacts.size(); ++a) {
    CAPTURE(name_of(all_artefacts[a]));
    CHECK(before[a] < 0.05);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const auto after = artefact_scores(draw(all_artefacts[a], plain, RandomStream(seed, "draw")));
      CHECK(after[a] > before[a] + 0.005);
    }
  }
}

TEST_CASE("artefacts: names, and an empty image") {
  CHECK(name_of(Artefact::Hair) == "hair");
  CHECK(name_of(Artefact::Ruler) == "ruler");
  CHECK(name_of(Artefact::Vignette) == "vignette");
  CHECK(name_of(Artefact::Gel) == "gel");
  for (const Artefact artefact : all_artefacts)
    CHECK(mentions(message_of<std::invalid_argument>(
                       [&] { draw(artefact, Image{}, RandomStream(0, "draw")); }),
                   {"[artefact]"}));
  CHECK(mentions(message_of<std::invalid_argument>([] { artefact_scores(Image{}); }),
                 {"[artefact]"}));
}
