#include "dermis/diffusion/flux_sampling.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

/// dx/ds = x cos(3 s), whose solution from s = 1 is x(1) exp((sin 3 s - sin 3) / 3).
const Denoiser curved = [](const at::Tensor& x, const at::Tensor& t) {
  return x * (3.0 * t.to(at::kDouble)).cos().view({-1, 1, 1, 1});
};

double error_of(std::int64_t steps, bool heun) {
  const auto x = at::full({1, 1, 2, 2}, 1.0, at::kDouble);
  const FlowMatchEulerOptions options{.steps = steps, .training_steps = 1};
  std::vector<double> start;
  for (auto i = steps; i >= 1; --i)
    start.push_back(static_cast<double>(i) / static_cast<double>(steps));
  const auto end = heun ? FlowMatchHeun(options, start).sample(curved, x)
                        : FlowMatchEuler(options, start).sample(curved, x);
  return std::abs(end.mean().item<double>() - std::exp(-std::sin(3.0) / 3.0));
}

FluxPrompt prompt_of(const FluxOptions& o, std::uint64_t seed) {
  return {randn({1, 3, o.text_dim}, seed), randn({1, o.pooled_dim}, seed + 50)};
}

}  // namespace

TEST_CASE("flux sampling: times are shifted by the number of tokens") {
  const auto middle = [](std::int64_t tokens) {
    return flux_schedule({.steps = 2}, tokens)[1];  // of 0.5
  };
  CHECK(middle(64) == Approx(.614792).epsilon(1e-5));
  CHECK(middle(256) == Approx(.622459).epsilon(1e-5));
  CHECK(middle(1024) == Approx(.652489).epsilon(1e-5));
  CHECK(middle(4096) == Approx(.759511).epsilon(1e-5));
  CHECK(flux_schedule({.steps = 4, .shift = false}, 256) ==
        std::vector<double>{1, .75, .5, .25, 0});
  const auto times = flux_schedule({.steps = 50}, 4096);
  CHECK(times.size() == 51);
  CHECK(times.front() == 1);
  CHECK(times.back() == 0);
  CHECK_THROWS_WITH(flux_schedule({.steps = 0}, 256), Catch::Contains("at least 1 step"));
}

TEST_CASE("heun: the error falls with the square of the step where Euler's falls with the step") {
  const double euler = error_of(16, false) / error_of(32, false);
  const double heun = error_of(16, true) / error_of(32, true);
  CHECK(euler == Approx(2).margin(0.3));
  CHECK(heun == Approx(4).margin(0.8));
  CHECK(error_of(16, true) < 0.2 * error_of(16, false));
  CHECK_THROWS_WITH(FlowMatchHeun({.stochastic = true}), Catch::Contains("no stochastic"));
}

TEST_CASE("flux sampling: a network that knows the way arrives there, whatever the steps") {
  const auto data = randn({2, 4, 4, 6}, 1), noise = randn({2, 4, 4, 6}, 2);
  const FluxNetwork straight = [&](const FluxInput&) { return pack_latents(noise - data); };
  const FluxPrompt prompt{randn({2, 3, 8}), randn({2, 5})};
  for (const bool heun : {false, true})
    CHECK(difference(sample_flux(straight, false, prompt, noise, {.steps = 3, .heun = heun}),
                     data) < 1e-5);
}

TEST_CASE("flux sampling: the network is given positions, time and guidance") {
  const auto noise = randn({2, 4, 4, 6}, 2);
  const FluxPrompt prompt{randn({2, 3, 8}), randn({2, 5})};
  std::vector<FluxInput> seen;
  const FluxNetwork network = [&](const FluxInput& input) {
    seen.push_back(input);
    return at::zeros_like(input.image);
  };
  sample_flux(network, true, prompt, noise, {.steps = 2, .guidance = 2.5});
  REQUIRE(seen.size() == 2);
  CHECK(at::equal(seen[0].image, pack_latents(noise)));
  CHECK(at::equal(seen[0].image_ids, flux_image_ids(4, 6)));
  CHECK(at::equal(seen[0].time, at::ones({2})));
  CHECK(at::equal(seen[0].guidance, at::full({2}, 2.5)));
  seen.clear();
  sample_flux(network, false, prompt, noise, {.steps = 3, .heun = true});
  CHECK(seen.size() == 5);  // the last step is Euler's
  CHECK_FALSE(seen[0].guidance.defined());
}

TEST_CASE("flux sampling: true guidance moves from the negative prompt to the prompt") {
  Flux flux(flux_tiny(), ParameterOptions{.generator = test::generator(5)});
  const auto& o = flux->options;
  const auto noise = randn({1, 4, 4, 4}, 2);
  const auto prompt = prompt_of(o, 1), negative = prompt_of(o, 9);
  const auto once = [&](double scale) {
    return sample_flux(flux, prompt, noise, {.steps = 1, .true_guidance = scale}, negative);
  };
  const auto plain = once(1), other = sample_flux(flux, negative, noise, {.steps = 1});
  CHECK(difference(plain, other) > 1e-3);
  CHECK(difference(once(0), other) < 1e-6);
  CHECK(difference(once(3), other + 3 * (plain - other)) < 1e-5);
  CHECK_THROWS_WITH(sample_flux(flux, prompt, noise, {.true_guidance = 2}),
                    Catch::Contains("negative prompt for a true_guidance of 2"));
}

TEST_CASE("flux sampling: latents with an odd side are refused") {
  Flux flux(flux_tiny());
  CHECK_THROWS_WITH(sample_flux(flux, prompt_of(flux->options, 1), randn({1, 4, 5, 4})),
                    Catch::Contains("even h and w"));
}
