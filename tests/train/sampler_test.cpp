#include "dermis/train/sampler.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "dermis/core/check.hpp"

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

std::vector<Draw> first_draws(const Sampler& sampler, std::int64_t count) {
  return sampler.batch(0, count);
}

/// Batches in a jumbled order, each from a fresh copy, must equal one long batch.
void check_pure(const Sampler& sampler) {
  const std::vector<Draw> all = first_draws(sampler, 60);
  for (const std::int64_t step : {9, 2, 0, 7, 7, 1}) {
    const std::vector<Draw> expected(all.begin() + step * 6, all.begin() + step * 6 + 6);
    CHECK((sampler.batch(step, 6) == expected));
    CHECK((Sampler(sampler).batch(step, 6) == expected));
  }
}

void check_no_pair_twice(const Sampler& sampler) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (const Draw& draw : first_draws(sampler, 500)) {
    CHECK(seen.insert({draw.index, draw.epoch}).second);
  }
}

const std::vector<int> kLabels{0, 0, 0, 0, 0,
                               0, 0, 2, 2, 5};  // 7, 2 and 1 images; labels with gaps
const std::vector<bool> kSynthetic{false, false, false, false, true,
                                   true,  true,  false, false, true};

}  // namespace

TEST_CASE("sampler: natural order shows every image once a pass, each pass anew") {
  const auto sampler = Sampler::natural(10, 1, "test");
  const std::vector<Draw> draws = first_draws(sampler, 30);
  std::set<std::vector<std::int64_t>> orders;
  for (std::size_t pass = 0; pass < 3; ++pass) {
    std::vector<std::int64_t> order;
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(draws[pass * 10 + i].epoch == static_cast<std::int64_t>(pass));
      order.push_back(draws[pass * 10 + i].index);
    }
    CHECK(std::set<std::int64_t>(order.begin(), order.end()).size() == 10);
    orders.insert(order);
  }
  CHECK(orders.size() == 3);
}

TEST_CASE("sampler: every kind is a pure function of the step and never repeats a pair") {
  for (const Sampler& sampler : {Sampler::natural(7, 3, "a"), Sampler::natural(1, 3, "a"),
                                 Sampler::class_balanced(kLabels, 3, "a"),
                                 Sampler::class_balanced(kLabels, kSynthetic, 0.3, 3, "a")}) {
    INFO(sampler.configuration().dump());
    check_pure(sampler);
    check_no_pair_twice(sampler);
  }
}

TEST_CASE("sampler: seed and name each give another order") {
  const auto draws = [](std::uint64_t seed, const std::string& name) {
    std::vector<std::int64_t> order;
    for (const Draw& draw : Sampler::natural(50, seed, name).batch(0, 50))
      order.push_back(draw.index);
    return order;
  };
  CHECK(draws(1, "a") == draws(1, "a"));
  CHECK(draws(1, "a") != draws(2, "a"));
  CHECK(draws(1, "a") != draws(1, "b"));
}

TEST_CASE("sampler: class balance is exact, images of a class come without replacement") {
  const auto sampler = Sampler::class_balanced(kLabels, 5, "test");
  std::map<int, int> per_class;
  std::map<std::int64_t, int> per_image;
  std::set<std::vector<int>> class_orders;
  const std::vector<Draw> draws = first_draws(sampler, 3 * 70);
  for (std::size_t i = 0; i < draws.size(); ++i) {
    ++per_class[kLabels[static_cast<std::size_t>(draws[i].index)]];
    ++per_image[draws[i].index];
  }
  CHECK(per_class == std::map<int, int>{{0, 70}, {2, 70}, {5, 70}});
  for (const auto& [image, count] : per_image)
    CHECK(count == (image < 7 ? 10 : image < 9 ? 35 : 70));
  for (std::size_t run = 0; run < 70; ++run) {
    std::vector<int> order;
    for (std::size_t i = 0; i < 3; ++i) {
      order.push_back(kLabels[static_cast<std::size_t>(draws[run * 3 + i].index)]);
    }
    CHECK(std::set<int>(order.begin(), order.end()).size() == 3);
    class_orders.insert(order);
  }
  CHECK(class_orders.size() == 6);  // all orders of three classes occur
}

