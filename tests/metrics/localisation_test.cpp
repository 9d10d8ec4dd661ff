#include <catch2/catch.hpp>
#include <cmath>

#include "dermis/metrics/localisation.hpp"

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

/// 4 x 3 pixels, the lesion a square of four on the left.
const std::vector<std::uint8_t> mask = {1, 1, 0, 0,  //
                                        1, 1, 0, 0,  //
                                        0, 0, 0, 0};

LocalisedMap map_of(double share, double area, double hit = 0) {
  return {share, area, hit, area};
}

}  // namespace

TEST_CASE("localisation: areas of a target and its tolerance") {
  const auto strict = localisation_target(mask, 4, 0);
  CHECK(strict.area == Approx(4.0 / 12));
  CHECK(strict.near_area == Approx(4.0 / 12));
  // Within one pixel: two beside and two below; the diagonal one is 1.41 away.
  CHECK(localisation_target(mask, 4, 1).near_area == Approx(8.0 / 12));
  CHECK(localisation_target(mask, 4, 1.5).near_area == Approx(9.0 / 12));
  CHECK(localisation_target(mask, 4, 1).area == Approx(4.0 / 12));
}

TEST_CASE("localisation: share and pointing of a map by hand") {
  const auto target = localisation_target(mask, 4, 1);
  const auto found = localise({3, 1, 2, 0,  //
                               0, 0, 0, 0,  //
                               0, 0, 0, 2},
                              target);
  CHECK(found.share == Approx(4.0 / 8));
  CHECK(found.area == Approx(4.0 / 12));
  CHECK(found.hit == 1);
  CHECK(localise({0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, target).hit == 1);  // a pixel beside
  CHECK(localise({0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, target).hit == 0);  // two beside
  CHECK(localise({5, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5}, target).hit == Approx(1.0 / 3));
  const auto uniform = localise(std::vector<float>(12, 0.5F), target);
  CHECK(uniform.share == Approx(uniform.area));
  CHECK(uniform.hit == Approx(uniform.near_area));
  const auto nothing = localise(std::vector<float>(12, 0.0F), target);
  CHECK(std::isnan(nothing.share));
  CHECK(std::isnan(nothing.hit));
}

TEST_CASE("localisation: right and wrong, classes, and recall") {
  // Class 0: both right, gains 0.4 and 0.2; class 1: one of two right, gains 0.1 and -0.1; class 2:
  // none right, gain -0.3, and one map of nothing.
  const double nan = std::nan("");
  const std::vector<LocalisedMap> maps = {map_of(0.7, 0.3, 1), map_of(0.5, 0.3, 1),
                                          map_of(0.4, 0.3, 1), map_of(0.2, 0.3, 0),
                                          map_of(0.1, 0.4, 0), map_of(nan, 0.9, nan)};
  const std::vector<int> labels = {0, 0, 1, 1, 2, 2}, predictions = {0, 0, 1, 0, 1, -1};
  const std::vector<std::string> lesions = {"a", "b", "c", "d", "e", "f"};
  const auto found = localisation(maps, labels, predictions, lesions, {"A", "B", "C", "D"});
  CHECK(found.all.images == 6);
  CHECK(found.all.empty == 1);
  CHECK(found.all.share.mean == Approx(1.9 / 5));
  CHECK(found.all.area.mean == Approx(1.6 / 5));
  CHECK(found.all.gain.mean == Approx(0.3 / 5));
  CHECK(found.all.gain.lo < found.all.gain.mean);
  CHECK(found.all.gain.hi > found.all.gain.mean);
  CHECK(found.all.hit.mean == Approx(3.0 / 5));
  CHECK(found.right.images == 3);
  CHECK(found.right.gain.mean == Approx(0.7 / 3));
  CHECK(found.wrong.images == 3);
  CHECK(found.wrong.gain.mean == Approx(-0.4 / 2));
  CHECK(found.gain_difference.mean == Approx(0.7 / 3 + 0.2));
  CHECK(found.hit_difference.mean == Approx(1));
  REQUIRE(found.classes.size() == 3);  // D has no image
  CHECK(found.classes[1].name == "B");
  CHECK(found.classes[1].recall == Approx(0.5));
  CHECK(found.classes[1].maps.gain.mean == Approx(0).margin(1e-12));
  CHECK(found.recall_gain.mean == Approx(1));
  CHECK(found.recall_gain.hi <= 1 + 1e-12);
  const auto json = to_json(found);
  CHECK(json.at("classes").at("C").at("empty").get<std::int64_t>() == 1);
  CHECK(json.at("recall_gain").at("mean").get<double>() == Approx(1));
}

TEST_CASE("localisation: views of a lesion are drawn together") {
  const std::vector<LocalisedMap> maps = {map_of(0.9, 0.5), map_of(0.9, 0.5), map_of(0.1, 0.5),
                                          map_of(0.1, 0.5)};
  const std::vector<int> labels = {0, 0, 0, 0}, predictions = {0, 0, 1, 1};
  const auto width = [&](const std::vector<std::string>& lesions) {
    const auto i = localisation(maps, labels, predictions, lesions, {"A", "B"}).all.share;
    return i.hi - i.lo;
  };
  CHECK(width({"a", "a", "b", "b"}) > width({"a", "b", "c", "d"}) - 1e-12);
  const auto one = localisation(maps, labels, predictions, {"a", "a", "a", "a"}, {"A", "B"});
  CHECK(one.all.share.lo == Approx(one.all.share.hi));
}

TEST_CASE("localisation: errors say what was expected") {
  CHECK_THROWS_WITH(localisation_target(mask, 5, 0), Contains("rows of 5 pixels, got 12 pixels"));
  CHECK_THROWS_WITH(localisation_target(mask, 4, -1), Contains("tolerance of at least 0, got -1"));
  CHECK_THROWS_WITH(localisation_target(std::vector<std::uint8_t>(12, 0), 4, 0),
                    Contains("got no lesion pixels"));
  CHECK_THROWS_WITH(localisation_target(std::vector<std::uint8_t>(12, 1), 4, 0),
                    Contains("got only lesion pixels"));
  const auto target = localisation_target(mask, 4, 0);
  CHECK_THROWS_WITH(localise({1, 2}, target), Contains("a map of 12 values, got 2"));
  std::vector<float> values(12, 1);
  values[3] = -1;
  CHECK_THROWS_WITH(localise(values, target), Contains("values of at least 0, got -1"));
  CHECK_THROWS_WITH(localisation({}, {}, {}, {}, {"A"}), Contains("at least 1 map"));
  CHECK_THROWS_WITH(localisation({map_of(1, 0.5)}, {1}, {0}, {"a"}, {"A"}),
                    Contains("labels in 0"));
  CHECK_THROWS_WITH(localisation({map_of(1, 0.5)}, {0}, {0}, {}, {"A"}), Contains("lesions"));
}
