#include "dermis/diffusion/noise_schedule.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::randn;

TEST_CASE("noise schedule: published values") {
  const NoiseSchedule ldm(ldm_schedule());
  CHECK(ldm.beta(1) == Approx(0.0015078346820).epsilon(1e-9));
  CHECK(ldm.alpha_bar(0) == Approx(0.9985).epsilon(1e-12));
  CHECK(ldm.alpha_bar(499) == Approx(0.1158444908).epsilon(1e-8));
  CHECK(ldm.alpha_bar(999) == Approx(1.42303975e-4).epsilon(1e-8));
  const NoiseSchedule sd(stable_diffusion_schedule());
  CHECK(sd.alpha_bar(0) == Approx(0.99915).epsilon(1e-12));
  CHECK(sd.alpha_bar(499) == Approx(0.2776696505).epsilon(1e-8));
  CHECK(sd.alpha_bar(999) == Approx(0.00466009851).epsilon(1e-8));
  const NoiseSchedule ddpm(ddpm_schedule());
  CHECK(ddpm.alpha_bar(499) == Approx(0.0785872429).epsilon(1e-8));
  CHECK(ddpm.alpha_bar(999) == Approx(4.03582977e-5).epsilon(1e-8));
  const NoiseSchedule cosine(cosine_schedule());
  CHECK(cosine.beta(0) == Approx(4.12842248e-5).epsilon(1e-8));
  CHECK(cosine.beta(499) == Approx(0.00314588623).epsilon(1e-8));
  CHECK(cosine.beta(998) == Approx(0.75).epsilon(1e-6));
  CHECK(cosine.beta(999) == 0.999);
  CHECK(cosine.alpha_bar(499) == Approx(0.49384359).epsilon(1e-7));
}

TEST_CASE("noise schedule: alpha_bar falls from 1 and beta stays in 0..1, whatever T") {
  for (const std::int64_t steps : {2, 10, 1000})
    for (const auto betas : {Betas::Linear, Betas::ScaledLinear, Betas::Cosine}) {
      const NoiseSchedule schedule({.steps = steps, .betas = betas});
      CHECK(schedule.alpha_bar(-1) == 1.0);
      for (std::int64_t t = 0; t < steps; ++t) {
        REQUIRE(schedule.beta(t) > 0);
        REQUIRE(schedule.beta(t) < 1);
        REQUIRE(schedule.alpha_bar(t) < schedule.alpha_bar(t - 1));
      }
    }
}

TEST_CASE("noise schedule: x_t has the variance that the schedule promises") {
  const NoiseSchedule schedule(ldm_schedule());
  const auto x0 = 3.0 * torch::ones({4, 1, 100, 100});
  const auto t = torch::tensor({0, 250, 499, 999}, torch::kLong);
  const auto x = schedule.add_noise(x0, randn({4, 1, 100, 100}), t);
  for (std::int64_t i = 0; i < 4; ++i) {
    const double a = schedule.alpha_bar(t[i].item<std::int64_t>());
    CHECK(x[i].mean().item<double>() ==
          Approx(3.0 * std::sqrt(a)).margin(4 * std::sqrt(1 - a) / 100));
    CHECK(x[i].var().item<double>() == Approx(1 - a).epsilon(0.06));
  }
  // Every sample gets its own step, in any rank.
  const auto flat = schedule.add_noise(x0.flatten(1), randn({4, 10000}), t);
  CHECK(test::difference(flat.view(x.sizes()), x) == 0.0);
}

TEST_CASE("noise schedule: names round-trip, mistakes are named") {
  for (const auto betas : {Betas::Linear, Betas::ScaledLinear, Betas::Cosine}) {
    Betas read{};
    from_name(read, name(betas));
    CHECK(read == betas);
  }
  CHECK(test::message_of([] { betas_from_name("sqrt_linear"); }) ==
        "[betas] expected linear, scaled_linear or cosine, got sqrt_linear");
  CHECK_THROWS_AS(NoiseSchedule({.steps = 1}), std::invalid_argument);
  CHECK_THROWS_AS(NoiseSchedule({.beta_start = 0.5, .beta_end = 0.1}), std::invalid_argument);
  const NoiseSchedule schedule;
  CHECK(test::message_of([&] {
          schedule.alpha_bars(torch::tensor({0, 1000}, torch::kLong));
        }) == "[schedule] expected steps in 0..999, got 0..1000");
  CHECK_THROWS_AS(schedule.alpha_bars(torch::tensor({0.5f})), std::invalid_argument);
}

TEST_CASE("noise schedule: without terminal signal the last step is pure noise") {
  for (const auto betas : {Betas::Linear, Betas::ScaledLinear, Betas::Cosine}) {
    const NoiseSchedule plain({.betas = betas});
    const NoiseSchedule schedule({.betas = betas, .zero_terminal_snr = true});
    CHECK(schedule.alpha_bar(999) == 0.0);
    CHECK(schedule.beta(999) == 1.0);
    CHECK(schedule.alpha_bar(0) == Approx(plain.alpha_bar(0)).epsilon(1e-12));
    // sqrt(alpha_bar) is shifted and scaled: differences keep their ratio.
    const auto root = [](const NoiseSchedule& s, std::int64_t t) {
      return std::sqrt(s.alpha_bar(t));
    };
    const double scale = root(plain, 0) / (root(plain, 0) - root(plain, 999));
    CHECK(root(schedule, 400) - root(schedule, 700) ==
          Approx(scale * (root(plain, 400) - root(plain, 700))).epsilon(1e-9));
  }
}

TEST_CASE("noise schedule: single precision has diffusers' numbers") {
  // diffusers 0.42.1, DDPMScheduler(), alphas_cumprod[0] and snr there; exactly it would be 9999.
  const NoiseSchedule schedule({.single_precision = true});
  CHECK(schedule.snr(0) == Approx(9997.3408).epsilon(1e-7));
  CHECK(schedule.beta(0) == static_cast<double>(1e-4f));
  CHECK(NoiseSchedule().snr(0) == Approx(9999.0).epsilon(1e-9));
}
