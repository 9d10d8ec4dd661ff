#include "dermis/diffusion/ddim.hpp"
#include "dermis/diffusion/ddpm.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

/// Knows the clean sample, whatever it is asked.
Denoiser oracle(const DiffusionProcess& process, const at::Tensor& x0) {
  return [=](const at::Tensor& x, const at::Tensor& t) {
    const auto level = process.level(t, x);
    return process.target(level, {x0, (x - level.signal * x0) / level.noise});
  };
}

/// Anything smooth that depends on x and t.
at::Tensor wavy(const at::Tensor& x, const at::Tensor& t) {
  return 0.3 * torch::sin(t.to(x.scalar_type()) / 100).view({-1, 1, 1, 1}) * x + 0.1;
}

}  // namespace

TEST_CASE("sampler: which steps are visited") {
  using Steps = std::vector<std::int64_t>;
  CHECK(sampling_steps(1000, 4, Spacing::Leading) == Steps{750, 500, 250, 0});
  CHECK(sampling_steps(1000, 4, Spacing::Trailing) == Steps{999, 749, 499, 249});
  CHECK(sampling_steps(1000, 3, Spacing::Trailing) == Steps{999, 666, 332});
  CHECK(sampling_steps(10, 10, Spacing::Trailing) == Steps{9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  // numpy 2.4: linspace(0, 999, 5).round() and arange(1000, 0, -1000 / 48).round() - 1, whose
  // halves go either way.
  CHECK(sampling_steps(1000, 5, Spacing::Linspace) == Steps{999, 749, 500, 250, 0});
  CHECK(sampling_steps(1000, 1, Spacing::Linspace) == Steps{0});
  CHECK(sampling_steps(1000, 4, Spacing::Leading, 1) == Steps{751, 501, 251, 1});
  CHECK_THROWS_WITH(sampling_steps(1000, 1000, Spacing::Leading, 1),
                    Catch::Contains("1000 steps with offset 1 go beyond the last of 1000"));
  const auto ldm = sampling_steps(1000, 20, Spacing::LDM);
  REQUIRE(ldm.size() == 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(ldm[i] == 951 - 50 * static_cast<std::int64_t>(i));
  // The original's traps: more steps than asked for, and an index past the table.
  CHECK(sampling_steps(1000, 15, Spacing::LDM).size() == 16);
  CHECK(sampling_steps(1000, 300, Spacing::LDM).front() == 997);
  CHECK(sampling_steps(1000, 1000, Spacing::LDM).front() == 999);
  for (const auto spacing : {Spacing::Leading, Spacing::Trailing, Spacing::Linspace, Spacing::LDM})
    for (const std::int64_t count : {1, 7, 300, 999, 1000}) {
      const auto steps = sampling_steps(1000, count, spacing);
      CHECK(std::is_sorted(steps.rbegin(), steps.rend()));
      CHECK(std::adjacent_find(steps.begin(), steps.end()) == steps.end());
      CHECK((steps.back() >= 0 && steps.front() < 1000));
      if (spacing != Spacing::LDM) CHECK(static_cast<std::int64_t>(steps.size()) == count);
    }
  CHECK_THROWS_AS(sampling_steps(1000, 0, Spacing::Leading), std::invalid_argument);
  CHECK_THROWS_AS(sampling_steps(1000, 1001, Spacing::Trailing), std::invalid_argument);
  Spacing read{};
  from_name(read, name(Spacing::LDM));
  CHECK(read == Spacing::LDM);
}

TEST_CASE("ddim: LDM's spacing has the published values at S = 20") {
  const DDIM sampler(DiffusionProcess(NoiseSchedule(ldm_schedule())),
                     {.steps = 20, .spacing = Spacing::LDM});
  CHECK(sampler.alpha_bar(19) == Approx(.996994427).epsilon(1e-8));
  CHECK(sampler.alpha_bar(0) == Approx(3.54653921e-4).epsilon(1e-8));
  CHECK(sampler.alpha_bar_after(0) == Approx(8.57844944e-4).epsilon(1e-8));
  CHECK(sampler.alpha_bar_after(19) == Approx(.9985).epsilon(1e-12));
  const DDIM trailing(DiffusionProcess{}, {.steps = 20});
  CHECK(trailing.alpha_bar_after(19) == 1.0);
}

TEST_CASE("samplers: a perfect denoiser gives back the clean sample") {
  const auto x0 = randn({2, 3, 4, 4}).to(torch::kDouble);
  const auto start = randn({2, 3, 4, 4}, 1).to(torch::kDouble);
  for (const auto prediction : {Prediction::Epsilon, Prediction::Velocity, Prediction::Sample})
    for (const auto spacing : {Spacing::Leading, Spacing::Trailing})
      for (const std::int64_t steps : {1, 7, 50}) {
        const DiffusionProcess process(ldm_schedule(), prediction);
        const auto noise = noise_from(test::generator(3));
        for (const double eta : {0.0, 1.0}) {
          const DDIM ddim(process, {.steps = steps, .eta = eta, .spacing = spacing});
          CHECK(difference(ddim.sample(oracle(process, x0), start, noise), x0) < 1e-8);
        }
        const DDPM ddpm(process, {.steps = steps, .spacing = spacing});
        CHECK(difference(ddpm.sample(oracle(process, x0), start, noise), x0) < 1e-8);
      }
}

TEST_CASE("ddim: with LDM spacing the last jump ends at the noise level of step 0") {
  const DiffusionProcess process(ldm_schedule());
  const auto x0 = randn({1, 1, 4, 4}).to(torch::kDouble);
  const auto start = randn({1, 1, 4, 4}, 1).to(torch::kDouble);
  const DDIM sampler(process, {.steps = 20, .spacing = Spacing::LDM});
  const auto level = process.level(torch::tensor({951}, torch::kLong), x0);
  const auto noise = (start - level.signal * x0) / level.noise;
  const auto expected = std::sqrt(0.9985) * x0 + std::sqrt(1 - 0.9985) * noise;
  CHECK(difference(sampler.sample(oracle(process, x0), start), expected) < 1e-8);
}

TEST_CASE("ddim: eta 0 is deterministic and reads no noise; eta 1 follows the noise given") {
  const DiffusionProcess process;
  const auto start = randn({2, 1, 4, 4});
  const DDIM sampler(process, {.steps = 10});
  const auto never = [](std::int64_t, const at::Tensor&) -> at::Tensor {
    throw std::logic_error("noise was read");
  };
  CHECK(torch::equal(sampler.sample(wavy, start, never), sampler.sample(wavy, start)));
  const DDIM random(process, {.steps = 10, .eta = 1.0});
  const auto given = randn({10, 2, 1, 4, 4}, 5);
  const auto out = random.sample(wavy, start, noise_from(given));
  CHECK(torch::equal(random.sample(wavy, start, noise_from(given)), out));
  CHECK(difference(random.sample(wavy, start, noise_from(-given)), out) > 0.01);
  CHECK(torch::equal(random.sample(wavy, start, noise_from(test::generator(2))),
                     random.sample(wavy, start, noise_from(test::generator(2)))));
  CHECK_THROWS_AS(random.sample(wavy, start), std::invalid_argument);
  CHECK_THROWS_AS(random.sample(wavy, start, noise_from(given.slice(0, 0, 9))),
                  std::invalid_argument);
  CHECK_THROWS_AS(DDIM(process, {.eta = 1.5}), std::invalid_argument);
}

TEST_CASE("ddim: eta 1 over neighbouring steps is ancestral sampling") {
  const DiffusionProcess process({.steps = 20, .beta_end = 0.3});
  const auto start = randn({1, 2, 4, 4}).to(torch::kDouble);
  const auto given = randn({20, 1, 2, 4, 4}, 1).to(torch::kDouble);
  const auto ancestral = DDPM(process, {.steps = 20}).sample(wavy, start, noise_from(given));
  const auto implicit =
      DDIM(process, {.steps = 20, .eta = 1.0}).sample(wavy, start, noise_from(given));
  CHECK(difference(ancestral, implicit) < 1e-10);
}

TEST_CASE("ddpm: the posterior is Bayes' rule") {
  // Precision of q(x_{t-1}) given x_0 plus that of the step to x_t.
  for (const auto& [a, previous] : {std::pair{0.3, 0.5}, std::pair{0.9, 0.99}}) {
    const double alpha = a / previous, beta = 1 - alpha;
    const double precision = 1 / (1 - previous) + alpha / beta;
    const auto posterior = Posterior::between(a, previous);
    CHECK(posterior.variance == Approx(1 / precision));
    CHECK(posterior.mean_x0 == Approx(std::sqrt(previous) / (1 - previous) / precision));
    CHECK(posterior.mean_xt == Approx(std::sqrt(alpha) / beta / precision));
  }
  const auto last = Posterior::between(0.9985, 1.0);
  CHECK(last.mean_x0 == 1.0);
  CHECK(last.variance == 0.0);
}

TEST_CASE("ddpm: draws the distribution whose exact denoiser it is given") {
  // Data N(2, 0.5^2), one value: E[eps | x] is linear in x, so the sampler must return that
  // Gaussian.
  const DiffusionProcess process({.steps = 200, .beta_end = 0.1});
  const auto exact = [&](const at::Tensor& x, const at::Tensor& t) {
    const auto level = process.level(t, x);
    const auto variance = 0.25 * level.signal.square() + level.noise.square();
    return level.noise * (x - 2.0 * level.signal) / variance;
  };
  const auto start = randn({20000, 1, 1, 1});
  const auto x = DDPM(process, {.steps = 200}).sample(exact, start, noise_from(test::generator(1)));
  CHECK(x.mean().item<double>() == Approx(2.0).margin(0.02));
  CHECK(x.std().item<double>() == Approx(0.5).epsilon(0.04));
  const auto y = DDIM(process, {.steps = 200}).sample(exact, start);
  CHECK(y.mean().item<double>() == Approx(2.0).margin(0.02));
  CHECK(y.std().item<double>() == Approx(0.5).epsilon(0.04));
}

TEST_CASE("samplers: clip bounds the last step, a large variance widens the others") {
  const DiffusionProcess process;
  const auto start = 3 * randn({1, 1, 4, 4});
  const auto noise = noise_from(test::generator(1));
  const auto clipped = DDPM(process, {.steps = 5, .clip = 0.5}).sample(wavy, start, noise);
  CHECK(clipped.abs().max().item<double>() <= 0.5);
  CHECK(DDIM(process, {.steps = 5, .clip = 0.5}).sample(wavy, start).abs().max().item<double>() <=
        0.5);
  CHECK(DDIM(process, {.steps = 5}).sample(wavy, start).abs().max().item<double>() > 0.5);
  const auto zeros = torch::zeros({1, 1, 4, 4}), ones = torch::ones({1, 1, 4, 4});
  const DDPM small(process, {.steps = 5}),
      large(process, {.steps = 5, .variance = Variance::FixedLarge});
  CHECK(large.step(zeros, 2, zeros, ones).max().item<double>() >
        small.step(zeros, 2, zeros, ones).max().item<double>());
  CHECK_THROWS_AS(small.step(zeros, 2, zeros, {}), std::invalid_argument);
  CHECK_THROWS_AS(small.sample(wavy, start, {}), std::invalid_argument);
}

TEST_CASE("samplers: progress counts every step, may stop the work, and no graph is kept") {
  const DDIM sampler(DiffusionProcess{}, {.steps = 6});
  const auto weight = torch::ones({1}, torch::requires_grad());
  const auto learned = [&](const at::Tensor& x, const at::Tensor& t) {
    return weight * wavy(x, t);
  };
  std::vector<std::int64_t> done;
  const auto out = sampler.sample(learned, randn({1, 1, 4, 4}), {}, [&](const SamplerProgress& p) {
    CHECK(p.total == 6);
    CHECK(p.x.sizes() == at::IntArrayRef({1, 1, 4, 4}));
    done.push_back(p.done);
  });
  CHECK(done == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
  CHECK_FALSE(out.requires_grad());
  const auto stop = [](const SamplerProgress& p) {
    if (p.done == 2) throw Interrupted("stop");
  };
  CHECK_THROWS_AS(sampler.sample(learned, randn({1, 1, 4, 4}), {}, stop), Interrupted);
}

TEST_CASE("ddim: whole strides and the end at step 0, as diffusers takes them") {
  const DiffusionProcess process;
  const auto& schedule = process.schedule();
  // 7 steps of 1000: a stride of 142, while the steps visited are 143 apart.
  const DDIM whole(process, {.steps = 7, .last_alpha_bar_one = false, .whole_stride = true});
  CHECK(whole.timesteps()[1] == 856);
  CHECK(whole.alpha_bar_after(0) == schedule.alpha_bar(857));
  CHECK(whole.alpha_bar_after(6) == schedule.alpha_bar(0));
  const DDIM visited(process, {.steps = 7, .last_alpha_bar_one = false});
  CHECK(visited.alpha_bar_after(0) == schedule.alpha_bar(856));
  CHECK(visited.alpha_bar_after(6) == schedule.alpha_bar(0));
}

TEST_CASE("ddim: noise taken anew from the clipped x0 is consistent with it") {
  const DiffusionProcess process;
  const auto x = 3 * randn({1, 1, 4, 4}).to(torch::kDouble);
  const auto output = randn({1, 1, 4, 4}, 1).to(torch::kDouble);
  const DDIM sampler(process, {.steps = 4, .clip = 0.5, .noise_from_clipped = true});
  const auto seen = sampler.estimate(output, 1, x);
  CHECK(seen.x0.abs().max().item<double>() <= 0.5);
  const double a = sampler.alpha_bar(1);
  CHECK(difference(std::sqrt(a) * seen.x0 + std::sqrt(1 - a) * seen.noise, x) < 1e-12);
  const DDIM plain(process, {.steps = 4, .clip = 0.5});
  CHECK(torch::equal(plain.estimate(output, 1, x).noise, output));
}

TEST_CASE("ddpm: a learned range lies between the fixed variances") {
  const DiffusionProcess process;
  const auto x = randn({1, 2, 4, 4}), output = randn({1, 2, 4, 4}, 1),
             noise = randn({1, 2, 4, 4}, 2);
  const auto step = [&](Variance variance, const at::Tensor& out) {
    return DDPM(process, {.steps = 5, .variance = variance}).step(out, 2, x, noise);
  };
  const auto with = [&](double v) { return at::cat({output, at::full_like(output, v)}, 1); };
  const auto small = step(Variance::FixedSmall, output), large = step(Variance::FixedLarge, output);
  CHECK(difference(step(Variance::LearnedRange, with(-1)), small) < 1e-5);
  CHECK(difference(step(Variance::LearnedRange, with(1)), large) < 1e-5);
  CHECK(difference(step(Variance::Learned, with(0.25)) - step(Variance::Learned, with(0)),
                   0.5 * noise) < 1e-5);
  CHECK_THROWS_WITH(step(Variance::LearnedRange, output),
                    Catch::Contains("expected 4 channels") && Catch::Contains("got 2"));
}

TEST_CASE("ddpm: noise after the last step, unless that is step 0") {
  const DiffusionProcess process;
  const auto adds = [&](Spacing spacing, bool at_last) {
    const DDPM sampler(process, {.steps = 5, .spacing = spacing, .noise_at_last = at_last});
    return sampler.adds_noise(4);
  };
  CHECK(adds(Spacing::Trailing, true));
  CHECK_FALSE(adds(Spacing::Trailing, false));
  CHECK_FALSE(adds(Spacing::Leading, true));
}

TEST_CASE("threshold: each image is clipped at its own quantile and divided by it") {
  const auto x =
      torch::tensor({{-4.0, 0.0, 1.0, 2.0, 3.0}, {0.1, 0.2, 0.3, 0.4, -0.5}}, torch::kDouble);
  // |x| sorted 0 1 2 3 4: the quantile 0.75 is 3, held to at most 2; that of the second image is
  // below 1, where thresholding is clipping to -1..1.
  CHECK(difference(dynamic_threshold(x, 0.75, 10),
                   torch::tensor(
                       {{-1.0, 0.0, 1.0 / 3, 2.0 / 3, 1.0}, {0.1, 0.2, 0.3, 0.4, -0.5}})) < 1e-7);
  CHECK(difference(dynamic_threshold(x, 0.75, 2)[0], torch::tensor({-1.0, 0.0, 0.5, 1.0, 1.0})) <
        1e-12);
  CHECK_THROWS_WITH(dynamic_threshold(x, 1.5, 1), Catch::Contains("ratio in 0..1"));
  const DiffusionProcess process;
  const auto out = DDIM(process, {.steps = 3, .threshold_ratio = 0.9, .threshold_max = 2})
                       .sample(wavy, 5 * randn({1, 1, 4, 4}));
  CHECK(out.abs().max().item<double>() == Approx(1.0).epsilon(1e-5));
}
