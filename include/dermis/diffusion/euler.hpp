#pragma once
/// \file
/// Euler's method for the probability flow (Karras et al., arXiv 2206.00364, algorithm 2 without
/// its second-order step).

#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/sampler.hpp"
#include "dermis/diffusion/sigma_schedule.hpp"

namespace dermis {

/// Options of Euler.
struct EulerOptions {
  std::int64_t steps = 50;  ///< network evaluations
  Spacing spacing = Spacing::Linspace;
  std::int64_t steps_offset = 0;  ///< added to the steps of Leading spacing
  SigmaSpacing sigmas = SigmaSpacing::Steps;
  double sigma_min = 0;  ///< ends of Karras and Exponential; 0: those of the steps
  double sigma_max = 0;
  bool continuous_time = false;  ///< the network is given log(sigma) / 4 instead of a step
  bool last_sigma_zero = true;   ///< the last step removes all noise; false: leaves that of step 0
  double churn = 0;  ///< fresh noise: after the network has answered, a step starts at sigma (1 +
                     ///< min(churn / steps, sqrt(2) - 1))
  double churn_min = 0;  ///< sigmas with fresh noise
  double churn_max = 1e9;
  double churn_noise = 1;  ///< standard deviation of the fresh noise
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, EulerOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("spacing", o.spacing);
  visit("steps_offset", o.steps_offset);
  visit("sigmas", o.sigmas);
  visit("sigma_min", o.sigma_min);
  visit("sigma_max", o.sigma_max);
  visit("continuous_time", o.continuous_time);
  visit("last_sigma_zero", o.last_sigma_zero);
  visit("churn", o.churn);
  visit("churn_min", o.churn_min);
  visit("churn_max", o.churn_max);
  visit("churn_noise", o.churn_noise);
}

/// Walks y = x0 + sigma eps from the largest sigma down: y += (sigma' - sigma) (y - x0) / sigma.
/// The network sees y / sqrt(sigma^2 + 1), which is x_t.
///
///     Euler sampler(process, {.steps = 30, .sigmas = SigmaSpacing::Karras});
///     auto latents = sampler.sample(guided(denoiser, labels, 8, 2.0), noise);
class Euler {
 public:
  explicit Euler(DiffusionProcess process, const EulerOptions& options = {})
      : process_(std::move(process)), options_(options) {
    const auto& o = options_;
    check_argument(
        o.spacing != Spacing::LDM && o.sigmas != SigmaSpacing::Lu,
        "[euler] expected spacing leading, trailing or linspace and sigmas steps, karras "
        "or exponential, got ",
        name(o.spacing), " and ", name(o.sigmas));
    check_argument(o.churn >= 0 && o.churn_noise >= 0,
                   "[euler] expected a churn of at least 0, got ", o.churn, " and noise ",
                   o.churn_noise);
    const SigmaTable table(process_.schedule());
    const auto T = process_.schedule().steps();
    const auto steps = sampling_steps(T, o.steps, o.spacing, o.steps_offset);
    times_.assign(steps.begin(), steps.end());
    if (o.spacing == Spacing::Linspace) {  // steps between two are visited as they are
      times_ = evenly_spaced(0, static_cast<double>(T - 1), o.steps);
      std::reverse(times_.begin(), times_.end());
      for (auto& time : times_) time = table.rounded(time);
    }
    for (const double time : times_) sigmas_.push_back(table.sigma_at(time));
    if (o.sigmas != SigmaSpacing::Steps) {
      sigmas_ = spaced_sigmas(o.sigmas, o.sigma_max > 0 ? o.sigma_max : sigmas_.front(),
                              o.sigma_min > 0 ? o.sigma_min : sigmas_.back(), o.steps);
      for (std::size_t i = 0; i < sigmas_.size(); ++i) times_[i] = table.step_of(sigmas_[i]);
    }
    for (auto& sigma : sigmas_) sigma = table.rounded(sigma);
    if (o.continuous_time)
      for (std::size_t i = 0; i < sigmas_.size(); ++i) times_[i] = 0.25 * std::log(sigmas_[i]);
    sigmas_.push_back(o.last_sigma_zero ? 0.0 : table.sigmas().front());
  }

  /// What the network is given as time, in the order of sampling.
  const std::vector<double>& times() const { return times_; }
  /// Noise levels before the first and after every step.
  const std::vector<double>& sigmas() const { return sigmas_; }
  /// Standard deviation of the first y, of which the noise of N(0, 1) given to sample() is a unit.
  double initial_sigma() const {
    const double sigma = *std::max_element(sigmas_.begin(), sigmas_.end());
    return options_.spacing == Spacing::Leading ? std::sqrt(sigma * sigma + 1.0) : sigma;
  }

  /// From noise x [B, C, H, W] of N(0, 1) to samples. `noise` is needed only if churn > 0; the
  /// callback sees y as x. Runs without gradients.
  at::Tensor sample(const Denoiser& denoiser, const at::Tensor& x, const NoiseSource& noise = {},
                    const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    check_argument(options_.churn == 0 || noise, "[euler] expected a source of noise with churn ",
                   options_.churn);
    auto y = x * initial_sigma();
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      const double sigma = sigmas_[i], signal = 1.0 / std::sqrt(sigma * sigma + 1.0);
      const auto t = at::full({x.size(0)}, times_[i], x.options().dtype(at::kFloat));
      const auto output = denoiser(y * signal, t);
      const double start = sigma * (1.0 + fresh_share(sigma));
      if (start > sigma)
        y = y + std::sqrt(start * start - sigma * sigma) * options_.churn_noise * noise(index, y);
      const auto x0 = clean(output, y, sigma, start);
      y = y + (sigmas_[i + 1] - start) / start * (y - x0);
      if (callback) callback({index + 1, static_cast<std::int64_t>(times_.size()), y, x0});
    }
    return y;
  }

 private:
  double fresh_share(double sigma) const {
    if (sigma < options_.churn_min || sigma > options_.churn_max) return 0.0;
    return std::min(options_.churn / static_cast<double>(times_.size()), std::sqrt(2.0) - 1.0);
  }

  /// The network answered at `sigma`; y has been brought to the level `start` since.
  at::Tensor clean(const at::Tensor& output, const at::Tensor& y, double sigma,
                   double start) const {
    switch (process_.prediction()) {
      case Prediction::Epsilon:
        return y - start * output;
      case Prediction::Velocity:
        return y / (sigma * sigma + 1.0) - sigma / std::sqrt(sigma * sigma + 1.0) * output;
      default:
        return output;
    }
  }

  DiffusionProcess process_;
  EulerOptions options_;
  std::vector<double> times_, sigmas_;
};

}  // namespace dermis
