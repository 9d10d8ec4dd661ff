#pragma once
/// \file
/// Rectified flow in the direction of its original code (arXiv 2209.03003): time runs from noise at
/// t = 0 to data at t = 1. A type of its own beside RectifiedFlow (SD3, Flux), whose time and
/// target have the opposite sign.

#include <cmath>
#include <concepts>
#include <type_traits>
#include <vector>

#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/sampler.hpp"

namespace dermis {

/// Options of OriginalFlow.
struct OriginalFlowOptions {
  double first_time = 1e-3;  ///< times begin here instead of at 0
  double time_scale = 999;   ///< the network is given time_scale * t
  double noise_scale = 1;    ///< standard deviation of the noise at t = 0
  double sigma = 0;  ///< sampling adds noise of standard deviation sigma (1 - t) per root time
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, OriginalFlowOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("first_time", o.first_time);
  visit("time_scale", o.time_scale);
  visit("noise_scale", o.noise_scale);
  visit("sigma", o.sigma);
}

/// x_t = t x0 + (1 - t) z with z = noise_scale eps; the network predicts dx/dt = x0 - z. Has the
/// functions of RectifiedFlow and DiffusionProcess; `noise` is z everywhere but in sample().
///
///     OriginalFlow flow;
///     auto batch = flow.corrupt(latents, noise, flow.times(uniforms));
///     auto loss = flow_loss(network(batch.x, batch.time), batch.target);
class OriginalFlow {
 public:
  explicit OriginalFlow(const OriginalFlowOptions& options = {}) : options_(options) {
    const auto& o = options_;
    check_argument(o.first_time > 0 && o.first_time < 1 && o.time_scale > 0 && o.noise_scale > 0,
                   "[original_flow] expected first_time in 0..1 and positive time_scale and "
                   "noise_scale, got ",
                   o.first_time, ", ", o.time_scale, " and ", o.noise_scale);
    check_argument(o.sigma >= 0, "[original_flow] expected a sigma of at least 0, got ", o.sigma);
  }

  const OriginalFlowOptions& options() const { return options_; }

  /// Training times for draws u [B] of U[0, 1): fp32 [B]. Zeros and ones for u give the time of a
  /// one-step student of either end (reflow's "t0" and "t1").
  at::Tensor times(const at::Tensor& u) const {
    return (u * (1.0 - options_.first_time) + options_.first_time).to(at::kFloat);
  }
  /// Times of a student of `steps` Euler steps, for its steps k int64 [B] in 0..steps-1.
  at::Tensor student_times(const at::Tensor& k, std::int64_t steps) const {
    check_argument(steps >= 1 && k.scalar_type() == at::kLong && k.ge(0).all().item<bool>() &&
                       k.lt(steps).all().item<bool>(),
                   "[original_flow] expected int64 steps in 0..", steps - 1);
    return times(k.to(at::kDouble) / static_cast<double>(steps));
  }
  /// The network takes time_scale * t; and back.
  at::Tensor model_time(const at::Tensor& t) const { return t * options_.time_scale; }
  at::Tensor from_model_time(const at::Tensor& time) const { return time / options_.time_scale; }

  /// Weights t and 1 - t, with the rank, type and device of `like`.
  Level level(const at::Tensor& t, const at::Tensor& like) const {
    check_argument(t.dim() == 1 && t.is_floating_point(),
                   "[original_flow] expected real times of shape [B]");
    std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
    shape.front() = t.size(0);
    const auto signal = t.view(shape);
    return {signal.to(like.options()), (1.0 - signal).to(like.options())};
  }

  /// What the network should answer: x0 - z, the same at all times.
  at::Tensor target(const Level&, const Estimate& truth) const { return truth.x0 - truth.noise; }

  /// Clean sample and z that follow from x = x_t and the network's output.
  Estimate estimate(const Level& level, const at::Tensor& x, const at::Tensor& output) const {
    return {x + level.noise * output, x - level.signal * output};
  }

  /// x_t, time and target for clean samples x0 [B, ...], noise z and times t [B]. For reflow, x0
  /// and z are the ends of a trajectory.
  NoisyBatch corrupt(const at::Tensor& x0, const at::Tensor& z, const at::Tensor& t) const {
    const auto at_t = level(t, x0);
    return {at_t.signal * x0 + at_t.noise * z, model_time(t), x0 - z};
  }

  /// The time of every step of sampling, from first_time up; the last step goes beyond 1 by
  /// first_time / steps, as in the original.
  std::vector<double> sampling_times(std::int64_t steps) const {
    check_argument(steps >= 1, "[original_flow] expected at least 1 step, got ", steps);
    std::vector<double> times;
    for (std::int64_t i = 0; i < steps; ++i)
      times.push_back(static_cast<double>(i) / static_cast<double>(steps) *
                          (1.0 - options_.first_time) +
                      options_.first_time);
    return times;
  }

  /// Euler's method with steps of 1 / steps from noise x [B, C, H, W] of N(0, 1) to samples; with
  /// sigma > 0 Euler-Maruyama of the original's SDE, which reads `noise`. Runs without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x, std::int64_t steps,
                    const NoiseSource& noise = {}, const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    check_argument(options_.sigma == 0 || noise,
                   "[original_flow] expected a source of noise with sigma ", options_.sigma);
    const double dt = 1.0 / static_cast<double>(steps), scale = options_.noise_scale;
    std::int64_t done = 0;
    x = x * scale;
    for (const double t : sampling_times(steps)) {
      const auto times = at::full({x.size(0)}, t, x.options().dtype(at::kFloat));
      auto velocity = denoiser(x, model_time(times));
      const auto x0 = x + (1.0 - t) * velocity;
      if (options_.sigma > 0) {
        // The drift as the original has it; the exact score, (t v - x) / ((1 - t) scale^2), would
        // give t v - x other weights.
        const double diffusion = options_.sigma * (1.0 - t);
        const double pull = diffusion * diffusion / (2.0 * scale * scale * (1.0 - t) * (1.0 - t));
        velocity = velocity + pull * (0.5 * t * (1.0 - t) * velocity - 0.5 * (2.0 - t) * x);
        x = x + dt * velocity + diffusion * std::sqrt(dt) * noise(done, x);
      } else {
        x = x + dt * velocity;
      }
      if (callback)
        callback({++done, steps, x, x0});
      else
        ++done;
    }
    return x;
  }

 private:
  OriginalFlowOptions options_;
};

/// Squared error of a network's answers, averaged over the batch: of each the mean over all values,
/// or, as the original's reduce_mean = false, half of the sum.
inline at::Tensor flow_loss(const at::Tensor& output, const at::Tensor& target,
                            bool half_sum = false) {
  const auto squares = (output - target).square().flatten(1);
  return (half_sum ? 0.5 * squares.sum(1) : squares.mean(1)).mean();
}

}  // namespace dermis
