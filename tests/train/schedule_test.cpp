#include "dermis/train/schedule.hpp"

#include <catch2/catch.hpp>

using namespace dermis;

TEST_CASE("schedule: MAE's pre-training learning rate") {
  // 800 epochs of 2 steps; golden values of util/lr_sched.py with fractional epochs.
  const LearningRateOptions mae{.learning_rate = 2.4e-3, .warmup_steps = 80, .steps = 1600};
  CHECK(learning_rate(0, mae) == 0);
  CHECK(learning_rate(40, mae) == Approx(0.0012));
  CHECK(learning_rate(80, mae) == Approx(0.0024));
  CHECK(learning_rate(840, mae) == Approx(0.0012));
  CHECK(learning_rate(1599, mae) == Approx(2.56309e-9).epsilon(1e-5));
  CHECK(learning_rate(1600, mae) == 0);
}

TEST_CASE("schedule: MAE's fine-tuning in fractional epochs") {
  // util/lr_sched.py with lr 1e-3, min_lr 1e-6, warmup_epochs 5, epochs 50
  const LearningRateOptions mae{
      .learning_rate = 1e-3, .minimum = 1e-6, .warmup_steps = 5, .steps = 50};
  CHECK(learning_rate(0.37, mae) == Approx(7.4e-5).epsilon(1e-12));
  CHECK(learning_rate(4.999, mae) == Approx(0.0009998).epsilon(1e-12));
  CHECK(learning_rate(17.25, mae) == Approx(0.000828201484981).epsilon(1e-9));
  CHECK(learning_rate(49.5, mae) == Approx(1.30428190396e-06).epsilon(1e-9));
}

TEST_CASE("schedule: the minimum is reached and kept") {
  for (const Decay decay : {Decay::Cosine, Decay::Linear}) {
    const LearningRateOptions options{
        .learning_rate = 1, .minimum = 0.1, .warmup_steps = 0, .steps = 10, .decay = decay};
    CHECK(learning_rate(0, options) == 1);
    CHECK(learning_rate(5, options) == Approx(0.55));
    CHECK(learning_rate(10, options) == 0.1);
    CHECK(learning_rate(1000, options) == 0.1);
  }
}

TEST_CASE("schedule: linear and constant") {
  LearningRateOptions options{
      .learning_rate = 1, .warmup_steps = 10, .steps = 50, .decay = Decay::Linear};
  CHECK(learning_rate(5, options) == Approx(0.5));
  CHECK(learning_rate(20, options) == Approx(0.75));
  options.decay = Decay::Constant;
  CHECK(learning_rate(5, options) == Approx(0.5));
  CHECK(learning_rate(20, options) == 1);
  CHECK(learning_rate(49, options) == 1);
}

TEST_CASE("schedule: a run that is all warm-up, and negative steps") {
  const LearningRateOptions options{.learning_rate = 1, .warmup_steps = 4, .steps = 4};
  CHECK(learning_rate(3, options) == Approx(0.75));
  CHECK(learning_rate(4, options) == 0);
  CHECK_THROWS_AS(learning_rate(-1, options), std::invalid_argument);
  CHECK_THROWS_AS(learning_rate(0, {.warmup_steps = -1}), std::invalid_argument);
}

TEST_CASE("schedule: the libraries' cosines differ at the warm-up and past the end") {
  const LearningRateOptions o{.learning_rate = 1, .minimum = 0.2, .warmup_steps = 4, .steps = 20};
  // transformers: as ours up to the end, then up again.
  for (const int step : {0, 3, 4, 11, 20})
    CHECK(transformers_cosine(step, o) == Approx(learning_rate(step, o)));
  CHECK(transformers_cosine(21, o) == Approx(transformers_cosine(19, o)));
  CHECK(transformers_cosine(21, o) > 0.2);
  // timm: the warm-up covers the beginning of the cosine, or comes before it.
  CHECK(timm_cosine(0, o, 0.1) == Approx(0.1));
  CHECK(timm_cosine(2, o, 0.1) == Approx(0.55));
  CHECK(timm_cosine(10, o, 0.1) == Approx(0.6));
  CHECK(timm_cosine(14, o, 0.1, true) == Approx(0.6));
  CHECK(timm_cosine(20, o, 0.1) == 0.2);
  CHECK(timm_cosine(23, o, 0.1, true) > 0.2);
  CHECK(timm_cosine(24, o, 0.1, true) == 0.2);
  CHECK(cosine_annealing(5, 1, 0.2, 10) == Approx(0.6));
  CHECK_THROWS_AS(cosine_annealing(5, 1, 0.2, 0), std::invalid_argument);
}

TEST_CASE("schedule: one cycle is torch's") {  // torch 2.13, OneCycleLR(max_lr=0.1, total_steps=10)
  const OneCycleOptions o{.learning_rate = 0.1, .steps = 10};
  const double expected[] = {0.004,       0.052,       0.1,         0.095048463, 0.081174565,
                             0.061126202, 0.038874198, 0.018825835, 0.004951937, 4e-7};
  for (int step = 0; step < 10; ++step)
    CHECK(one_cycle(step, o) == Approx(expected[step]).epsilon(1e-6));
  CHECK_THROWS_WITH(one_cycle(10, o), Catch::Contains("a step of 0 to 9, got 10"));
  CHECK_THROWS_WITH(one_cycle(0, {.steps = 3}), Catch::Contains("0.3 of 3 steps"));
  CHECK_THROWS_WITH(one_cycle(0, {.steps = 10, .start_divisor = 0}), Catch::Contains("divisors"));
}
