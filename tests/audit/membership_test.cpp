#include "dermis/audit/membership.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "../train/tiny_generator.hpp"
#include "dermis/core/random.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Contains;

namespace {

ImageLosses drawn(std::uint64_t seed, int count, double shift) {
  RandomStream stream(seed, "losses");
  ImageLosses side;
  for (int i = 0; i < count; ++i) side.losses.push_back(stream.normal() + shift);
  side.lesions.resize(side.losses.size());
  return side;
}

}  // namespace

TEST_CASE("membership: AUC and sensitivity at 1 % equal numpy's") {
  ImageLosses members, others;
  for (int i = 0; i < 150; ++i) members.losses.push_back((37 * i % 101) / 101.0 - 0.2);
  for (int i = 0; i < 200; ++i) others.losses.push_back((53 * i % 199) / 199.0);
  members.lesions.resize(150);
  others.lesions.resize(200);
  const auto result = membership_audit(members, others);
  // numpy: all pairs compared, ties one half; the best share over all thresholds
  CHECK(result.member_loss == Approx(0.29207920792079206));
  CHECK(result.other_loss == Approx(0.495));
  CHECK(result.auc.mean == Approx(0.6819333333333333));
  CHECK(result.tpr_at_1_percent.mean == Approx(0.21333333333333335));
  CHECK(result.auc.lo < result.auc.mean);
  CHECK(result.tpr_at_1_percent.hi > result.tpr_at_1_percent.mean);
  CHECK(result.exposed());
  const auto json = to_json(result);
  CHECK(json.at("members").get<int>() == 150);
  CHECK(json.at("auc").at("mean").get<double>() == result.auc.mean);
  CHECK(json.at("exposed").get<bool>());
}

TEST_CASE("membership: equal losses tell nothing, by chance in few sets only") {
  int exposed = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto result = membership_audit(drawn(seed, 80, 0), drawn(seed + 1000, 80, 0),
                                         {.resamples = 200, .seed = seed});
    exposed += result.exposed();
    CHECK(std::isnan(result.tpr_at_1_percent.mean));  // 80 images hold no 1 %
  }
  CHECK(exposed <= 4);  // 1 expected
  CHECK(membership_audit(drawn(1, 80, -1), drawn(2, 80, 0)).exposed());
}

TEST_CASE("membership: views of one lesion are no further evidence") {
  auto members = drawn(3, 10, -0.8), others = drawn(4, 10, 0);
  const auto single = membership_audit(members, others).auc;
  for (auto* side : {&members, &others}) {
    for (std::size_t i = 0; i < 10; ++i) {
      side->lesions[i] = (side == &members ? "member " : "other ") + std::to_string(i);
      for (int view = 0; view < 9; ++view) {
        side->losses.push_back(side->losses[i]);
        side->lesions.push_back(side->lesions[i]);
      }
    }
  }
  const auto many = membership_audit(members, others).auc;
  CHECK(many.mean == Approx(single.mean));
  CHECK(many.hi - many.lo == Approx(single.hi - single.lo).epsilon(1e-9));
}

TEST_CASE("membership: sides that do not fit are refused") {
  const auto good = drawn(1, 5, 0);
  CHECK_THROWS_WITH(membership_audit({}, good),
                    Contains("[membership] expected at least 2 training images and a lesion for "
                             "each, got 0 losses and 0 lesions"));
  auto bad = good;
  bad.lesions.pop_back();
  CHECK_THROWS_WITH(membership_audit(good, bad), Contains("held-out images and a lesion for each, "
                                                          "got 5 losses and 4 lesions"));
  bad = good;
  bad.losses[2] = NAN;
  CHECK_THROWS_WITH(membership_audit(good, bad), Contains("expected finite held-out losses, got"));
}

TEST_CASE(
    "membership: a generator trained for long on few images knows them, an untrained one not") {
  const auto training = striped(12, 1), held_out = striped(60, 2);
  auto options = tiny_generator_options(300);
  options.latent_views = 1;
  options.training.learning_rate = 3e-3;
  const auto autoencoder = random_autoencoder(training);
  const auto trained = train_generator(training, autoencoder, options, quiet());
  const auto found = membership_audit(trained, training, held_out, 5);
  CHECK(found.members == 12);
  CHECK(found.others == 12);  // as many of each class
  CHECK(found.exposed());
  CHECK_FALSE(membership_audit(random_generator(), training, held_out, 5).exposed());
}
