#include "dermis/metrics/calibration.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "fixtures.hpp"

using namespace dermis;

TEST_CASE("calibration: error and bins agree with numpy") {
  const Eigen::MatrixXd p = fixtures::probabilities();
  const std::vector<int> labels = fixtures::labels();
  CHECK(expected_calibration_error(p, labels) == Approx(0.292648742832));
  CHECK(expected_calibration_error(p, labels, 3) == Approx(0.124779272703));
  const std::vector<ReliabilityBin> bins = reliability_bins(p, labels, 5);
  REQUIRE(bins.size() == 5);
  CHECK(bins[0].count == 0);
  CHECK(std::isnan(bins[0].confidence));
  CHECK(bins[2].lower == Approx(0.4));
  CHECK(bins[2].upper == Approx(0.6));
  CHECK(bins[2].count == 14);
  CHECK(bins[2].confidence == Approx(0.509473036304));
  CHECK(bins[2].accuracy == Approx(10.0 / 14));
  CHECK(bins[4].count == 1);
}

TEST_CASE("calibration: closed forms") {
  Eigen::MatrixXd sure(4, 2);
  sure << 1, 0, 1, 0, 0, 1, 0, 1;
  CHECK(expected_calibration_error(sure, {0, 0, 1, 1}) == 0);
  CHECK(expected_calibration_error(sure, {1, 1, 0, 0}) == 1);
  CHECK(expected_calibration_error(sure, {0, 0, 1, 0}) == Approx(0.25));
  CHECK(std::isnan(expected_calibration_error(Eigen::MatrixXd(0, 2), {})));
  // A confidence on an edge belongs to the bin below it.
  const Eigen::MatrixXd half = Eigen::MatrixXd::Constant(1, 2, 0.5);
  CHECK(reliability_bins(half, {0}, 2)[0].count == 1);
}

TEST_CASE("calibration: what is no probability is refused") {
  Eigen::MatrixXd p = Eigen::MatrixXd::Constant(2, 2, 0.5);
  CHECK_NOTHROW(expected_calibration_error(p, {0, 1}));
  CHECK_THROWS_AS(expected_calibration_error(p, {0, 1}, 0), std::invalid_argument);
  CHECK_THROWS_AS(expected_calibration_error(p, {0, 2}), std::invalid_argument);
  CHECK_THROWS_AS(expected_calibration_error(p, {0}), std::invalid_argument);
  p(1, 1) = 1.5;  // a logit
  CHECK_THROWS_WITH(expected_calibration_error(p, {0, 1}),
                    Catch::Contains("expected probabilities in [0, 1], got 0.5 .. 1.5 in row 1"));
  p(1, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(expected_calibration_error(p, {0, 1}), std::invalid_argument);
}
