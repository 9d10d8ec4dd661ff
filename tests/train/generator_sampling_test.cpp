#include "dermis/layers/autocast.hpp"
#include "tiny_generator.hpp"

using namespace dermis;
using namespace dermis::test;

namespace {

at::Tensor drawn(Generator generator, const std::function<void(GeneratorOptions&)>& change,
                 std::vector<int> labels = {0, 1}, std::vector<std::int64_t> indices = {5, 7}) {
  change(generator.options);
  return generator.sample(labels, indices, 9);
}

}  // namespace

TEST_CASE("generator sampling: an image depends on seed, class and number alone") {
  const std::vector<std::function<void(GeneratorOptions&)>> ways = {
      [](auto& o) { o.eta = 1; }, [](auto& o) { o.sampler = SamplingMethod::DPMSolver; },
      [](auto& o) {
        o.objective = Objective::Flow;
        o.sampler = SamplingMethod::Euler;
        o.guidance_interval = {0.2, 0.8};
        o.guidance_rescale = 0.7;
      }};
  const auto generator = random_generator();
  for (const auto& way : ways) {
    const auto both = drawn(generator, way);
    const auto alone = drawn(generator, way, {1}, {7});
    CHECK(byte_difference(both[1], alone[0]) <= 1);  // batch sizes may round differently
    CHECK(byte_difference(drawn(generator, way, {1}, {8}), alone) > 1);
    CHECK(byte_difference(drawn(generator, way, {0}, {7}), alone) > 1);
    CHECK(torch::equal(drawn(generator, way, {1}, {7}), alone));
  }
}

TEST_CASE("generator sampling: all deterministic methods end at one image, the quicker nearer") {
  for (const auto objective : {Objective::Velocity, Objective::Epsilon})
    for (const bool zero_terminal : {false, true}) {
      if (objective == Objective::Epsilon && zero_terminal) continue;
      auto options = tiny_generator_options(1);
      options.objective = objective;
      options.schedule = {.betas = Betas::ScaledLinear,
                          .beta_start = 0.0015,
                          .beta_end = 0.0195,
                          .zero_terminal_snr = zero_terminal};
      const auto generator = random_generator(options);
      const auto with = [&](SamplingMethod method, std::int64_t steps,
                            SigmaSpacing sigmas = SigmaSpacing::Lu) {
        return drawn(generator,
                     [&](auto& o) {
                       o.sampler = method;
                       o.sampling_steps = steps;
                       o.sigmas = sigmas;
                     })
            .to(torch::kFloat);
      };
      const auto limit = with(SamplingMethod::DDIM, 250);
      const auto error = [&](const at::Tensor& images) {
        return (images - limit).abs().mean().item<double>();
      };
      const double ddim = error(with(SamplingMethod::DDIM, 10)),
                   dpm = error(with(SamplingMethod::DPMSolver, 10)),
                   fine = error(with(SamplingMethod::DPMSolver, 60)),
                   karras = error(with(SamplingMethod::DPMSolver, 60, SigmaSpacing::Karras));
      INFO(name(objective) << (zero_terminal ? ", zero terminal SNR" : "") << ": ddim " << ddim
                           << ", dpm_solver " << dpm << ", 60 steps " << fine << ", karras "
                           << karras);
      CHECK(dpm < ddim);
      CHECK(fine < 0.5 * ddim);
      CHECK(karras < 0.5 * ddim);
    }
}

TEST_CASE("generator sampling: every option has its effect") {
  const auto generator = random_generator();
  const auto plain = drawn(generator, [](auto&) {});
  CHECK(byte_difference(drawn(generator, [](auto& o) { o.eta = 1; }), plain) > 1);
  CHECK(byte_difference(drawn(generator, [](auto& o) { o.guidance_rescale = 0.7; }), plain) > 1);
  const auto solved = [&](SigmaSpacing sigmas) {
    return drawn(generator, [&](auto& o) {
      o.sampler = SamplingMethod::DPMSolver;
      o.sigmas = sigmas;
    });
  };
  CHECK(byte_difference(solved(SigmaSpacing::Lu), solved(SigmaSpacing::Steps)) > 1);
  CHECK(byte_difference(solved(SigmaSpacing::Lu), plain) > 1);
  const auto unguided = drawn(generator, [](auto& o) { o.guidance_scale = 1; });
  CHECK(byte_difference(plain, unguided) > 1);
  // The four steps are at 999, 749, 499 and 249 of 1000.
  const auto within = [&](double low, double high) {
    return drawn(generator, [&](auto& o) { o.guidance_interval = {low, high}; });
  };
  CHECK(torch::equal(within(0, 0.2), unguided));
  CHECK(torch::equal(within(0.75, 0.99), unguided));
  CHECK(torch::equal(within(0.2, 1), plain));
  CHECK_FALSE(torch::equal(within(0.5, 1), plain));
  CHECK_FALSE(torch::equal(within(0.5, 1), unguided));
}

TEST_CASE("generator sampling: a flow is drawn by Euler's method at the times of its options") {
  auto options = tiny_generator_options(1);
  options.objective = Objective::Flow;
  const auto generator = random_generator(options);
  const auto plain = drawn(generator, [](auto&) {});
  CHECK(torch::equal(drawn(generator, [](auto& o) { o.sampler = SamplingMethod::Euler; }), plain));
  CHECK(byte_difference(drawn(generator, [](auto& o) { o.flow.shift = 3; }), plain) > 1);
  const auto unguided = drawn(generator, [](auto& o) { o.guidance_scale = 1; });
  // Its four steps are at 1, 0.75, 0.5 and 0.25.
  const auto within = [&](double low, double high) {
    return drawn(generator, [&](auto& o) { o.guidance_interval = {low, high}; });
  };
  CHECK(torch::equal(within(0.8, 0.99), unguided));
  CHECK(torch::equal(within(0.25, 1), plain));
  CHECK_FALSE(torch::equal(within(0.3, 1), plain));
}

TEST_CASE("generator sampling: is in full precision, whatever surrounds it") {
  const auto generator = random_generator();
  const auto plain = drawn(generator, [](auto&) {});
  const Autocast bf16(true);
  CHECK(torch::equal(drawn(generator, [](auto&) {}), plain));
}
