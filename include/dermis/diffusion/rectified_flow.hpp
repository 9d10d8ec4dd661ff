#pragma once
/// \file
/// Rectified flow (arXiv 2209.03003, 2403.03206): straight lines between data and noise. Time s
/// runs from 0 (data) to 1 (noise), as in SD3 and Flux; the original code runs the other way.

#include <cmath>
#include <concepts>
#include <numbers>
#include <string_view>
#include <type_traits>

#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/sampler.hpp"

namespace dermis {

/// From which density training times are drawn.
enum class TimeDensity {
  Uniform,
  LogitNormal,  ///< s = sigmoid(N(mean, std)): more often in the middle, where the task is hardest
  Mode          ///< s = 1 - u - mode_scale (cos^2(pi u / 2) - 1 + u): SD3's heavy-tailed one
};

inline std::string_view name(TimeDensity density) {
  switch (density) {
    case TimeDensity::Uniform:
      return "uniform";
    case TimeDensity::LogitNormal:
      return "logit_normal";
    default:
      return "mode";
  }
}

inline TimeDensity time_density_from_name(std::string_view text) {
  for (const auto d : {TimeDensity::Uniform, TimeDensity::LogitNormal, TimeDensity::Mode})
    if (name(d) == text) return d;
  check_argument(false, "[time_density] expected uniform, logit_normal or mode, got ", text);
  return {};
}
inline void from_name(TimeDensity& density, std::string_view text) {
  density = time_density_from_name(text);
}

/// Options of a RectifiedFlow.
struct RectifiedFlowOptions {
  TimeDensity density = TimeDensity::LogitNormal;
  double logit_mean = 0;
  double logit_std = 1;
  double shift = 1;          ///< sampling times s -> shift s / (1 + (shift - 1) s); above 1: more
                             ///< steps near the noise (SD3: 3 at 1024 px)
  double time_scale = 1000;  ///< the network is given time_scale * s
  double mode_scale = 1.29;  ///< of density Mode
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, RectifiedFlowOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("density", o.density);
  visit("logit_mean", o.logit_mean);
  visit("logit_std", o.logit_std);
  visit("shift", o.shift);
  visit("time_scale", o.time_scale);
  visit("mode_scale", o.mode_scale);
}

/// x_s = (1 - s) x0 + s eps; the network predicts dx/ds = eps - x0. A type of its own, because sign
/// and direction of time differ from Prediction::Velocity.
///
///     RectifiedFlow flow;
///     auto batch = flow.corrupt(latents, noise, flow.times(uniforms));
///     auto samples = flow.sample(guided(denoiser, labels, 8, 2.0), noise, 25);
class RectifiedFlow {
 public:
  explicit RectifiedFlow(const RectifiedFlowOptions& options = {}) : options_(options) {
    check_argument(options.shift > 0 && options.time_scale > 0 && options.logit_std > 0,
                   "[flow] expected positive shift, time_scale and logit_std, got ", options.shift,
                   ", ", options.time_scale, " and ", options.logit_std);
  }

  const RectifiedFlowOptions& options() const { return options_; }

  /// Training times in 0..1 for draws u [B] of U[0, 1), by the density's inverse distribution (Mode
  /// falls with u): fp32 [B].
  at::Tensor times(const at::Tensor& u) const {
    const auto draws = u.to(at::kDouble);
    if (options_.density == TimeDensity::Uniform) return draws.to(at::kFloat);
    if (options_.density == TimeDensity::Mode) {
      const auto cosine = (draws * (0.5 * std::numbers::pi)).cos();
      return (1.0 - draws - options_.mode_scale * (cosine.square() - 1.0 + draws)).to(at::kFloat);
    }
    return at::sigmoid(options_.logit_mean + options_.logit_std * at::special_ndtri(draws))
        .to(at::kFloat);
  }
  /// The network takes time_scale * s; and back.
  at::Tensor model_time(const at::Tensor& s) const { return s * options_.time_scale; }
  at::Tensor from_model_time(const at::Tensor& time) const { return time / options_.time_scale; }

  /// Weights 1 - s and s, with the rank, type and device of `like`.
  Level level(const at::Tensor& s, const at::Tensor& like) const {
    check_argument(s.dim() == 1 && s.is_floating_point(),
                   "[flow] expected real times of shape [B]");
    std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
    shape.front() = s.size(0);
    const auto noise = s.view(shape);
    return {(1.0 - noise).to(like.options()), noise.to(like.options())};
  }

  /// What the network should answer: eps - x0, the same at all times.
  at::Tensor target(const Level&, const Estimate& truth) const { return truth.noise - truth.x0; }

  /// Clean sample and noise that follow from x = x_s and the network's output.
  Estimate estimate(const Level& level, const at::Tensor& x, const at::Tensor& output) const {
    return {x - level.noise * output, x + level.signal * output};
  }

  /// x_s, time and target for clean samples x0 [B, ...], noise of N(0, 1) and times s [B].
  NoisyBatch corrupt(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& s) const {
    const auto at_s = level(s, x0);
    return {at_s.signal * x0 + at_s.noise * noise, model_time(s), noise - x0};
  }

  /// The steps + 1 times of sampling, 1 down to 0.
  std::vector<double> sampling_times(std::int64_t steps) const {
    check_argument(steps >= 1, "[flow] expected at least 1 step, got ", steps);
    std::vector<double> times;
    for (std::int64_t i = 0; i <= steps; ++i) {
      const double s = 1.0 - static_cast<double>(i) / static_cast<double>(steps);
      times.push_back(options_.shift * s / (1.0 + (options_.shift - 1.0) * s));
    }
    return times;
  }

  /// Euler's method from noise x [B, C, H, W] of N(0, 1) to samples: x += (s' - s) v(x, s). Runs
  /// without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x, std::int64_t steps,
                    const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    const auto times = sampling_times(steps);
    for (std::int64_t i = 0; i < steps; ++i) {
      const double now = times[static_cast<std::size_t>(i)];
      const double next = times[static_cast<std::size_t>(i) + 1];
      const auto s = at::full({x.size(0)}, now, x.options().dtype(at::kFloat));
      x = x + (next - now) * denoiser(x, model_time(s));
      if (callback) callback({i + 1, steps, x});
    }
    return x;
  }

 private:
  RectifiedFlowOptions options_;
};

}  // namespace dermis
