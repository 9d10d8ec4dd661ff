#include "dermis/metrics/early_exit.hpp"

#include <catch2/catch.hpp>

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

/// Four images, two classes, three depths. Their largest probabilities are
///   depth 1: .9 .6 .6 .7    right, wrong, right, wrong
///   depth 2: .9 .8 .55 .7   right, right, right, wrong
///   depth 3: .9 .8 .9 .6    right, right, wrong, right
const std::vector<int> labels = {0, 0, 1, 1};
ProbabilitiesByDepth example() {
  const auto matrix = [](std::vector<double> first) {
    Eigen::MatrixXd m(4, 2);
    for (int i = 0; i < 4; ++i) {
      m(i, 0) = first[static_cast<std::size_t>(i)];
      m(i, 1) = 1 - m(i, 0);
    }
    return m;
  };
  return {matrix({.9, .4, .4, .7}), matrix({.9, .8, .45, .7}), matrix({.9, .8, .9, .4})};
}

}  // namespace

TEST_CASE("early exit: an image leaves at the first depth that is sure enough, else at the last") {
  CHECK(exit_depths(example(), 0) == std::vector<int>{1, 1, 1, 1});
  CHECK(exit_depths(example(), 0.65) == std::vector<int>{1, 2, 3, 1});
  CHECK(exit_depths(example(), 0.75) == std::vector<int>{1, 2, 3, 3});
  CHECK(exit_depths(example(), 0.95) == std::vector<int>{3, 3, 3, 3});
  CHECK(exit_predictions(example(), {1, 2, 3, 1}) == std::vector<int>{0, 0, 0, 0});
  CHECK(exit_predictions(example(), {1, 1, 2, 3}) == std::vector<int>{0, 1, 1, 1});
}

TEST_CASE("early exit: the curve beside exits at random of the same mean depth") {
  // Accuracy by depth 2/4, 3/4, 3/4; the classes hold two images each, so balanced alike.
  const auto curve = early_exit_curve(example(), labels, {0, 0.65, 0.75, 1});
  REQUIRE(curve.size() == 4);
  CHECK(curve[0].mean_depth == 1);
  CHECK(curve[0].accuracy == 0.5);
  CHECK(curve[0].random_accuracy == 0.5);
  CHECK(curve[1].mean_depth == 1.75);
  CHECK(curve[1].accuracy == 0.5);
  CHECK(curve[1].random_accuracy == Approx(0.25 * 0.5 + 0.75 * 0.75));
  CHECK(curve[2].mean_depth == 2.25);
  CHECK(curve[2].balanced_accuracy == 0.75);
  CHECK(curve[2].random_balanced_accuracy == 0.75);
  CHECK(curve[3].mean_depth == 3);
  CHECK(curve[3].threshold == 1);
  CHECK(curve[3].accuracy == 0.75);

  // Balanced and plain accuracy differ where classes are of unequal size.
  const auto uneven = early_exit_curve(example(), {0, 0, 0, 1}, {0});
  CHECK(uneven[0].accuracy == 0.25);
  CHECK(uneven[0].balanced_accuracy == Approx(1.0 / 6));
  CHECK(uneven[0].random_balanced_accuracy == Approx(1.0 / 6));
}

TEST_CASE("early exit: thresholds rise from 0, where all leave first, to 1") {
  const auto thresholds = exit_thresholds();
  CHECK(thresholds.front() == 0);
  CHECK(thresholds.back() == 1);
  CHECK(std::is_sorted(thresholds.begin(), thresholds.end()));
  CHECK(random_exit({0.2, 0.6}, 1.25) == Approx(0.3));
  CHECK(random_exit({0.2, 0.6}, 2) == 0.6);
}

TEST_CASE("early exit: the least threshold that costs no more than is allowed") {
  // Right at the last depth; at the first one wrong and 0.6 sure, or right and 0.9 sure.
  Eigen::MatrixXd first(2, 2), last(2, 2);
  first << 0.4, 0.6, 0.1, 0.9;
  last << 0.8, 0.2, 0.1, 0.9;
  const ProbabilitiesByDepth by_depth{first, last};
  CHECK(least_exit_threshold(by_depth, {0, 1}, 0, {0, 0.5, 0.7, 0.8, 1}) == 0.7);
  CHECK(least_exit_threshold(by_depth, {0, 1}, 0.49, {0, 0.5, 0.7, 0.8, 1}) == 0.7);
  CHECK(least_exit_threshold(by_depth, {0, 1}, 0.5, {0, 0.5, 0.7, 0.8, 1}) == 0);
  CHECK(least_exit_threshold(by_depth, {0, 1}, 0, {0, 0.5}) == kNeverEarly);
  CHECK_THROWS_WITH(least_exit_threshold(by_depth, {0, 1}, -0.1), Contains("at least 0, got -0.1"));
}

TEST_CASE("early exit: what cannot be is one clear error") {
  CHECK_THROWS_WITH(exit_depths({}, 0.5), Contains("at least 1 depth"));
  auto ragged = example();
  ragged[1] = Eigen::MatrixXd::Zero(3, 2);
  CHECK_THROWS_WITH(exit_depths(ragged, 0.5), Contains("[4, 2] at every depth, got [3, 2]"));
  auto undefined = example();
  undefined[2](1, 0) = std::nan("");
  CHECK_THROWS_WITH(exit_depths(undefined, 0.5), Contains("NaN in row 1"));
  CHECK_THROWS_WITH(exit_predictions(example(), {1, 2, 4, 1}),
                    Contains("depths in 1 .. 3, got 4 in row 2"));
  CHECK_THROWS_WITH(exit_predictions(example(), {1, 2}), Contains("depths"));
  CHECK_THROWS_WITH(random_exit({0.5, 0.6}, 2.5), Contains("1 .. 2, got 2.5"));
  CHECK_THROWS_WITH(early_exit_curve(example(), {0, 1}, {0.5}), Contains("as many"));
}
