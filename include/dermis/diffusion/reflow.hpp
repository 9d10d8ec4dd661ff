#pragma once
/// \file
/// Reflow (arXiv 2209.03003, section 2.3): a flow is trained again on the pairs of noise and sample
/// that its own trajectories join, which makes the trajectories straight and few steps enough.

#include "dermis/diffusion/rectified_flow.hpp"

namespace dermis {

/// Ends of trajectories, and how straight they are.
struct FlowPairs {
  at::Tensor data, noise;  ///< [B, ...]; RectifiedFlow::corrupt(data, noise, s) is what to train on
  at::Tensor straightness;  ///< fp64 [B], see flow_pairs
};

/// Follows `denoiser` from noise x [B, ...] in so many Euler steps. The straightness of a
/// trajectory is the mean over its values of the integral of (v(x_s, s) - (noise - data))^2 over s
/// (the paper's S), 0 for a straight one, which a single step crosses without error. Runs without
/// gradients.
inline FlowPairs flow_pairs(const RectifiedFlow& flow, const Denoiser& denoiser,
                            const at::Tensor& noise, std::int64_t steps) {
  const auto times = flow.sampling_times(steps);
  at::Tensor mean, square;  // of the velocity, weighted by the length of the steps
  std::size_t step = 0;
  const Denoiser measured = [&](const at::Tensor& x, const at::Tensor& t) {
    const auto velocity = denoiser(x, t);
    const auto v = velocity.to(at::kDouble);
    const double weight = times[step] - times[step + 1];
    mean = step == 0 ? weight * v : mean + weight * v;
    square = step == 0 ? weight * v.square() : square + weight * v.square();
    ++step;
    return velocity;
  };
  const auto data = flow.sample(measured, noise, steps);
  // noise - data is the mean velocity, so that the integral is the velocity's variance.
  return {data, noise, (square - mean.square()).clamp_min(0).flatten(1).mean(1)};
}

}  // namespace dermis
