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

/// Variance of the noise that a step of DDPM adds.
enum class Variance {
  FixedSmall,   ///< the posterior's
  FixedLarge,   ///< beta = 1 - alpha_bar / alpha_bar_previous
  Learned,      ///< the second half of the network's channels
  LearnedRange  ///< between the two by the second half v in -1..1 of the network's channels: log
                ///< variance = (v + 1) / 2 log FixedLarge + (1 - v) / 2 log FixedSmall (arXiv
                ///< 2102.09672, eq. 15)
};

inline std::string_view name(Variance variance) {
  switch (variance) {
    case Variance::FixedSmall:
      return "fixed_small";
    case Variance::FixedLarge:
      return "fixed_large";
    case Variance::Learned:
      return "learned";
    default:
      return "learned_range";
  }
}

inline Variance variance_from_name(std::string_view text) {
  for (const auto v :
       {Variance::FixedSmall, Variance::FixedLarge, Variance::Learned, Variance::LearnedRange})
    if (name(v) == text) return v;
  check_argument(
      false, "[variance] expected fixed_small, fixed_large, learned or learned_range, got ", text);
  return {};
}
inline void from_name(Variance& variance, std::string_view text) {
  variance = variance_from_name(text);
}

/// Options of DDPM.
struct DDPMOptions {
  std::int64_t steps = 1000;            ///< network evaluations
  Spacing spacing = Spacing::Trailing;  ///< which steps, when fewer than the schedule has
  Variance variance = Variance::FixedSmall;
  double clip = 0;             ///< keep predicted x0 in -clip..clip; 0: do not (latents)
  double threshold_ratio = 0;  ///< dynamic_threshold of x0 instead of clip; 0: do not
  double threshold_max = 1;
  std::int64_t steps_offset = 0;  ///< added to the steps of Leading spacing
  bool noise_at_last = false;     ///< noise after the last step too, unless that is step 0, as in
                                  ///< diffusers
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DDPMOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("spacing", o.spacing);
  visit("variance", o.variance);
  visit("clip", o.clip);
  visit("threshold_ratio", o.threshold_ratio);
  visit("threshold_max", o.threshold_max);
  visit("steps_offset", o.steps_offset);
  visit("noise_at_last", o.noise_at_last);
}

/// Ancestral sampler. The last step adds no noise unless noise_at_last.
///
///     DDPM sampler(process, {.steps = 250});
///     auto latents = sampler.sample(guided(denoiser, labels, 8, 2.0), noise,
///     noise_from(generator));
class DDPM {
 public:
  explicit DDPM(DiffusionProcess process, const DDPMOptions& options = {})
      : process_(std::move(process)),
        options_(options),
        timesteps_(sampling_steps(process_.schedule().steps(), options.steps, options.spacing,
                                  options.steps_offset)) {}

  /// Steps in the order of sampling, noisiest first.
  const std::vector<std::int64_t>& timesteps() const { return timesteps_; }

  /// Whether step i adds noise.
  bool adds_noise(std::size_t i) const {
    return i + 1 < timesteps_.size() || (options_.noise_at_last && timesteps_.at(i) > 0);
  }

  /// Clean sample, bounded as the options say, that the network's output sees in x at
  /// timesteps()[i].
  at::Tensor estimate(const at::Tensor& output, std::size_t i, const at::Tensor& x) const {
    const auto t = at::full({x.size(0)}, timesteps_.at(i), x.options().dtype(at::kLong));
    const auto prediction = learned() ? halves(output, x).front() : output;
    return bounded(process_.estimate(process_.level(t, x), x, prediction).x0,
                   {options_.clip, options_.threshold_ratio, options_.threshold_max});
  }

  /// One step: x at timesteps()[i] and the network's output there ([B, 2 C, H, W] with a learned
  /// variance) -> x at the next one. noise is not read in a step that adds none.
  at::Tensor step(const at::Tensor& output, std::size_t i, const at::Tensor& x,
                  const at::Tensor& noise) const {
    return step(estimate(output, i, x), output, i, x, noise);
  }

  /// From noise x [B, C, H, W] of N(0, 1) to samples. Runs without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x, const NoiseSource& noise,
                    const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    check_argument(static_cast<bool>(noise), "[ddpm] expected a source of noise");
    for (std::size_t i = 0; i < timesteps_.size(); ++i) {
      const auto t = at::full({x.size(0)}, timesteps_[i], x.options().dtype(at::kLong));
      const auto index = static_cast<std::int64_t>(i);
      const auto output = denoiser(x, t);
      const auto x0 = estimate(output, i, x);
      x = step(x0, output, i, x, adds_noise(i) ? noise(index, x) : at::Tensor());
      if (callback) callback({index + 1, static_cast<std::int64_t>(timesteps_.size()), x, x0});
    }
    return x;
  }

 private:
  bool learned() const {
    return options_.variance == Variance::Learned || options_.variance == Variance::LearnedRange;
  }

  static std::vector<at::Tensor> halves(const at::Tensor& output, const at::Tensor& x) {
    check_argument(output.size(1) == 2 * x.size(1), "[ddpm] expected ", 2 * x.size(1),
                   " channels of a network that learned its variance, got ", output.size(1));
    return output.chunk(2, 1);
  }

  at::Tensor step(const at::Tensor& x0, const at::Tensor& output, std::size_t i,
                  const at::Tensor& x, const at::Tensor& noise) const {
    const auto& schedule = process_.schedule();
    const bool last = i + 1 == timesteps_.size();
    const double alpha_bar = schedule.alpha_bar(timesteps_.at(i));
    const double previous = last ? 1.0 : schedule.alpha_bar(timesteps_[i + 1]);
    const auto posterior = Posterior::between(alpha_bar, previous);
    const auto mean = posterior.mean_x0 * x0 + posterior.mean_xt * x;
    if (!adds_noise(i)) return mean;
    check_argument(noise.defined(), "[ddpm] expected noise for step ", i);
    const double large = 1.0 - alpha_bar / previous;
    const double small = std::max(posterior.variance, 1e-20);  // its logarithm is taken
    if (options_.variance == Variance::FixedSmall) return mean + std::sqrt(small) * noise;
    if (options_.variance == Variance::FixedLarge) return mean + std::sqrt(large) * noise;
    const auto learned = halves(output, x).back();
    if (options_.variance == Variance::Learned) return mean + learned.sqrt() * noise;
    const auto share = (learned + 1.0) / 2.0;
    const auto log_variance = share * std::log(large) + (1.0 - share) * std::log(small);
    return mean + (0.5 * log_variance).exp() * noise;
  }

  DiffusionProcess process_;
  DDPMOptions options_;
  std::vector<std::int64_t> timesteps_;
};

}  // namespace dermis
