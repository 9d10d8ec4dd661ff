#pragma once
/// \file
/// Euler's method for flow matching with the time shifts of SD3 and Flux (arXiv 2403.03206, section
/// 5.3.2), with the settings and defaults of diffusers.

#include "dermis/diffusion/sampler.hpp"
#include "dermis/diffusion/sigma_schedule.hpp"

namespace dermis {

/// How dynamic shifting moves the times, with r = (1 - s) / s.
enum class TimeShift {
  Exponential,  ///< s -> e^mu / (e^mu + r)
  Linear        ///< s -> mu / (mu + r)
};

inline std::string_view name(TimeShift shift) {
  return shift == TimeShift::Exponential ? "exponential" : "linear";
}

inline TimeShift time_shift_from_name(std::string_view text) {
  for (const auto s : {TimeShift::Exponential, TimeShift::Linear})
    if (name(s) == text) return s;
  check_argument(false, "[time_shift] expected exponential or linear, got ", text);
  return {};
}
inline void from_name(TimeShift& shift, std::string_view text) {
  shift = time_shift_from_name(text);
}

/// Options of FlowMatchEuler.
struct FlowMatchEulerOptions {
  std::int64_t steps = 28;             ///< network evaluations
  std::int64_t training_steps = 1000;  ///< T: the network is given T s, the table has T times
  double shift = 1;                    ///< s -> shift s / (1 + (shift - 1) s), unless dynamic
  bool dynamic_shifting = false;       ///< shift by mu, which depends on the image (Flux)
  double mu = 0;                       ///< see dynamic_mu; not used without dynamic_shifting
  TimeShift time_shift = TimeShift::Exponential;
  double base_shift = 0.5;  ///< mu of images of base_tokens
  double max_shift = 1.15;  ///< mu of images of max_tokens
  std::int64_t base_tokens = 256;
  std::int64_t max_tokens = 4096;
  double shift_terminal = 0;  ///< stretch the times to end here; 0: do not
  SigmaSpacing sigmas = SigmaSpacing::Steps;
  bool inverted = false;    ///< walk 1 - s, towards 1
  bool stochastic = false;  ///< draw the noise of every step anew
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, FlowMatchEulerOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("training_steps", o.training_steps);
  visit("shift", o.shift);
  visit("dynamic_shifting", o.dynamic_shifting);
  visit("mu", o.mu);
  visit("time_shift", o.time_shift);
  visit("base_shift", o.base_shift);
  visit("max_shift", o.max_shift);
  visit("base_tokens", o.base_tokens);
  visit("max_tokens", o.max_tokens);
  visit("shift_terminal", o.shift_terminal);
  visit("sigmas", o.sigmas);
  visit("inverted", o.inverted);
  visit("stochastic", o.stochastic);
}

/// mu of an image of `tokens` latent tokens: on the line through (base_tokens, base_shift) and
/// (max_tokens, max_shift), also beyond them.
inline double dynamic_mu(const FlowMatchEulerOptions& options, std::int64_t tokens) {
  const auto span = static_cast<double>(options.max_tokens - options.base_tokens);
  return options.base_shift + (options.max_shift - options.base_shift) *
                                  static_cast<double>(tokens - options.base_tokens) / span;
}

/// The table of T training times, noisiest first: i / T, shifted unless shifting is dynamic. A
/// training draw u picks entry int(u T), so that a small u is much noise.
inline std::vector<double> training_sigmas(const FlowMatchEulerOptions& options) {
  std::vector<double> sigmas;
  const auto T = static_cast<double>(options.training_steps);
  const double shift = options.dynamic_shifting ? 1.0 : options.shift;
  for (std::int64_t i = options.training_steps; i >= 1; --i) {
    const double s = static_cast<double>(i) / T;
    sigmas.push_back(shift * s / (1.0 + (shift - 1.0) * s));
  }
  return sigmas;
}

/// x += (s' - s) v(x, s), or with `stochastic` x = (1 - s') x0 + s' noise, for networks that
/// predict v = eps - x0 as RectifiedFlow's do.
///
///     FlowMatchEulerOptions options{.steps = 28, .dynamic_shifting = true};
///     options.mu = dynamic_mu(options, tokens);
///     auto latents = FlowMatchEuler(options).sample(denoiser, noise);
class FlowMatchEuler {
 public:
  /// `start`: the times to shift, noisiest first, one a step; empty: evenly from the first to the
  /// last of training_sigmas, which a static shift has moved once already.
  explicit FlowMatchEuler(const FlowMatchEulerOptions& options = {}, std::vector<double> start = {})
      : options_(options), sigmas_(std::move(start)) {
    const auto& o = options_;
    check_argument(o.steps >= 1 && o.training_steps >= 1 && o.shift > 0,
                   "[flow_match_euler] expected positive steps, training_steps and shift, got ",
                   o.steps, ", ", o.training_steps, " and ", o.shift);
    check_argument(!o.dynamic_shifting || o.time_shift == TimeShift::Exponential || o.mu > 0,
                   "[flow_match_euler] expected a positive mu for a linear time shift, got ", o.mu);
    check_argument(o.sigmas != SigmaSpacing::Lu,
                   "[flow_match_euler] expected sigmas steps, karras or exponential, got lu");
    check_argument(o.shift_terminal >= 0 && o.shift_terminal < 1,
                   "[flow_match_euler] expected shift_terminal in 0..1, got ", o.shift_terminal);
    if (sigmas_.empty()) {
      const auto table = training_sigmas(o);
      sigmas_ = evenly_spaced(table.front(), table.back(), o.steps);
    }
    check_argument(static_cast<std::int64_t>(sigmas_.size()) == o.steps,
                   "[flow_match_euler] expected ", o.steps, " times, got ", sigmas_.size());
    for (auto& s : sigmas_) {
      check_argument(s > 0 && s <= 1, "[flow_match_euler] expected times in 0..1, got ", s);
      s = shifted(s);
    }
    if (o.shift_terminal > 0) {
      const double stretch = (1.0 - sigmas_.back()) / (1.0 - o.shift_terminal);
      for (auto& s : sigmas_) s = 1.0 - (1.0 - s) / stretch;
    }
    if (o.sigmas != SigmaSpacing::Steps)
      sigmas_ = spaced_sigmas(o.sigmas, sigmas_.front(), sigmas_.back(), o.steps);
    if (o.inverted)
      for (auto& s : sigmas_) s = 1.0 - s;
    for (const double s : sigmas_) times_.push_back(s * static_cast<double>(o.training_steps));
    sigmas_.push_back(o.inverted ? 1.0 : 0.0);
  }

