#include "dermis/diffusion/flow_match_euler.hpp"
#include "dermis/diffusion/flow_training.hpp"
#include "dermis/diffusion/original_flow.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

TEST_CASE("flow match euler: diffusers' times") {
  // diffusers 0.42.1, FlowMatchEulerDiscreteScheduler(shift=3), 7 steps.
  const FlowMatchEuler shifted({.steps = 7, .shift = 3});
  const std::vector<double> expected = {1000,     937.71045, 857.6923, 751.1211,
                                        602.1506, 379.1946,  8.928572};
  REQUIRE(shifted.times().size() == 7);
  for (std::size_t i = 0; i < 7; ++i)
    CHECK(shifted.times()[i] == Approx(expected[i]).epsilon(1e-6));
  CHECK(shifted.sigmas().back() == 0.0);
  const FlowMatchEulerOptions options;
  CHECK(dynamic_mu(options, 256) == 0.5);
  CHECK(dynamic_mu(options, 4096) == Approx(1.15));
  CHECK(dynamic_mu(options, 1024) == Approx(0.63));
  // An exponential shift by mu is a static one by e^mu.
  const FlowMatchEuler dynamic({.steps = 3, .dynamic_shifting = true, .mu = std::log(3.0)},
                               {1.0, 0.5, 0.25});
  const FlowMatchEuler fixed({.steps = 3, .shift = 3}, {1.0, 0.5, 0.25});
  const FlowMatchEuler linear(
      {.steps = 3, .dynamic_shifting = true, .mu = 3, .time_shift = TimeShift::Linear},
      {1.0, 0.5, 0.25});
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(dynamic.sigmas()[i] == Approx(fixed.sigmas()[i]));
    CHECK(linear.sigmas()[i] == Approx(fixed.sigmas()[i]));
  }
  const FlowMatchEuler stretched({.steps = 5, .shift = 3, .shift_terminal = 0.1});
  CHECK(stretched.sigmas()[4] == Approx(0.1));
  const FlowMatchEuler inverted({.steps = 7, .shift = 3, .inverted = true});
  CHECK(inverted.sigmas()[1] == Approx(1 - shifted.sigmas()[1]));
  CHECK(inverted.sigmas().back() == 1.0);
  CHECK(training_sigmas({.shift = 3})[10] == Approx(0.9966443));
}

TEST_CASE("flow match euler: a straight flow is followed exactly, also with noise drawn anew") {
  const auto x0 = randn({2, 1, 4, 4}), start = randn({2, 1, 4, 4}, 1);
  const auto straight = [&](const at::Tensor&, const at::Tensor&) { return start - x0; };
  CHECK(difference(FlowMatchEuler({.steps = 1}).sample(straight, start), x0) < 1e-6);
  CHECK(difference(FlowMatchEuler({.steps = 9, .shift = 3}).sample(straight, start), x0) < 1e-5);
  const auto oracle = [&](const at::Tensor& x, const at::Tensor& t) {
    return (x - x0) / (t / 1000).view({-1, 1, 1, 1});
  };
  const FlowMatchEuler stochastic({.steps = 5, .stochastic = true});
  CHECK(difference(stochastic.sample(oracle, start, noise_from(test::generator(1))), x0) < 1e-5);
  CHECK_THROWS_WITH(stochastic.sample(oracle, start), Catch::Contains("source of noise"));
}

TEST_CASE("flow match euler: mistakes are named") {
  const auto message = [](const FlowMatchEulerOptions& options, std::vector<double> start = {}) {
    return test::message_of([&] { FlowMatchEuler(options, start); });
  };
  CHECK_THAT(message({.shift = 0}), Catch::Contains("positive steps, training_steps and shift"));
  CHECK_THAT(message({.dynamic_shifting = true, .time_shift = TimeShift::Linear}),
             Catch::Contains("positive mu for a linear time shift, got 0"));
  CHECK_THAT(message({.sigmas = SigmaSpacing::Lu}), Catch::Contains("got lu"));
  CHECK_THAT(message({.shift_terminal = 1}), Catch::Contains("shift_terminal in 0..1, got 1"));
  CHECK_THAT(message({.steps = 2}, {1.0}), Catch::Contains("expected 2 times, got 1"));
  CHECK_THAT(message({.steps = 2}, {1.0, 0.0}), Catch::Contains("times in 0..1, got 0"));
  TimeShift read{};
  from_name(read, "linear");
  CHECK(read == TimeShift::Linear);
  CHECK_THROWS_WITH(from_name(read, "cubic"), Catch::Contains("got cubic"));
}

