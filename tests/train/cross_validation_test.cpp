#include "dermis/train/cross_validation.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <set>

#include "stripes.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("cross-validation: each image is judged by a run that did not see it") {
  const auto set = striped(12, 1);
  const std::vector<std::vector<std::int64_t>> folds = {{0, 5, 7}, {1, 2, 11, 3}, {4, 6, 8, 9, 10}};
  const auto all = cross_validate(
      set, folds, [&](const PixelSet& training, const PixelSet& held_out, std::int64_t fold) {
        std::set<std::string> seen;
        for (const auto& sample : training.samples) seen.insert(sample.id);
        CHECK(training.size() + held_out.size() == 12);
        Eigen::MatrixXd out(held_out.size(), 2);
        for (std::int64_t i = 0; i < held_out.size(); ++i) {
          const auto& sample = held_out.samples[static_cast<std::size_t>(i)];
          CHECK(seen.count(sample.id) == 0);
          out.row(i) << static_cast<double>(fold), sample.label;
        }
        return out;
      });
  for (std::size_t f = 0; f < folds.size(); ++f)
    for (const auto i : folds[f]) {
      CHECK(all(i, 0) == static_cast<double>(f));
      CHECK(all(i, 1) == set.samples[static_cast<std::size_t>(i)].label);
    }
}

TEST_CASE("cross-validation: folds that overlap, miss an image or are one are refused") {
  const auto set = striped(4, 1);
  const auto run = [](const PixelSet&, const PixelSet& held_out, std::int64_t) {
    return Eigen::MatrixXd::Zero(held_out.size(), 2).eval();
  };
  CHECK_THROWS_WITH(cross_validate(set, {{0, 1, 2, 3}}, run), Contains("at least 2 folds, got 1"));
  CHECK_THROWS_WITH(cross_validate(set, {{0, 1}, {1, 2, 3}}, run),
                    Contains("image 1 in folds 0 and 1"));
  CHECK_THROWS_WITH(cross_validate(set, {{0, 1}, {2}}, run), Contains("image 3 in none"));
  CHECK_THROWS_WITH(cross_validate(set, {{0, 1}, {2, 4}}, run), Contains("below 4, got 4"));
  const auto wrong = [](const PixelSet&, const PixelSet&, std::int64_t) {
    return Eigen::MatrixXd::Zero(1, 2).eval();
  };
  CHECK_THROWS_WITH(cross_validate(set, {{0, 1}, {2, 3}}, wrong),
                    Contains("expected probabilities [2, 2] for fold 0, got [1, 2]"));
}
