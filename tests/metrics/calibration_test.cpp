#include "dermis/metrics/calibration.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "fixtures.hpp"

using namespace dermis;

namespace {

/// numpy: z = 6 wave(24, 4, 1.7, 0.9, 0.3), the label's entry plus 2
Eigen::MatrixXd logits() {
  Eigen::MatrixXd z = 6 * fixtures::wave(24, 4, 1.7, 0.9, 0.3);
  const std::vector<int> labels = fixtures::labels();
  for (int i = 0; i < 24; ++i) z(i, labels[static_cast<std::size_t>(i)]) += 2;
  return z;
}

}  // namespace

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

TEST_CASE("calibration: adaptive error agrees with numpy, equal probabilities stay together") {
  const Eigen::MatrixXd p = fixtures::probabilities();
  const std::vector<int> labels = fixtures::labels();
  // Without ties and with bins of equally many rows: the paper's mean over numpy.array_split.
  CHECK(adaptive_calibration_error(p, labels, 4) == Approx(0.12653256557495302));
  CHECK(adaptive_calibration_error(p, labels, 6) == Approx(0.13326255097749695));
  CHECK(adaptive_calibration_error(p, labels, 5) == Approx(0.13861111709102208));
  CHECK(adaptive_calibration_error(p, labels) == Approx(0.24235708090880426));
  const Eigen::MatrixXd coarse = (p * 8).array().rint() / 8;  // many equal probabilities
  CHECK(adaptive_calibration_error(coarse, labels, 4) == Approx(0.12369791666666664));
  const Eigen::MatrixXd turned = coarse.colwise().reverse();
  CHECK(adaptive_calibration_error(turned, {labels.rbegin(), labels.rend()}, 4) ==
        Approx(0.12369791666666664));
  // One probability for all rows is one bin, however many are asked for: shares against 0.5.
  const Eigen::MatrixXd half = Eigen::MatrixXd::Constant(4, 2, 0.5);
  CHECK(adaptive_calibration_error(half, {0, 0, 0, 1}, 3) == Approx(0.25));
  CHECK(adaptive_calibration_error(half, {0, 1, 0, 1}, 100) == 0);
  CHECK(std::isnan(adaptive_calibration_error(Eigen::MatrixXd(0, 2), {})));
  CHECK_THROWS_WITH(adaptive_calibration_error(half, {0, 0, 0, 1}, 0),
                    "[calibration] expected at least 1 bin, got 0");
  CHECK_THROWS_AS(adaptive_calibration_error(2 * half, {0, 0, 0}, 3), std::invalid_argument);
  CHECK_THROWS_WITH(adaptive_calibration_error(3 * half, {0, 0, 0, 1}, 3),
                    Catch::Contains("expected probabilities in [0, 1], got 1.5 .. 1.5 in row 0"));
}

TEST_CASE("calibration: Brier score agrees with scikit-learn") {
  const Eigen::MatrixXd p = fixtures::probabilities();
  CHECK(brier_score(p, fixtures::labels()) == Approx(0.6897576551157364));
  Eigen::MatrixXd sure(2, 3);
  sure << 1, 0, 0, 0, 1, 0;
  CHECK(brier_score(sure, {0, 1}) == 0);
  CHECK(brier_score(sure, {1, 2}) == 2);
  CHECK(std::isnan(brier_score(Eigen::MatrixXd(0, 2), {})));
  CHECK_THROWS_AS(brier_score(sure, {0, 3}), std::invalid_argument);
  CHECK_THROWS_AS(brier_score(sure, {0}), std::invalid_argument);
  CHECK_THROWS_AS(brier_score(2 * sure, {0, 1}), std::invalid_argument);
}