  /// What the network is given as time, in the order of sampling.
  const std::vector<double>& times() const { return times_; }
  /// Times s before the first and after every step.
  const std::vector<double>& sigmas() const { return sigmas_; }

  /// From noise x [B, ...] of N(0, 1) to samples. `noise` is needed only if stochastic. Runs
  /// without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x, const NoiseSource& noise = {},
                    const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    check_argument(!options_.stochastic || noise,
                   "[flow_match_euler] expected a source of noise for stochastic sampling");
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      const double now = sigmas_[i], next = sigmas_[i + 1];
      const auto t = at::full({x.size(0)}, times_[i], x.options().dtype(at::kFloat));
      const auto velocity = denoiser(x, t);
      const auto x0 = x - now * velocity;
      x = options_.stochastic ? (1.0 - next) * x0 + next * noise(index, x)
                              : x + (next - now) * velocity;
      if (callback) callback({index + 1, options_.steps, x, x0});
    }
    return x;
  }

 private:
  double shifted(double s) const {
    if (!options_.dynamic_shifting) return options_.shift * s / (1.0 + (options_.shift - 1.0) * s);
    const double pull =
        options_.time_shift == TimeShift::Exponential ? std::exp(options_.mu) : options_.mu;
    return pull / (pull + (1.0 / s - 1.0));
  }

  FlowMatchEulerOptions options_;
  std::vector<double> sigmas_, times_;
};

}  // namespace dermis