TEST_CASE("sampler: of real and synthetic images every class gets its share, evenly spread") {
  const double share = GENERATE(0.0, 0.3, 0.5, 0.8, 1.0);
  const auto sampler = Sampler::class_balanced(kLabels, kSynthetic, share, 5, "test");
  const std::vector<Draw> draws = first_draws(sampler, 3 * 70);
  std::map<int, int> per_class, real;
  std::map<std::int64_t, int> per_image;
  for (const Draw& draw : draws) {
    const auto at = static_cast<std::size_t>(draw.index);
    const int label = kLabels[at];
    ++per_class[label];
    ++per_image[draw.index];
    real[label] += !kSynthetic[at];
    if (label == 0) CHECK(std::abs(real[0] - share * per_class[0]) <= 1);
  }
  CHECK(per_class == std::map<int, int>{{0, 70}, {2, 70}, {5, 70}});
  CHECK(std::abs(real[0] - 70 * share) <= 1);
  CHECK(real[2] == 70);  // has no synthetic images
  CHECK(real[5] == 0);   // has no real ones
  const auto spread = [&](std::int64_t first, std::int64_t last) {
    std::set<int> counts;
    for (std::int64_t i = first; i <= last; ++i) counts.insert(per_image[i]);
    return *counts.rbegin() - *counts.begin();
  };
  CHECK(spread(0, 3) <= 1);  // real images of class 0
  CHECK(spread(4, 6) <= 1);  // synthetic ones
}

TEST_CASE("sampler: real images come as they would without synthetic ones") {
  const std::vector<int> real{0, 0, 0, 2, 2, 5}, both{0, 0, 0, 2, 2, 5, 0, 2, 2, 5};
  std::vector<bool> synthetic(6, false);
  synthetic.resize(10, true);
  const auto alone = Sampler::class_balanced(real, 7, "test");
  const auto mixed = Sampler::class_balanced(both, synthetic, 1, 7, "test");
  CHECK((first_draws(alone, 99) == first_draws(mixed, 99)));
  CHECK(alone.configuration() != mixed.configuration());
}

TEST_CASE("sampler: epochs count image passes") {
  const auto sampler = Sampler::natural(10, 1, "test");
  CHECK(sampler.epoch(0, 4) == 0);
  CHECK(sampler.epoch(2, 4) == 0);
  CHECK(sampler.epoch(3, 4) == 1);
  CHECK(sampler.batch(2, 4)[1].epoch == 0);
  CHECK(sampler.batch(2, 4)[2].epoch == 1);  // the batch spans the end of the pass
}

TEST_CASE("sampler: the configuration tells samplers apart") {
  const auto configuration = [](const std::vector<int>& labels) {
    return Sampler::class_balanced(labels, 1, "a").configuration();
  };
  CHECK(configuration({0, 1, 1}) == configuration({0, 1, 1}));
  CHECK(configuration({0, 1, 1}) != configuration({0, 0, 1}));
  CHECK(Sampler::natural(3, ~std::uint64_t{0}, "a").configuration().at("seed") ==
        Json("18446744073709551615"));
}

TEST_CASE("sampler: nothing to draw from and bad shares are refused") {
  CHECK_THROWS_WITH(Sampler::natural(0, 1, "a"), Contains("[sampler] expected at least one image"));
  CHECK_THROWS_AS(Sampler::class_balanced({}, 1, "a"), std::invalid_argument);
  CHECK_THROWS_WITH(Sampler::class_balanced({0}, {true}, 1.5, 1, "a"), Contains("real_share"));
  CHECK_THROWS_WITH(Sampler::class_balanced({0}, {}, 0.5, 1, "a"), Contains("expected 1 marks"));
  CHECK_THROWS_AS(Sampler::natural(3, 1, "a").batch(-1, 2), std::invalid_argument);
  CHECK_THROWS_AS(Sampler::natural(3, 1, "a").batch(0, 0), std::invalid_argument);
}