TEST_CASE("flow training: weights, densities and shifts in closed form") {
  const auto s = (torch::arange(10000, torch::kDouble) + 0.5) / 10000;
  CHECK(flow_weight(FlowWeighting::None, s).mean().item<double>() == 1.0);
  // 2 / pi arctan(2 s - 1) is an antiderivative: the weights average to 1.
  CHECK(flow_weight(FlowWeighting::CosMap, s).mean().item<double>() == Approx(1.0).epsilon(1e-6));
  CHECK(flow_weight(FlowWeighting::SigmaSqrt, torch::tensor({0.5}))[0].item<double>() == 4.0);
  CHECK(shifted_times(torch::tensor({0.5}), 3)[0].item<double>() == 0.75);
  CHECK_THROWS_WITH(shifted_times(s, 0), Catch::Contains("positive shift"));
  const auto mode = RectifiedFlow({.density = TimeDensity::Mode}).times(s);
  CHECK(mode.min().item<double>() >= 0.0);
  CHECK(mode.max().item<double>() <= 1.0);
  CHECK((mode.diff() < 0).all().item<bool>());
  const auto flat = RectifiedFlow({.density = TimeDensity::Mode, .mode_scale = 0}).times(s);
  CHECK(difference(flat, 1.0 - s) < 1e-7);
  const auto x = randn({2, 1, 2, 2}), v = randn({2, 1, 2, 2}, 1);
  const auto t = torch::tensor({0.25, 0.75});
  CHECK(torch::equal(flow_output(FlowPrediction::Raw, v, x, t), v));
  CHECK(torch::equal(flow_output(FlowPrediction::Additive, v, x, t), v + x));
  CHECK(difference(flow_output(FlowPrediction::SigmaScaled, v, x, t),
                   RectifiedFlow().estimate(RectifiedFlow().level(t, x), x, v).x0) < 1e-6);
  FlowWeighting weighting{};
  CHECK_THROWS_WITH(from_name(weighting, "sqrt"), Catch::Contains("cosmap, got sqrt"));
  FlowPrediction prediction{};
  from_name(prediction, "additive");
  CHECK(prediction == FlowPrediction::Additive);
  CHECK_THROWS_WITH(from_name(prediction, "x0"), Catch::Contains("sigma_scaled, got x0"));
}

TEST_CASE("original flow: runs the other way, with the opposite sign") {
  const OriginalFlow original;
  const RectifiedFlow flux;
  const auto x0 = randn({3, 1, 4, 4}), noise = randn({3, 1, 4, 4}, 1);
  const auto t = original.times(torch::tensor({0.0, 0.4, 1.0}));
  CHECK(difference(t, torch::tensor({0.001, 0.4006, 1.0})) < 1e-6);
  const auto there = original.corrupt(x0, noise, t), here = flux.corrupt(x0, noise, 1 - t);
  CHECK(difference(there.x, here.x) < 1e-6);
  CHECK(torch::equal(there.target, -here.target));
  CHECK(difference(there.time, 999 * t) < 1e-4);
  CHECK(difference(original.from_model_time(there.time), t) < 1e-6);
  const auto seen = original.estimate(original.level(t, x0), there.x, there.target);
  CHECK(difference(seen.x0, x0) < 1e-5);
  CHECK(difference(seen.noise, noise) < 1e-5);
  CHECK(difference(original.student_times(torch::tensor({0, 3}, torch::kLong), 4),
                   torch::tensor({0.001, 0.75025})) < 1e-6);
  CHECK_THROWS_WITH(original.student_times(torch::tensor({4}, torch::kLong), 4),
                    Catch::Contains("steps in 0..3"));
}

TEST_CASE("original flow: samples and losses") {
  const OriginalFlow flow;
  const auto x0 = randn({2, 1, 4, 4}), noise = randn({2, 1, 4, 4}, 1);
  const auto straight = [&](const at::Tensor&, const at::Tensor&) { return x0 - noise; };
  CHECK(difference(flow.sample(straight, noise, 1), x0) < 1e-6);
  CHECK(difference(flow.sample(straight, noise, 10), x0) < 1e-5);
  CHECK(flow.sampling_times(4)[1] == Approx(0.25 * 0.999 + 0.001));
  const auto output = randn({2, 1, 4, 4}, 2);
  CHECK(flow_loss(output, x0, true).item<double>() ==
        Approx(0.5 * 16 * flow_loss(output, x0).item<double>()));
  const OriginalFlow stochastic({.sigma = 0.5});
  const auto given = randn({4, 2, 1, 4, 4}, 3);
  const auto out = stochastic.sample(straight, noise, 4, noise_from(given));
  CHECK(difference(out, stochastic.sample(straight, noise, 4, noise_from(-given))) > 0.01);
  CHECK_THROWS_WITH(stochastic.sample(straight, noise, 4), Catch::Contains("source of noise"));
  CHECK_THROWS_WITH(flow.sample(straight, noise, 0), Catch::Contains("at least 1 step"));
  CHECK_THROWS_WITH(OriginalFlow({.first_time = 0}), Catch::Contains("first_time in 0..1"));
  CHECK_THROWS_WITH(OriginalFlow({.sigma = -1}), Catch::Contains("sigma of at least 0"));
}
