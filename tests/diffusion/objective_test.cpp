#include "dermis/diffusion/objective.hpp"

#include "dermis/diffusion/rectified_flow.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

TEST_CASE("objective: clean sample and noise follow exactly from a perfect answer") {
  const auto x0 = randn({4, 2, 3, 3}).to(torch::kDouble);
  const auto noise = randn({4, 2, 3, 3}, 1).to(torch::kDouble);
  const auto t = torch::tensor({0, 100, 500, 999}, torch::kLong);
  for (const auto prediction : {Prediction::Epsilon, Prediction::Velocity, Prediction::Sample}) {
    const DiffusionProcess process(ldm_schedule(), prediction);
    const auto batch = process.corrupt(x0, noise, t);
    const auto found = process.estimate(process.level(t, x0), batch.x, batch.target);
    INFO(name(prediction));
    CHECK(difference(found.x0, x0) < 1e-10);
    CHECK(difference(found.noise, noise) < 1e-10);
    CHECK(torch::equal(batch.time, t));
  }
}

TEST_CASE("objective: velocity is a turn of sample and noise") {
  const DiffusionProcess process(NoiseSchedule(), Prediction::Velocity);
  const auto x0 = randn({3, 1, 4, 4}), noise = randn({3, 1, 4, 4}, 1);
  const auto t = torch::tensor({1, 400, 990}, torch::kLong);
  const auto batch = process.corrupt(x0, noise, t);
  const auto before = x0.square() + noise.square(),
             after = batch.x.square() + batch.target.square();
  CHECK(difference(before, after) < 1e-4);
}

TEST_CASE("objective: min-SNR weights have the published values") {
  const NoiseSchedule schedule(ldm_schedule());
  CHECK(schedule.snr(0) == Approx(665.6667).epsilon(1e-6));
  CHECK(schedule.snr(100) == Approx(4.65346).epsilon(1e-5));
  CHECK(schedule.snr(500) == Approx(0.129843924).epsilon(1e-7));
  const auto t = torch::tensor({0, 100, 500, 999}, torch::kLong);
  const auto weight = [&](Prediction p) {
    return min_snr_weight(DiffusionProcess(schedule, p), t);
  };
  CHECK(difference(weight(Prediction::Epsilon), torch::tensor({.00751127, 1.0, 1.0, 1.0})) < 1e-6);
  CHECK(difference(weight(Prediction::Velocity),
                   torch::tensor({.0075, .823117, .114922, 1.42304e-4})) < 1e-6);
  CHECK(difference(weight(Prediction::Sample),
                   torch::tensor({5.0, 4.65346, .129843924, 1.423242e-4})) < 1e-5);
  CHECK_THROWS_AS(min_snr_weight(DiffusionProcess(schedule), t, 0.0), std::invalid_argument);
}

TEST_CASE("objective: uniform draws become steps, all equally often") {
  const DiffusionProcess process({.steps = 10});
  const auto u = (torch::arange(1000, torch::kDouble) + 0.5) / 1000;
  const auto counts = torch::bincount(process.times(u));
  CHECK(torch::equal(counts, torch::full({10}, 100, torch::kLong)));
  CHECK(process.times(torch::tensor({0.0f, 0.9999999f, 1.0f})).max().item<std::int64_t>() == 9);
}

TEST_CASE("objective: names round-trip") {
  for (const auto p : {Prediction::Epsilon, Prediction::Velocity, Prediction::Sample}) {
    Prediction read{};
    from_name(read, name(p));
    CHECK(read == p);
  }
  CHECK(test::message_of([] { prediction_from_name("v"); }) ==
        "[prediction] expected epsilon, velocity or sample, got v");
}
