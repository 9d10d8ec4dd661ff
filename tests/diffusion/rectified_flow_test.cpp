#include "dermis/diffusion/rectified_flow.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

TEST_CASE("rectified flow: a straight flow is integrated exactly in one Euler step") {
  const auto x0 = randn({2, 3, 4, 4}).to(torch::kDouble);
  const auto noise = randn({2, 3, 4, 4}, 1).to(torch::kDouble);
  const auto straight = [&](const at::Tensor&, const at::Tensor&) { return noise - x0; };
  for (const double shift : {1.0, 3.0}) {
    const RectifiedFlow flow({.shift = shift});
    for (const std::int64_t steps : {1, 2, 25})
      CHECK(difference(flow.sample(straight, noise, steps), x0) < 1e-12);
  }
}

TEST_CASE("rectified flow: time 0 is data, time 1 is noise, and both follow from the velocity") {
  const RectifiedFlow flow;
  const auto x0 = randn({3, 1, 4, 4}), noise = randn({3, 1, 4, 4}, 1);
  const auto s = torch::tensor({0.0f, 0.25f, 1.0f});
  const auto batch = flow.corrupt(x0, noise, s);
  CHECK(torch::equal(batch.x[0], x0[0]));
  CHECK(torch::equal(batch.x[2], noise[2]));
  CHECK(difference(batch.x[1], 0.75 * x0[1] + 0.25 * noise[1]) < 1e-6);
  CHECK(torch::equal(batch.target, noise - x0));
  CHECK(difference(batch.time, torch::tensor({0.0f, 250.0f, 1000.0f})) == 0.0);
  CHECK(difference(flow.from_model_time(batch.time), s) < 1e-7);
  const auto found = flow.estimate(flow.level(s, x0), batch.x, batch.target);
  CHECK(difference(found.x0, x0) < 1e-6);
  CHECK(difference(found.noise, noise) < 1e-6);
}

TEST_CASE("rectified flow: sampling times and their shift") {
  CHECK(RectifiedFlow().sampling_times(4) == std::vector<double>{1, 0.75, 0.5, 0.25, 0});
  const RectifiedFlow shifted({.shift = std::exp(0.63)});  // Flux at 512 px
  const auto times = shifted.sampling_times(2);
  CHECK(times.front() == 1.0);
  CHECK(times[1] == Approx(.652489).epsilon(1e-5));
  CHECK(times.back() == 0.0);
  std::vector<double> seen;
  const auto record = [&](const at::Tensor& x, const at::Tensor& t) {
    seen.push_back(t[0].item<double>());
    return torch::zeros_like(x);
  };
  std::int64_t steps = 0;
  RectifiedFlow().sample(record, randn({1, 1, 2, 2}), 4, [&](const auto& p) { steps = p.done; });
  CHECK(seen == std::vector<double>{1000, 750, 500, 250});
  CHECK(steps == 4);
}

TEST_CASE("rectified flow: times have the density asked for") {
  const auto u = (torch::arange(20000, torch::kDouble) + 0.5) / 20000;
  const auto uniform = RectifiedFlow({.density = TimeDensity::Uniform}).times(u);
  CHECK(difference(uniform, u) < 1e-6);
  const RectifiedFlow flow({.logit_mean = 0.5, .logit_std = 0.8});
  const auto logits = torch::logit(flow.times(u).to(torch::kDouble));
  CHECK(logits.mean().item<double>() == Approx(0.5).margin(1e-3));
  CHECK(logits.std().item<double>() == Approx(0.8).epsilon(1e-3));
  const auto ends = flow.times(torch::tensor({0.0, 1.0}, torch::kDouble));
  CHECK(difference(ends, torch::tensor({0.0f, 1.0f})) == 0.0);
}

TEST_CASE("rectified flow: more steps come closer to the exact flow of a Gaussian") {
  // Data N(2, 0.5^2): the exact velocity is linear, and the flow carries N(0, 1) to the data.
  const RectifiedFlow flow;
  const auto exact = [](const at::Tensor& x, const at::Tensor& t) {
    const double s = t[0].item<double>() / 1000, a = 1 - s;
    const double variance = 0.25 * a * a + s * s;
    return (s - 0.25 * a) / variance * (x - 2 * a) - 2.0;
  };
  const auto start = randn({20000, 1, 1, 1});
  const auto wanted = 2.0 + 0.5 * start;
  const double coarse = difference(flow.sample(exact, start, 5), wanted);
  const double fine = difference(flow.sample(exact, start, 100), wanted);
  CHECK(fine < 0.1);
  CHECK(fine < 0.3 * coarse);
}

TEST_CASE("rectified flow: mistakes are named") {
  CHECK_THROWS_AS(RectifiedFlow({.shift = 0}), std::invalid_argument);
  CHECK_THROWS_AS(RectifiedFlow().sampling_times(0), std::invalid_argument);
  CHECK_THROWS_AS(RectifiedFlow().level(torch::zeros({2}, torch::kLong), randn({2, 1, 2, 2})),
                  std::invalid_argument);
  TimeDensity read{};
  from_name(read, name(TimeDensity::LogitNormal));
  CHECK(read == TimeDensity::LogitNormal);
  CHECK(test::message_of([] { time_density_from_name("cubic"); }) ==
        "[time_density] expected uniform, logit_normal or mode, got cubic");
}
