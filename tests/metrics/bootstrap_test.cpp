#include "dermis/metrics/bootstrap.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>

#include "dermis/core/random.hpp"
#include "dermis/metrics/classification.hpp"

using namespace dermis;
using Rows = std::vector<std::int64_t>;

namespace {

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> normal_values(int count) {
  RandomStream stream(5, "bootstrap_test");
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(stream.normal());
  return values;
}

}  // namespace

TEST_CASE("bootstrap: the interval of a mean is that of the normal approximation") {
  const std::vector<double> values = normal_values(400);
  const double mean = mean_of(values);
  double variance = 0;
  for (const double v : values) variance += (v - mean) * (v - mean) / 400;
  const Interval i = bootstrap_interval(
      std::vector<std::string>(400),
      [&](const Rows& rows) { return mean_of(select(values, rows)); }, {4000, 0.95, 1});
  const double half = 1.959964 * std::sqrt(variance / 400);
  CHECK(i.mean == Approx(mean));
  CHECK(i.lo == Approx(mean - half).margin(0.06 * half));
  CHECK(i.hi == Approx(mean + half).margin(0.06 * half));
}

TEST_CASE("bootstrap: views of one lesion are drawn together") {
  // 40 lesions with four identical views each are 40 images, not 160: twice the width.
  std::vector<std::string> lesions;
  std::vector<double> values;
  const std::vector<double> lesion_values = normal_values(40);
  for (int i = 0; i < 40; ++i) {
    for (int view = 0; view < 4; ++view) {
      lesions.push_back("lesion" + std::to_string(i));
      values.push_back(lesion_values[static_cast<std::size_t>(i)]);
    }
  }
  const auto statistic = [&](const Rows& rows) {
    std::map<std::string, int> drawn;
    for (const std::string& lesion : select(lesions, rows)) ++drawn[lesion];
    CHECK(std::all_of(drawn.begin(), drawn.end(), [](const auto& d) { return d.second % 4 == 0; }));
    return mean_of(select(values, rows));
  };
  const Interval grouped = bootstrap_interval(lesions, statistic, {400});
  const Interval single = bootstrap_interval(
      std::vector<std::string>(values.size()),  // empty: every row is its own group
      [&](const Rows& rows) { return mean_of(select(values, rows)); }, {400});
  CHECK((grouped.hi - grouped.lo) / (single.hi - single.lo) == Approx(2).epsilon(0.2));
}

TEST_CASE("bootstrap: a seed fixes the interval, another changes it") {
  const std::vector<double> values = normal_values(50);
  const auto run = [&](std::uint64_t seed) {
    return bootstrap_interval(std::vector<std::string>(50),
                              [&](const Rows& rows) { return mean_of(select(values, rows)); },
                              {200, 0.9, seed});
  };
  CHECK(run(3).lo == run(3).lo);
  CHECK(run(3).hi == run(3).hi);
  CHECK(run(3).lo != run(4).lo);
}

TEST_CASE("bootstrap: resamples without a figure are left out") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Interval some = bootstrap_interval(
      {"a", "b"}, [&](const Rows& rows) { return rows[0] == rows[1] ? nan : 7.0; });
  CHECK(some.lo == 7);
  CHECK(some.hi == 7);
  const Interval none = bootstrap_interval({"a", "b"}, [&](const Rows&) { return nan; });
  CHECK(std::isnan(none.mean));
  CHECK(std::isnan(none.lo));
  CHECK(std::isnan(none.hi));
}

TEST_CASE("bootstrap: paired difference of two classifiers") {
  std::vector<int> labels, good, bad;
  std::vector<std::string> lesions;
  for (int i = 0; i < 200; ++i) {
    labels.push_back(i % 4);
    good.push_back(i % 5 == 0 ? (i + 1) % 4 : i % 4);  // 80 %
    bad.push_back(i % 2 == 0 ? (i + 1) % 4 : i % 4);   // classes 1 and 3 only
    lesions.push_back("l" + std::to_string(i / 2));
  }
  const Interval own = balanced_accuracy_interval(labels, good, lesions);
  CHECK(own.mean == Approx(balanced_accuracy(labels, good)));
  CHECK(own.lo < own.mean);
  CHECK(own.hi > own.mean);
  const Interval gain = balanced_accuracy_difference(labels, good, bad, lesions);
  CHECK(gain.mean == Approx(0.3));
  CHECK(gain.lo > 0);
  const Interval loss = balanced_accuracy_difference(labels, bad, good, lesions);
  CHECK(loss.lo == Approx(-gain.hi));
  const Interval same = balanced_accuracy_difference(labels, good, good, lesions);
  CHECK(same.lo == 0);
  CHECK(same.hi == 0);
}

TEST_CASE("bootstrap: percentiles agree with numpy") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values{3, 1, 4, nan, 1, 5, 9, 2, 6, 5, 3};
  CHECK(percentile_interval(0, values, 0.95).lo == Approx(1.0));
  CHECK(percentile_interval(0, values, 0.95).hi == Approx(8.325));
  CHECK(percentile_interval(0, values, 0.8).hi == Approx(6.3));
  CHECK(percentile_interval(4, {2}, 0.95).hi == 2);
}

TEST_CASE("bootstrap: bad arguments are refused") {
  const auto zero = [](const Rows&) { return 0.0; };
  CHECK_NOTHROW(bootstrap_interval({"a"}, zero, {1, 0.5, 0}));
  CHECK_THROWS_WITH(bootstrap_interval({}, zero), "[bootstrap] expected at least 1 row, got none");
  CHECK_THROWS_AS(bootstrap_interval({"a"}, zero, {0}), std::invalid_argument);
  CHECK_THROWS_AS(bootstrap_interval({"a"}, zero, {10, 1.0}), std::invalid_argument);
  CHECK_THROWS_AS(bootstrap_interval({"a"}, zero, {10, 0.0}), std::invalid_argument);
  CHECK_THROWS_AS(balanced_accuracy_interval({0, 1}, {0, 1}, {"a"}), std::invalid_argument);
  CHECK_THROWS_AS(balanced_accuracy_interval({0, 1}, {0}, {"a", "b"}), std::invalid_argument);
  CHECK_THROWS_AS(balanced_accuracy_difference({0, 1}, {0, 1}, {0}, {"a", "b"}),
                  std::invalid_argument);
}

TEST_CASE("bootstrap: select and select_rows keep order and repetitions") {
  CHECK(select(std::vector<int>{5, 6, 7}, {2, 0, 2}) == std::vector<int>{7, 5, 7});
  Eigen::MatrixXd matrix(2, 2);
  matrix << 1, 2, 3, 4;
  CHECK(select_rows(matrix, {1, 1, 0})(1, 1) == 4);
  CHECK(select_rows(matrix, {}).cols() == 2);
  CHECK_THROWS_AS(select_rows(matrix, {2}), std::invalid_argument);
  CHECK_THROWS_AS(select_rows(matrix, {-1}), std::invalid_argument);
}
