#include "dermis/diffusion/linear_denoiser.hpp"

#include "dermis/diffusion/denoising_loss.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

/// Correlated Gaussian latents [N, 2, 2, 2] of a fixed covariance and mean.
at::Tensor gaussian_latents(std::int64_t count, std::uint64_t seed) {
  const auto mixing = 0.6 * randn({8, 8}, 99);
  return (torch::matmul(randn({count, 8}, seed), mixing) + 1.5).view({count, 2, 2, 2});
}

double mean_loss(const DiffusionProcess& process, const Denoiser& denoiser,
                 const at::Tensor& latents) {
  const auto times = time_grid(process, 8);
  const auto noise = randn({8, latents.size(0), 2, 2, 2}, 5);
  return denoising_loss(process, ignore_labels(denoiser), latents, {}, times, noise)
      .mean()
      .item<double>();
}

}  // namespace

TEST_CASE("linear denoiser: on Gaussian data it reaches the smallest possible error") {
  const auto held_out = gaussian_latents(4000, 2);
  const LinearDenoiser linear(gaussian_latents(20000, 1));
  CHECK(linear.shrinkage() < 0.01);
  for (const auto prediction : {Prediction::Epsilon, Prediction::Velocity, Prediction::Sample}) {
    const DiffusionProcess process(ldm_schedule(), prediction);
    // The error of E[. | x] for Gaussian data with eigenvalues v of the covariance, by algebra.
    const auto mixing = (0.6 * randn({8, 8}, 99)).to(torch::kDouble);
    const auto v = torch::linalg_eigvalsh(torch::matmul(mixing.t(), mixing));
    double smallest = 0;
    const auto times = time_grid(process, 8);
    for (std::int64_t k = 0; k < 8; ++k) {
      const double a2 = process.schedule().alpha_bar(times[k].item<std::int64_t>()), b2 = 1 - a2;
      const auto error = prediction == Prediction::Epsilon    ? a2 * v / (a2 * v + b2)
                         : prediction == Prediction::Velocity ? v / (a2 * v + b2)
                                                              : b2 * v / (a2 * v + b2);
      smallest += error.mean().item<double>() / 8;
    }
    INFO(name(prediction));
    CHECK(mean_loss(process, linear.denoiser(process), held_out) == Approx(smallest).epsilon(0.03));
  }
}

TEST_CASE("linear denoiser: beats ignoring the mean or the covariance") {
  const DiffusionProcess process;
  const auto training = gaussian_latents(2000, 1), held_out = gaussian_latents(1000, 2);
  const double full = mean_loss(process, LinearDenoiser(training).denoiser(process), held_out);
  const double isotropic =
      mean_loss(process, LinearDenoiser(training, 1.0).denoiser(process), held_out);
  const auto silent = [](const at::Tensor& x, const at::Tensor&) { return torch::zeros_like(x); };
  CHECK(full < 0.95 * isotropic);
  CHECK(isotropic < mean_loss(process, silent, held_out));
}

TEST_CASE("linear denoiser: estimated shrinkage helps when latents are few") {
  const DiffusionProcess process;
  const auto few = gaussian_latents(10, 1), held_out = gaussian_latents(1000, 2);
  const LinearDenoiser estimated(few), raw(few, 0.0);
  CHECK(estimated.shrinkage() > 0.05);
  CHECK(estimated.shrinkage() < 1.0);
  CHECK(mean_loss(process, estimated.denoiser(process), held_out) <
        mean_loss(process, raw.denoiser(process), held_out));
}

TEST_CASE("linear denoiser: answers for rectified flow in the network's own time") {
  const RectifiedFlow flow;
  const LinearDenoiser linear(gaussian_latents(20000, 1));
  const auto denoiser = linear.denoiser(flow);
  const auto latents = gaussian_latents(500, 2), noise = randn({500, 2, 2, 2}, 3);
  // Near the noise the best velocity is eps minus the mean of the data, near the data it is the
  // mean of the noise (zero) minus the data.
  const auto near_noise = flow.corrupt(latents, noise, torch::full({500}, 0.9999f));
  CHECK(difference(denoiser(near_noise.x, near_noise.time), noise - 1.5) < 0.15);
  const auto near_data = flow.corrupt(latents, noise, torch::full({500}, 1e-5f));
  CHECK(difference(denoiser(near_data.x, near_data.time), -latents) < 0.05);
}

TEST_CASE("denoising loss: one value per time and latent, whatever the batch size") {
  const DiffusionProcess process;
  const auto latents = gaussian_latents(7, 2);
  const auto times = time_grid(process, 3);
  CHECK(torch::equal(times, torch::tensor({166, 500, 833}, torch::kLong)));
  const auto noise = randn({3, 7, 2, 2, 2}, 4);
  const auto labels = torch::tensor({0, 1, 0, 1, 0, 1, 0}, torch::kLong);
  // Right for label 0, off by one for label 1.
  const ConditionalDenoiser model = [&](const at::Tensor& x, const at::Tensor& t,
                                        const at::Tensor& y) {
    const auto k = (times == t[0]).nonzero().item<std::int64_t>();
    const auto level = process.level(t, x);
    const auto x0 = (x - level.noise * noise[k].slice(0, 0, x.size(0))) / level.signal;
    return (x - level.signal * x0) / level.noise + y.view({-1, 1, 1, 1});
  };
  const auto whole = denoising_loss(process, model, latents, labels, times, noise, 7);
  REQUIRE(whole.sizes() == at::IntArrayRef({3, 7}));
  CHECK(difference(whole, labels.to(torch::kFloat).expand({3, 7})) < 1e-4);
  const auto zero = [](const at::Tensor& x, const at::Tensor&) { return torch::zeros_like(x); };
  const auto single = denoising_loss(process, ignore_labels(zero), latents, {}, times, noise, 2);
  CHECK(difference(single, noise.square().flatten(2).mean(2)) < 1e-5);
  CHECK_FALSE(single.requires_grad());
}

TEST_CASE("denoising loss and linear denoiser: mistakes are named") {
  const DiffusionProcess process;
  const auto latents = gaussian_latents(4, 1);
  const auto times = time_grid(process, 2);
  const auto model = ignore_labels([](const at::Tensor& x, const at::Tensor&) { return x; });
  CHECK(test::message_of([&] {
          denoising_loss(process, model, latents, {}, times, randn({2, 3, 2, 2, 2}));
        }) ==
        "[denoising_loss] expected noise of shape [times, N, C, H, W] for 2 times and 4 latents");
  CHECK_THROWS_AS(denoising_loss(process, model, latents, torch::zeros({3}, torch::kLong), times,
                                 randn({2, 4, 2, 2, 2})),
                  std::invalid_argument);
  CHECK_THROWS_AS(time_grid(process, 0), std::invalid_argument);
  CHECK_THROWS_AS(LinearDenoiser(latents.slice(0, 0, 1)), std::invalid_argument);
  CHECK_THROWS_AS(LinearDenoiser(latents, 1.5), std::invalid_argument);
  const LinearDenoiser linear(latents);
  CHECK_THROWS_AS(
      linear.estimate(process.level(torch::zeros({1}, torch::kLong), latents), randn({1, 2, 3, 3})),
      std::invalid_argument);
}
