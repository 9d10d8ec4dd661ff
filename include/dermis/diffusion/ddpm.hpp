#pragma once
/// \file
/// Ancestral sampling (arXiv 2006.11239, algorithm 2), over all steps or over some of them.

#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/sampler.hpp"

namespace dermis {

/// q(x_{t-1} | x_t, x_0) = N(mean_x0 x_0 + mean_xt x_t, variance) (arXiv 2006.11239, eq. 6-7), for
/// two steps that need not be neighbours.
struct Posterior {
  double mean_x0 = 0, mean_xt = 0, variance = 0;

  /// alpha_bar of the step and of the less noisy one that follows in sampling (1: clean).
  static Posterior between(double alpha_bar, double alpha_bar_previous) {
    const double alpha = alpha_bar / alpha_bar_previous, beta = 1.0 - alpha;
    return {beta * std::sqrt(alpha_bar_previous) / (1.0 - alpha_bar),
            (1.0 - alpha_bar_previous) * std::sqrt(alpha) / (1.0 - alpha_bar),
            beta * (1.0 - alpha_bar_previous) / (1.0 - alpha_bar)};
  }
};

/// Options of DDPM.
struct DDPMOptions {
  std::int64_t steps = 1000;            ///< network evaluations
  Spacing spacing = Spacing::Trailing;  ///< which steps, when fewer than the schedule has
  bool large_variance = false;          ///< beta instead of the posterior's variance
  double clip = 0;                      ///< keep predicted x0 in -clip..clip; 0: do not (latents)
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DDPMOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("spacing", o.spacing);
  visit("large_variance", o.large_variance);
  visit("clip", o.clip);
}

/// Ancestral sampler. The last step adds no noise.
///
///     DDPM sampler(process, {.steps = 250});
///     auto latents = sampler.sample(guided(denoiser, labels, 8, 2.0), noise,
///     noise_from(generator));
class DDPM {
 public:
  explicit DDPM(DiffusionProcess process, const DDPMOptions& options = {})
      : process_(std::move(process)),
        options_(options),
        timesteps_(sampling_steps(process_.schedule().steps(), options.steps, options.spacing)) {}

  /// Steps in the order of sampling, noisiest first.
  const std::vector<std::int64_t>& timesteps() const { return timesteps_; }

  /// One step: x at timesteps()[i] and the network's output there -> x at the next one. noise is
  /// not read in the last step.
  at::Tensor step(const at::Tensor& output, std::size_t i, const at::Tensor& x,
                  const at::Tensor& noise) const {
    const auto t = timesteps_.at(i);
    const bool last = i + 1 == timesteps_.size();
    const double alpha_bar = process_.schedule().alpha_bar(t);
    const double previous = last ? 1.0 : process_.schedule().alpha_bar(timesteps_[i + 1]);
    const auto batch = at::full({x.size(0)}, t, x.options().dtype(at::kLong));
    auto x0 = process_.estimate(process_.level(batch, x), x, output).x0;
    if (options_.clip > 0) x0 = x0.clamp(-options_.clip, options_.clip);
    const auto posterior = Posterior::between(alpha_bar, previous);
    const auto mean = posterior.mean_x0 * x0 + posterior.mean_xt * x;
    if (last) return mean;
    check_argument(noise.defined(), "[ddpm] expected noise for step ", i);
    const double variance =
        options_.large_variance ? 1.0 - alpha_bar / previous : posterior.variance;
    return mean + std::sqrt(variance) * noise;
  }

  /// From noise x [B, C, H, W] of N(0, 1) to samples. Runs without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x, const NoiseSource& noise,
                    const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    check_argument(static_cast<bool>(noise), "[ddpm] expected a source of noise");
    for (std::size_t i = 0; i < timesteps_.size(); ++i) {
      const auto t = at::full({x.size(0)}, timesteps_[i], x.options().dtype(at::kLong));
      const auto index = static_cast<std::int64_t>(i);
      const bool last = i + 1 == timesteps_.size();
      x = step(denoiser(x, t), i, x, last ? at::Tensor() : noise(index, x));
      if (callback) callback({index + 1, static_cast<std::int64_t>(timesteps_.size()), x});
    }
    return x;
  }

 private:
  DiffusionProcess process_;
  DDPMOptions options_;
  std::vector<std::int64_t> timesteps_;
};

}  // namespace dermis
