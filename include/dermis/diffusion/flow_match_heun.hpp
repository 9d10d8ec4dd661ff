#pragma once
/// \file
/// Heun's method for flow matching: two evaluations a step, an error of second order.

#include <utility>
#include <vector>

#include "dermis/diffusion/flow_match_euler.hpp"

namespace dermis {

/// x' = x + (s' - s) v(x, s), then x += (s' - s) (v(x, s) + v(x', s')) / 2. The step to s' = 0 is
/// Euler's, as in diffusers' FlowMatchHeunDiscreteScheduler: networks are not trained there. Times
/// and their shifts are those of FlowMatchEuler.
class FlowMatchHeun {
 public:
  /// As FlowMatchEuler; stochastic sampling is refused.
  explicit FlowMatchHeun(const FlowMatchEulerOptions& options = {}, std::vector<double> start = {})
      : euler_(options, std::move(start)), scale_(static_cast<double>(options.training_steps)) {
    check_argument(!options.stochastic, "[flow_match_heun] expected no stochastic sampling");
  }

  /// Times s before the first and after every step.
  const std::vector<double>& sigmas() const { return euler_.sigmas(); }

  /// From noise x [B, ...] of N(0, 1) to samples. Runs without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x,
                    const SamplerCallback& callback = {}) const {
    const at::NoGradGuard no_grad;
    const auto velocity = [&](const at::Tensor& at_x, double s) {
      return denoiser(at_x, at::full({at_x.size(0)}, scale_ * s, at_x.options().dtype(at::kFloat)));
    };
    const auto& s = sigmas();
    const auto steps = static_cast<std::int64_t>(s.size()) - 1;
    for (std::size_t i = 0; i + 1 < s.size(); ++i) {
      const double step = s[i + 1] - s[i];
      const auto v = velocity(x, s[i]);
      const auto x0 = x - s[i] * v;
      const auto ahead = x + step * v;
      x = s[i + 1] == 0 ? ahead : x + 0.5 * step * (v + velocity(ahead, s[i + 1]));
      if (callback) callback({static_cast<std::int64_t>(i) + 1, steps, x, x0});
    }
    return x;
  }

 private:
  FlowMatchEuler euler_;
  double scale_;
};

}  // namespace dermis
