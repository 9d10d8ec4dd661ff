#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "dermis/metrics/rank_correlation.hpp"

using namespace dermis;

TEST_CASE("spearman: order alone counts, ties share their ranks") {
  CHECK(spearman({1, 2, 3, 4}, {1, 8, 27, 1000}) == Approx(1));
  CHECK(spearman({1, 2, 3, 4}, {4, 3, 2, 1}) == Approx(-1));
  // Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5).
  CHECK(spearman({1, 2, 2, 3}, {10, 30, 20, 40}) == Approx(4.5 / std::sqrt(4.5 * 5.0)));
}

TEST_CASE("spearman: what is undefined is NaN, NaN pairs are left out") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(spearman({1, 2}, {1, 2})));
  CHECK(std::isnan(spearman({1, 1, 1}, {1, 2, 3})));
  CHECK(spearman({1, nan, 2, 3}, {3, 7, 2, 1}) == Approx(-1));
  CHECK(std::isnan(spearman({1, nan, 2}, {3, 7, 2})));
  CHECK_THROWS_WITH(spearman({1, 2}, {1}), Catch::Contains("got 2 and 1"));
}
