#include "dermis/diffusion/latent_diffusion_loss.hpp"

#include "support.hpp"

using namespace dermis;

namespace {

// Two steps whose tables are simple: alpha_bar 0.5 and 0.1.
NoiseScheduleOptions two_steps() {
  return {.steps = 2, .betas = Betas::Linear, .beta_start = 0.5, .beta_end = 0.8};
}

}  // namespace

TEST_CASE("latent_diffusion_loss: weights of the bound, the first step as the second") {
  // beta 0.8, alpha 0.2, alpha_bar 0.1 after 0.5: the posterior's variance is 0.8 * 0.5 / 0.9.
  const double epsilon = 0.8 * 0.8 / (2 * (0.8 * 0.5 / 0.9) * 0.2 * 0.9);
  const auto of_epsilon = bound_weights(DiffusionProcess(two_steps(), Prediction::Epsilon));
  CHECK(of_epsilon[0].item<double>() == Approx(epsilon));
  CHECK(of_epsilon[1].item<double>() == Approx(epsilon));
  const auto of_sample = bound_weights(DiffusionProcess(two_steps(), Prediction::Sample));
  CHECK(of_sample[0].item<double>() == Approx(0.5 * std::sqrt(0.1) / 1.9));
  CHECK(of_sample[1].item<double>() == Approx(0.5 * std::sqrt(0.1) / 1.9));
  CHECK(test::message_of([] {
          bound_weights(DiffusionProcess(two_steps(), Prediction::Velocity));
        }) == "[latent_diffusion_loss] expected epsilon or sample prediction, got velocity");
}

TEST_CASE("latent_diffusion_loss: the plain loss is the mean squared error") {
  const DiffusionProcess process(ldm_schedule());
  const auto output = test::randn({2, 1, 2, 2}, 1), target = test::randn({2, 1, 2, 2}, 2);
  const auto t = torch::tensor({5, 900}, torch::kLong);
  const auto loss = latent_diffusion_loss(process, output, target, t);
  CHECK(loss.total.item<double>() == Approx((output - target).square().mean().item<double>()));
  CHECK(loss.simple.item<double>() == loss.total.item<double>());
}

TEST_CASE("latent_diffusion_loss: every term by hand") {
  const DiffusionProcess process(two_steps());
  const auto output = torch::tensor({3.0f, 1.0f}).view({2, 1});
  const auto target = torch::tensor({1.0f, 2.0f}).view({2, 1});
  const auto t = torch::tensor({0, 1}, torch::kLong);
  const double weight = bound_weights(process)[1].item<double>();
  for (const bool absolute : {false, true}) {
    const double error = absolute ? 1.5 : 2.5;  // mean of 2 and 1, of 4 and 1
    const auto loss = latent_diffusion_loss(
        process, output, target, t,
        {.absolute = absolute, .simple_weight = 0.7, .bound_weight = 0.1, .log_variance = 0.3});
    CHECK(loss.simple.item<double>() == Approx(error));
    CHECK(loss.bound.item<double>() == Approx(weight * error));
    CHECK(loss.total.item<double>() ==
          Approx(0.7 * (error / std::exp(0.3) + 0.3) + 0.1 * weight * error));
  }
}

TEST_CASE("latent_diffusion_loss: shapes must agree") {
  const DiffusionProcess process(two_steps());
  CHECK(test::message_of([&] {
          latent_diffusion_loss(process, torch::zeros({2, 1}), torch::zeros({2, 1}),
                                torch::zeros({3}, torch::kLong));
        }) ==
        "[latent_diffusion_loss] expected output and target of one shape and one step an "
        "image, got [2, 1], [2, 1] and [3]");
}
