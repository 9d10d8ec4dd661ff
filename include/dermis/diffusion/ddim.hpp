#pragma once
/// \file
/// DDIM (arXiv 2010.02502): few steps, deterministic unless eta > 0.

#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/sampler.hpp"

namespace dermis {

/// Options of DDIM.
struct DDIMOptions {
  std::int64_t steps = 50;  ///< network evaluations (LDM spacing: see sampling_steps)
  double eta = 0;           ///< 0: deterministic; 1: as much noise as ancestral sampling
  Spacing spacing = Spacing::Trailing;  ///< which of the schedule's steps
  double clip = 0;                      ///< keep predicted x0 in -clip..clip; 0: do not (latents)
  double threshold_ratio = 0;           ///< dynamic_threshold of x0 instead of clip; 0: do not
  double threshold_max = 1;
  bool noise_from_clipped = false;  ///< take the noise anew from x and the clipped x0
  std::int64_t steps_offset = 0;    ///< added to the steps of Leading spacing
  bool last_alpha_bar_one = true;   ///< the last step goes to alpha_bar 1; false: to that of step 0
  bool whole_stride = false;        ///< every step goes down by T / steps (whole), as in diffusers,
                                    ///< not to the next step visited
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DDIMOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("eta", o.eta);
  visit("spacing", o.spacing);
  visit("clip", o.clip);
  visit("threshold_ratio", o.threshold_ratio);
  visit("threshold_max", o.threshold_max);
  visit("noise_from_clipped", o.noise_from_clipped);
  visit("steps_offset", o.steps_offset);
  visit("last_alpha_bar_one", o.last_alpha_bar_one);
  visit("whole_stride", o.whole_stride);
}

/// x' = sqrt(a') x0 + sqrt(1 - a' - sigma^2) eps + sigma noise, with a and a' = alpha_bar of this
/// and of the next step and sigma = eta sqrt((1 - a') / (1 - a) (1 - a / a')) (eq. 12, 16). The
/// last step goes to a' = 1; with LDM spacing always to a' = alpha_bar of step 0 as the original
/// does.
///
///     DDIM sampler(process, {.steps = 25});
///     auto latents = sampler.sample(guided(denoiser, labels, 8, 2.0), noise);
class DDIM {
 public:
  explicit DDIM(DiffusionProcess process, const DDIMOptions& options = {})
      : process_(std::move(process)),
        options_(options),
        timesteps_(sampling_steps(process_.schedule().steps(), options.steps, options.spacing,
                                  options.steps_offset)) {
    check_argument(options.eta >= 0 && options.eta <= 1, "[ddim] expected eta in 0..1, got ",
                   options.eta);
  }

  /// Steps in the order of sampling, noisiest first.
  const std::vector<std::int64_t>& timesteps() const { return timesteps_; }
  /// alpha_bar at timesteps()[i].
  double alpha_bar(std::size_t i) const { return process_.schedule().alpha_bar(timesteps_.at(i)); }
  /// alpha_bar where step i arrives.
  double alpha_bar_after(std::size_t i) const {
    const auto& schedule = process_.schedule();
    std::int64_t after = i + 1 < timesteps_.size() ? timesteps_[i + 1] : -1;
    if (options_.whole_stride) after = timesteps_.at(i) - schedule.steps() / options_.steps;
    if (after >= 0) return schedule.alpha_bar(after);
    const bool one = options_.last_alpha_bar_one && options_.spacing != Spacing::LDM;
    return one ? 1.0 : schedule.alpha_bar(0);
  }

  /// Clean sample, bounded as the options say, and noise that the network's output sees in x at
  /// timesteps()[i].
  Estimate estimate(const at::Tensor& output, std::size_t i, const at::Tensor& x) const {
    const auto t = at::full({x.size(0)}, timesteps_.at(i), x.options().dtype(at::kLong));
    const auto level = process_.level(t, x);
    auto estimate = process_.estimate(level, x, output);
    estimate.x0 =
        bounded(estimate.x0, {options_.clip, options_.threshold_ratio, options_.threshold_max});
    if (options_.noise_from_clipped)
      estimate.noise = (x - level.signal * estimate.x0) / level.noise;
    return estimate;
  }

  /// One step: x at timesteps()[i] and the network's output there -> x at the next one. noise is
  /// read only if eta > 0.
  at::Tensor step(const at::Tensor& output, std::size_t i, const at::Tensor& x,
                  const at::Tensor& noise = {}) const {
    return step(estimate(output, i, x), i, noise);
  }

  /// The same from an estimate().
  at::Tensor step(const Estimate& estimate, std::size_t i, const at::Tensor& noise = {}) const {
    const double a = alpha_bar(i), after = alpha_bar_after(i);
    const auto [direction, sigma] =
        process_.schedule().options().single_precision
            ? noise_weights(static_cast<float>(a), static_cast<float>(after),
                            static_cast<float>(options_.eta))
            : noise_weights(a, after, options_.eta);
    const auto next = std::sqrt(after) * estimate.x0 + direction * estimate.noise;
    if (sigma == 0.0) return next;
    check_argument(noise.defined(), "[ddim] expected noise for step ", i, " with eta ",
                   options_.eta);
    return next + sigma * noise;
  }

  /// From noise x [B, C, H, W] of N(0, 1) to samples. `noise` is needed only if eta > 0. Runs
  /// without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x, const NoiseSource& noise = {},
                    const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    check_argument(options_.eta == 0 || noise, "[ddim] expected a source of noise with eta ",
                   options_.eta);
    for (std::size_t i = 0; i < timesteps_.size(); ++i) {
      const auto t = at::full({x.size(0)}, timesteps_[i], x.options().dtype(at::kLong));
      const auto index = static_cast<std::int64_t>(i);
      const auto seen = estimate(denoiser(x, t), i, x);
      x = step(seen, i, options_.eta > 0 ? noise(index, x) : at::Tensor());
      if (callback) callback({index + 1, static_cast<std::int64_t>(timesteps_.size()), x, seen.x0});
    }
    return x;
  }

 private:
  /// Weights of the predicted and of the fresh noise. Where nearly all noise is fresh, the other
  /// weight is a difference of equals, and what it comes to depends on the precision.
  template <class Real>
  static std::pair<double, double> noise_weights(Real a, Real after, Real eta) {
    const Real one = 1;
    const Real sigma = eta * std::sqrt((one - after) / (one - a) * (one - a / after));
    return {std::sqrt(std::max(one - after - sigma * sigma, Real(0))), sigma};
  }

  DiffusionProcess process_;
  DDIMOptions options_;
  std::vector<std::int64_t> timesteps_;
};

}  // namespace dermis