TEST_CASE("calibration: softmax agrees with scipy and does not overflow") {
  const Eigen::MatrixXd p = softmax(logits(), 2.5);
  CHECK(p(0, 0) == Approx(0.1148406356248).epsilon(1e-11));
  CHECK(p(0, 3) == Approx(0.5291547573967).epsilon(1e-11));
  CHECK(p(1, 2) == Approx(0.0267058393971).epsilon(1e-11));
  CHECK((p.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-14);
  CHECK(softmax(Eigen::MatrixXd{logits().array() + 1e4}).allFinite());
  CHECK(softmax(Eigen::MatrixXd(0, 3)).cols() == 3);
  CHECK_THROWS_WITH(softmax(logits(), 0), "[calibration] expected a temperature above 0, got 0");
  CHECK_THROWS_AS(softmax(logits(), std::numeric_limits<double>::infinity()),
                  std::invalid_argument);
  Eigen::MatrixXd broken = logits();
  broken(3, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(softmax(broken),
                    "[metrics] expected finite logits, got nan in row 3, column 1");
}

TEST_CASE("calibration: the temperature agrees with scipy's brentq at any scale of the logits") {
  const std::vector<int> labels = fixtures::labels();
  for (const double scale : {1.0, 1e-3, 40.0, 1e12}) {
    CAPTURE(scale);
    CHECK(fit_temperature(scale * logits(), labels) ==
          Approx(scale * 5.590894650837363).epsilon(1e-10));
  }
  const Eigen::MatrixXd log_p = fixtures::probabilities().array().log();
  CHECK(fit_temperature(log_p, labels) == Approx(1.450811673367686).epsilon(1e-10));
  // Closed form: 9 of 10 rows right with a margin of 5, so the best confidence is 0.9.
  Eigen::MatrixXd margin = Eigen::MatrixXd::Zero(10, 2);
  margin.col(0).setConstant(5);
  margin.row(9) << 0, 5;
  const std::vector<int> most_right{0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
  CHECK(fit_temperature(margin, most_right) == Approx(5 / std::log(9.0)).epsilon(1e-12));
  CHECK(softmax(margin, fit_temperature(margin, most_right))(0, 0) == Approx(0.9));
}

TEST_CASE("calibration: no temperature where none is best") {
  Eigen::MatrixXd z(3, 2);
  z << 2, 0, 0, 3, 1, 0;
  CHECK_NOTHROW(fit_temperature(z, {0, 1, 1}));
  CHECK_THROWS_WITH(fit_temperature(z, {0, 1, 0}),
                    "[calibration] expected a wrong row to fit a temperature, got 3 rows that are "
                    "all right");
  CHECK_THROWS_WITH(
      fit_temperature(z, {1, 0, 1}),
      "[calibration] expected logits that favour the labels to fit a temperature, got "
      "no better than chance");
  CHECK_THROWS_WITH(
      fit_temperature(z, {1, 1, 1}),
      "[calibration] expected labels of at least 2 classes to fit a temperature, got one class");
  CHECK_THROWS_WITH(
      fit_temperature(Eigen::MatrixXd(0, 2), {}),
      "[calibration] expected labels of at least 2 classes to fit a temperature, got no rows");
  CHECK_THROWS_AS(fit_temperature(z, {0, 1}), std::invalid_argument);
  CHECK_THROWS_AS(fit_temperature(z, {0, 1, 2}), std::invalid_argument);
  z(0, 0) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(fit_temperature(z, {0, 1, 1}), std::invalid_argument);
}

TEST_CASE("calibration: maximum and mean-square error of bins, log loss") {
  const auto labels = fixtures::labels();  // numpy, scikit-learn
  const auto p = fixtures::probabilities();
  CHECK(maximum_calibration_error(p, labels, 5) == Approx(0.5375760632162774));
  CHECK(rms_calibration_error(p, labels, 5) == Approx(0.3330258826523364));
  CHECK(log_loss(p, labels) == Approx(1.226284937425423));
  Eigen::MatrixXd certain(1, 2);
  certain << 1, 0;
  CHECK(log_loss(certain, {0}) == Approx(0).margin(1e-15));
  CHECK(log_loss(certain, {1}) == Approx(52 * std::log(2.0)));
  CHECK(std::isnan(maximum_calibration_error(Eigen::MatrixXd(0, 2), {})));
  CHECK(std::isnan(rms_calibration_error(Eigen::MatrixXd(0, 2), {})));
  CHECK(std::isnan(log_loss(Eigen::MatrixXd(0, 2), {})));
  CHECK_THROWS_WITH(log_loss(2 * certain, {0}), Catch::Contains("[0, 1]"));
  CHECK_THROWS_WITH(maximum_calibration_error(certain, {0}, 0), Catch::Contains("at least 1 bin"));
  CHECK_THROWS_WITH(rms_calibration_error(certain, {0}, 0), Catch::Contains("at least 1 bin"));
}
