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
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DDIMOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("eta", o.eta);
  visit("spacing", o.spacing);
  visit("clip", o.clip);
}

/// x' = sqrt(a') x0 + sqrt(1 - a' - sigma^2) eps + sigma noise, with a and a' = alpha_bar of this
/// and of the next step and sigma = eta sqrt((1 - a') / (1 - a) (1 - a / a')) (eq. 12, 16). The
/// last step goes to a' = 1, with LDM spacing to a' = alpha_bar of step 0 as the original does.
///
///     DDIM sampler(process, {.steps = 25});
///     auto latents = sampler.sample(guided(denoiser, labels, 8, 2.0), noise);
class DDIM {
 public:
  explicit DDIM(DiffusionProcess process, const DDIMOptions& options = {})
      : process_(std::move(process)),
        options_(options),
        timesteps_(sampling_steps(process_.schedule().steps(), options.steps, options.spacing)) {
    check_argument(options.eta >= 0 && options.eta <= 1, "[ddim] expected eta in 0..1, got ",
                   options.eta);
  }

  /// Steps in the order of sampling, noisiest first.
  const std::vector<std::int64_t>& timesteps() const { return timesteps_; }
  /// alpha_bar at timesteps()[i].
  double alpha_bar(std::size_t i) const { return process_.schedule().alpha_bar(timesteps_.at(i)); }
  /// alpha_bar where step i arrives.
  double alpha_bar_after(std::size_t i) const {
    if (i + 1 < timesteps_.size()) return alpha_bar(i + 1);
    return options_.spacing == Spacing::LDM ? process_.schedule().alpha_bar(0) : 1.0;
  }

  /// One step: x at timesteps()[i] and the network's output there -> x at the next one. noise is
  /// read only if eta > 0.
  at::Tensor step(const at::Tensor& output, std::size_t i, const at::Tensor& x,
                  const at::Tensor& noise = {}) const {
    const double a = alpha_bar(i), after = alpha_bar_after(i);
    const auto t = at::full({x.size(0)}, timesteps_[i], x.options().dtype(at::kLong));
    auto estimate = process_.estimate(process_.level(t, x), x, output);
    if (options_.clip > 0) estimate.x0 = estimate.x0.clamp(-options_.clip, options_.clip);
    const double sigma = options_.eta * std::sqrt((1.0 - after) / (1.0 - a) * (1.0 - a / after));
    const double direction = std::sqrt(std::max(1.0 - after - sigma * sigma, 0.0));
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
      x = step(denoiser(x, t), i, x, options_.eta > 0 ? noise(index, x) : at::Tensor());
      if (callback) callback({index + 1, static_cast<std::int64_t>(timesteps_.size()), x});
    }
    return x;
  }

 private:
  DiffusionProcess process_;
  DDIMOptions options_;
  std::vector<std::int64_t> timesteps_;
};

}  // namespace dermis
