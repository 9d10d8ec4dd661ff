#include "dermis/audit/realness.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "dermis/core/random.hpp"
#include "sets.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

const std::vector<NamedFeatures> both = {{"quarters", quarters}, {"codec", codec_features}};

/// Every image a view of one of 20 lesions of its class.
PixelSet with_views(PixelSet set) {
  for (std::size_t i = 0; i < set.samples.size(); ++i)
    set.samples[i].lesion = "lesion" + std::to_string(i % 40);
  return set;
}

}  // namespace

TEST_CASE("realness: equal distributions are not told apart") {
  const auto audit =
      realness_probe(with_views(striped(160, 1)), as_synthetic(striped(200, 2)), both);
  CHECK(audit.n == std::vector<std::int64_t>{80, 80});
  REQUIRE(audit.probes.size() == 2);
  for (const auto& found : audit.probes) {
    INFO(found.name);
    CHECK(found.auc.lo < 0.5);
    CHECK(found.auc.hi > 0.5);
    CHECK_FALSE(found.tells());
  }
}

TEST_CASE("realness: class does not give away what is synthetic") {
  // All but 30 of the synthetic images are striped; real ones are half and half.
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < 60; i += 2) rows.push_back(i);
  for (std::int64_t i = 1; i < 240; i += 2) rows.push_back(i);
  const auto synthetic = as_synthetic(striped(240, 2).subset(rows));
  const auto audit = realness_probe(striped(160, 1), synthetic, both);
  CHECK(audit.n == std::vector<std::int64_t>{30, 80});
  for (const auto& found : audit.probes) CHECK_FALSE(found.tells());
}

TEST_CASE("realness: what differs is found by the features that see it") {
  // A checkerboard of two levels has no effect on the mean of a quarter.
  const auto place = torch::arange(16, torch::kInt);
  const auto board = (place.unsqueeze(0) + place.unsqueeze(1)).remainder(2) * 16 - 8;
  auto synthetic = as_synthetic(striped(160, 2));
  synthetic.images = (synthetic.images.to(torch::kInt) + board).clamp(0, 255).to(torch::kByte);
  const auto audit = realness_probe(with_views(striped(160, 1)), synthetic, both);
  CHECK_FALSE(audit.probes[0].tells());
  CHECK(audit.probes[1].tells());
  CHECK(audit.probes[1].auc.mean > 0.75);
  REQUIRE(audit.probes[1].class_auc.size() == 2);
  CHECK(audit.probes[1].auc.mean ==
        Approx((audit.probes[1].class_auc[0] + audit.probes[1].class_auc[1]) / 2));

  const auto json = to_json(audit);
  CHECK(json.at("told_by") == Json::array({"codec"}));
  CHECK(json.at("probes").at("codec").at("tells").get<bool>());
  CHECK(json.at("probes").at("quarters").at("auc").at("lo").is_number());
  CHECK(json.at("images_a_side").at("plain") == Json(80));
}

TEST_CASE("realness: views of a lesion do not vouch for each other across folds") {
  // The first two values of an image number what it shows: one of 20 lesions in 8 views each, or
  // a synthetic image of its own. Features are noise, the same for all views.
  auto real = striped(160, 1);
  auto synthetic = as_synthetic(striped(160, 2));
  for (std::int64_t i = 0; i < 160; ++i) {
    real.samples[static_cast<std::size_t>(i)].lesion = text("lesion", i % 20);
    real.images[i][0][0][0] = i % 20;
    real.images[i][0][0][1] = 0;
    synthetic.images[i][0][0][0] = i;
    synthetic.images[i][0][0][1] = 1;
  }
  const auto noise = [](const at::Tensor& images) {
    Eigen::MatrixXd x(images.size(0), 40);
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      const auto number = images[i][0][0];
      RandomStream stream(1, "noise", number[1].item<std::uint8_t>(),
                          number[0].item<std::uint8_t>());
      for (Eigen::Index d = 0; d < 40; ++d) x(i, d) = stream.normal();
    }
    return x;
  };
  CHECK_FALSE(realness_probe(real, synthetic, {{"noise", noise}}).probes[0].tells());
  for (auto& sample : real.samples) sample.lesion.clear();  // now views of one are in all folds
  CHECK(realness_probe(real, synthetic, {{"noise", noise}}).probes[0].tells());
}

TEST_CASE("realness: classes that are too small are left out, and none is an error") {
  const auto real = striped(100, 1);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < 60; i += 2) rows.push_back(i);
  for (std::int64_t i = 1; i < 20; i += 2) rows.push_back(i);
  const auto synthetic = as_synthetic(striped(100, 2).subset(rows));
  const auto audit = realness_probe(real, synthetic, both);
  CHECK(audit.n == std::vector<std::int64_t>{30, 0});
  CHECK(std::isnan(audit.probes[0].class_auc[1]));
  CHECK(audit.probes[0].auc.mean == audit.probes[0].class_auc[0]);
  CHECK(to_json(audit).at("probes").at("codec").at("auc_by_class").at("striped").dump() == "null");

  auto few_lesions = real;
  for (auto& sample : few_lesions.samples)
    sample.lesion = text("lesion", sample.label, sample.id.size() % 2);
  CHECK_THROWS_WITH(realness_probe(few_lesions, as_synthetic(striped(100, 2)), both),
                    "[realness] expected a class with at least 20 images and 5 lesions on either "
                    "side, got none");
}

TEST_CASE("realness: bad arguments are refused") {
  const auto real = striped(60, 1), synthetic = as_synthetic(striped(60, 2));
  CHECK_THROWS_WITH(realness_probe(real, synthetic, both, {.folds = 1}),
                    Contains("at least 2 folds and as many images, got 1 and 20"));
  CHECK_THROWS_WITH(realness_probe(real, synthetic, {}),
                    "[realness] expected features to probe, got none");
  CHECK_THROWS_WITH(realness_probe(real, real, both),
                    Contains("a synthetic side of synthetic images only, got real image1_0"));
  CHECK_THROWS_WITH(realness_probe(synthetic, synthetic, both), Contains("a real side of real"));
}
