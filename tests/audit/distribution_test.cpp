#include "dermis/audit/distribution.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <set>

#include "dermis/audit/equal_counts.hpp"
#include "sets.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

const PixelSet training = striped(160, 1), held_out = striped(120, 2);

DistributionAudit audit(const PixelSet& synthetic) {
  return distribution_audit(training, held_out, as_synthetic(synthetic), quarters);
}

/// Every other pair of images 60 levels up: two modes in each class.
at::Tensor two_modes(std::int64_t count) {
  return torch::arange(count, torch::kInt).div(2, "floor").remainder(2) * 60;
}

}  // namespace

TEST_CASE("equal counts: as many of each class as the poorest set has") {
  const auto a = striped(20, 1);
  const auto b = striped(30, 2).subset({0, 2, 4, 6, 8, 10, 1, 3});  // 6 plain, 2 striped
  const auto rows = equal_class_rows({&a, &b}, 3);
  REQUIRE(rows.size() == 2);
  for (const auto& of_set : rows) {
    CHECK(of_set[0].size() == 6);
    CHECK(of_set[1].size() == 2);
  }
  for (std::size_t c = 0; c < 2; ++c) {
    CHECK(std::set<std::int64_t>(rows[0][c].begin(), rows[0][c].end()).size() == rows[0][c].size());
    for (const auto i : rows[0][c]) CHECK(a.samples[static_cast<std::size_t>(i)].label == int(c));
    for (const auto i : rows[1][c]) CHECK(b.samples[static_cast<std::size_t>(i)].label == int(c));
  }
  CHECK(joined(rows[1]).size() == 8);
  CHECK(equal_class_rows({&a, &b}, 3) == rows);
  CHECK(equal_class_rows({&a, &b}, 4) != rows);
  auto other = b;
  other.classes = {"plain", "spotted"};
  CHECK_THROWS_WITH(equal_class_rows({&a, &other}, 3), Contains("set 1 has others than set 0"));
  CHECK_THROWS_WITH(equal_class_rows({}, 3), Contains("at least 1 set, got none"));
}

TEST_CASE("distribution: equal distributions are as near as real images are to each other") {
  const auto found = audit(striped(140, 3));
  CHECK(found.feature_width == 12);
  CHECK(found.neighbours == 5);
  CHECK(found.all.n == 120);
  CHECK(found.all.synthetic == 140);
  CHECK(found.all.missing.empty());
  REQUIRE(found.classes.size() == 2);
  for (const auto* of : {&found.all, &found.classes[0], &found.classes[1]}) {
    INFO(of->name);
    REQUIRE(of->synthetic_figures.kid.has_value());
    CHECK(of->synthetic_figures.kid->lo < 0);
    CHECK(of->synthetic_figures.kid->hi > 0);
    CHECK(of->floor.kid->lo < 0);
    CHECK(of->floor.kid->hi > 0);
    CHECK(*of->synthetic_figures.fid == Approx(*of->floor.fid).epsilon(0.5));
    CHECK(of->synthetic_figures.manifold->recall > of->floor.manifold->recall - 0.15);
    CHECK(of->synthetic_figures.manifold->coverage > of->floor.manifold->coverage - 0.15);
    CHECK(of->synthetic_figures.manifold->precision > of->floor.manifold->precision - 0.15);
  }
  CHECK(found.classes[1].name == "striped");
  CHECK(found.classes[1].real_train == 80);
  CHECK(found.classes[1].real_held_out == 60);
  CHECK(found.classes[1].synthetic == 70);
  CHECK(found.classes[1].n == 60);
}

TEST_CASE("distribution: a shift of one class is found in that class") {
  auto synthetic = striped(140, 3);
  const auto is_striped = synthetic.labels.to(torch::kInt);
  synthetic = brighter(synthetic, is_striped * 8);
  const auto found = audit(synthetic);
  CHECK(found.classes[0].synthetic_figures.kid->lo < 0);
  CHECK(found.classes[1].synthetic_figures.kid->lo > found.classes[1].floor.kid->hi);
  CHECK(*found.classes[1].synthetic_figures.fid > 2 * *found.classes[1].floor.fid);
  CHECK(found.all.synthetic_figures.kid->mean > found.all.floor.kid->mean);
}

