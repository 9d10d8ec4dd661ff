#include "dermis/metrics/seed_bootstrap.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>

#include "dermis/core/random.hpp"

using namespace dermis;
using Runs = std::vector<std::vector<int>>;

namespace {

/// `rows` labels of two classes in turn.
std::vector<int> alternating(int rows) {
  std::vector<int> labels;
  for (int i = 0; i < rows; ++i) labels.push_back(i % 2);
  return labels;
}

/// `labels` where each is right with probability `accuracy`.
std::vector<int> guesses(const std::vector<int>& labels, double accuracy, std::uint64_t seed) {
  RandomStream stream(seed, "seed_bootstrap_test");
  auto predictions = labels;
  for (int& p : predictions)
    if (stream.uniform() >= accuracy) p = 1 - p;
  return predictions;
}

}  // namespace

TEST_CASE("seed bootstrap: one seed is the bootstrap by lesion") {
  const auto labels = alternating(60);
  const auto first = guesses(labels, 0.9, 1), second = guesses(labels, 0.7, 2);
  std::vector<std::string> lesions;
  for (int i = 0; i < 60; ++i) lesions.push_back(std::to_string(i / 2));
  const BootstrapOptions options{300, 0.9, 4};
  const auto expected = balanced_accuracy_difference(labels, first, second, lesions, options);
  const auto found =
      balanced_accuracy_difference(labels, Runs{first}, Runs{second}, lesions, options);
  CHECK(found.mean == expected.mean);
  CHECK(found.lo == expected.lo);
  CHECK(found.hi == expected.hi);
}

TEST_CASE("seed bootstrap: the spread of seeds is in the interval") {
  // Whatever the lesions, the first seed gains everything and the second nothing: two seeds drawn
  // out of two give 0, 1/2 and 1 with 1/4, 1/2 and 1/4.
  const auto right = alternating(40);
  std::vector<int> wrong;
  for (const int label : right) wrong.push_back(1 - label);
  const std::vector<std::string> lesions(40);
  const auto at = [&](double level) {
    return balanced_accuracy_difference(right, Runs{right, right}, Runs{wrong, right}, lesions,
                                        {2000, level, 0});
  };
  CHECK(at(0.95).mean == Approx(0.5));
  CHECK(at(0.95).lo == Approx(0).margin(1e-12));
  CHECK(at(0.95).hi == Approx(1));
  CHECK(at(0.4).lo == Approx(0.5));  // the middle 40 % of the draws
  CHECK(at(0.4).hi == Approx(0.5));
  // Lesions alone would have seen none of it.
  CHECK(balanced_accuracy_difference(right, right, wrong, lesions, {200, 0.95, 0}).lo == Approx(1));
}

TEST_CASE("seed bootstrap: more seeds narrow the interval as independent errors do") {
  // Runs that err independently, on ever new seeds: the sampling standard deviation of the mean
  // difference is sqrt((p (1 - p) + q (1 - q)) / (N S)). Drawing both ways adds the seeds' share
  // again, so the interval may be at most sqrt(2) of it, and not narrower.
  const auto labels = alternating(400);
  Runs first, second;
  for (std::uint64_t s = 0; s < 8; ++s) {
    first.push_back(guesses(labels, 0.8, 100 + s));
    second.push_back(guesses(labels, 0.8, 200 + s));
  }
  const auto interval = balanced_accuracy_difference(
      labels, first, second, std::vector<std::string>(400), {1000, 0.95, 3});
  const double half = 1.96 * std::sqrt(2 * 0.8 * 0.2 / (400 * 8));
  const double found = (interval.hi - interval.lo) / 2;
  CHECK(found > 0.8 * half);
  CHECK(found < 1.8 * half);
  CHECK(interval.lo < 0);
  CHECK(interval.hi > 0);
}

TEST_CASE("seed bootstrap: runs that do not pair are refused") {
  const std::vector<int> labels{0, 1};
  const std::vector<std::string> lesions{"a", "b"};
  CHECK_THROWS_WITH(balanced_accuracy_difference(labels, Runs{}, Runs{}, lesions),
                    "[bootstrap] expected runs of the same seeds, at least one, got 0 and 0");
  CHECK_THROWS_WITH(
      balanced_accuracy_difference(labels, Runs{labels, labels}, Runs{labels}, lesions),
      "[bootstrap] expected runs of the same seeds, at least one, got 2 and 1");
  CHECK_THROWS_AS(balanced_accuracy_difference(labels, Runs{{0}}, Runs{labels}, lesions),
                  std::invalid_argument);
  CHECK_THROWS_AS(balanced_accuracy_difference(labels, Runs{labels}, Runs{{0, 1, 1}}, lesions),
                  std::invalid_argument);
  CHECK_THROWS_AS(balanced_accuracy_difference(labels, Runs{labels}, Runs{labels}, {"a"}),
                  std::invalid_argument);
}