TEST_CASE("distribution: dropped modes lower recall and coverage, noise lowers precision") {
  const auto real_train = brighter(training, two_modes(160));
  const auto real_held_out = brighter(held_out, two_modes(120));
  const auto judge = [&](const PixelSet& synthetic) {
    return distribution_audit(real_train, real_held_out, as_synthetic(synthetic), quarters).all;
  };
  const auto dropped = judge(striped(160, 3));
  CHECK(dropped.floor.manifold->recall > 0.85);
  CHECK(dropped.synthetic_figures.manifold->recall < 0.6);
  CHECK(dropped.synthetic_figures.manifold->coverage < 0.6);
  CHECK(dropped.synthetic_figures.manifold->precision > dropped.floor.manifold->precision - 0.1);

  auto noisy = brighter(striped(160, 3), two_modes(160));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{7});
  const auto colours = torch::rand({80, 3, 1, 1}, generator) * 255;  // flat, of any colour
  noisy.images.slice(0, 80, 160).copy_(colours.expand({80, 3, 16, 16}).to(torch::kByte));
  const auto found = judge(noisy);
  CHECK(found.synthetic_figures.manifold->precision < 0.7);
  CHECK(found.floor.manifold->precision > 0.85);
}

TEST_CASE("distribution: a class with too few images says so and has no figures") {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < 60; i += 2) rows.push_back(i);  // 30 plain
  for (std::int64_t i = 1; i < 10; i += 2) rows.push_back(i);  // 5 striped
  const auto synthetic = as_synthetic(striped(60, 3).subset(rows));
  const auto found = distribution_audit(training, held_out, synthetic, quarters,
                                        {.minimum_images = 10, .minimum_for_fid = 35});
  CHECK(found.all.n == 35);
  CHECK(found.all.synthetic_figures.fid.has_value());
  CHECK(found.classes[0].n == 30);
  CHECK(found.classes[0].synthetic_figures.kid.has_value());
  CHECK_FALSE(found.classes[0].synthetic_figures.fid.has_value());
  CHECK(found.classes[0].missing ==
        "FID on 12 features needs 35 images a side, 30 are in all three sets");
  CHECK(found.classes[1].missing == "figures need 10 images a side, 5 are in all three sets");
  CHECK_FALSE(found.classes[1].synthetic_figures.kid.has_value());
  CHECK_FALSE(found.classes[1].floor.manifold.has_value());

  const auto json = to_json(found);
  CHECK(json.at("all").at("synthetic").at("kid").at("lo").is_number());
  CHECK(json.at("all").at("missing").is_null());
  CHECK(json.at("classes").at("plain").at("floor").at("coverage").is_number());
  CHECK(json.at("classes").at("plain").at("floor").at("fid").is_null());
  const auto& striped_class = json.at("classes").at("striped");
  CHECK(striped_class.at("images").at("synthetic") == Json(5));
  CHECK(striped_class.at("n") == Json(5));
  CHECK(striped_class.at("synthetic").at("kid").is_null());
  CHECK(striped_class.at("synthetic").at("precision").is_null());
  CHECK(striped_class.at("missing").get<std::string>() == found.classes[1].missing);
}

TEST_CASE("distribution: bad arguments are refused") {
  const auto run = [](const PixelSet& synthetic, const DistributionOptions& options) {
    distribution_audit(training, held_out, synthetic, quarters, options);
  };
  const auto synthetic = as_synthetic(striped(20, 3));
  CHECK_NOTHROW(run(synthetic, {.minimum_images = 6}));
  CHECK_THROWS_WITH(run(synthetic, {.minimum_images = 5}),
                    Contains("minimum_images above neighbours and 3, got 5 with 5 neighbours"));
  CHECK_THROWS_WITH(run(synthetic, {.minimum_images = 3, .neighbours = 2}), Contains("got 3"));
  CHECK_THROWS_WITH(run(held_out, {}),
                    Contains("a synthetic set of synthetic images only, got real image2_0"));
  CHECK_THROWS_WITH(distribution_audit(synthetic, held_out, synthetic, quarters),
                    Contains("a training part of real images only"));
  CHECK_THROWS_WITH(distribution_audit(training, synthetic, synthetic, quarters),
                    Contains("a held-out part of real images only"));
  CHECK_THROWS_WITH(run(synthetic.subset({}), {}),
                    Contains("a class with images in all three sets, got none"));
}
