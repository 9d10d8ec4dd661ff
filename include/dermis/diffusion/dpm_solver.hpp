#pragma once
/// \file
/// DPM-Solver and DPM-Solver++ (arXiv 2206.00927, 2211.01095), multistep: orders 1 to 3 for one
/// network evaluation a step, as an ODE or as an SDE.

#include <functional>

#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "dermis/diffusion/sampler.hpp"
#include "dermis/diffusion/sigma_schedule.hpp"

namespace dermis {

/// What is extrapolated from step to step, with diffusers' names.
enum class DPMAlgorithm {
  Clean,     ///< "dpmsolver++": the clean sample
  Noise,     ///< "dpmsolver": the noise
  CleanSDE,  ///< "sde-dpmsolver++"
  NoiseSDE   ///< "sde-dpmsolver"
};

inline std::string_view name(DPMAlgorithm algorithm) {
  switch (algorithm) {
    case DPMAlgorithm::Clean:
      return "dpmsolver++";
    case DPMAlgorithm::Noise:
      return "dpmsolver";
    case DPMAlgorithm::CleanSDE:
      return "sde-dpmsolver++";
    default:
      return "sde-dpmsolver";
  }
}

inline DPMAlgorithm dpm_algorithm_from_name(std::string_view text) {
  for (const auto a :
       {DPMAlgorithm::Clean, DPMAlgorithm::Noise, DPMAlgorithm::CleanSDE, DPMAlgorithm::NoiseSDE})
    if (name(a) == text) return a;
  check_argument(false,
                 "[dpm_algorithm] expected dpmsolver++, dpmsolver, sde-dpmsolver++ or "
                 "sde-dpmsolver, got ",
                 text);
  return {};
}
inline void from_name(DPMAlgorithm& algorithm, std::string_view text) {
  algorithm = dpm_algorithm_from_name(text);
}

/// How a second-order step weighs the slope.
enum class DPMCorrection {
  Midpoint,  ///< half of the first-order weight
  Heun       ///< its exact integral
};

inline std::string_view name(DPMCorrection correction) {
  return correction == DPMCorrection::Midpoint ? "midpoint" : "heun";
}

inline DPMCorrection dpm_correction_from_name(std::string_view text) {
  for (const auto c : {DPMCorrection::Midpoint, DPMCorrection::Heun})
    if (name(c) == text) return c;
  check_argument(false, "[dpm_correction] expected midpoint or heun, got ", text);
  return {};
}
inline void from_name(DPMCorrection& correction, std::string_view text) {
  correction = dpm_correction_from_name(text);
}

/// Options of DPMSolver.
struct DPMSolverOptions {
  std::int64_t steps = 20;  ///< network evaluations
  std::int64_t order = 2;  ///< 1 (DDIM), 2 or 3; the first steps are of lower order. 3 as published
                           ///< and in diffusers: its curvature is halved, so errors fall with the
                           ///< second power too
  DPMAlgorithm algorithm = DPMAlgorithm::Clean;
  DPMCorrection correction = DPMCorrection::Midpoint;
  Spacing spacing = Spacing::Linspace;  ///< of steps + 1 points, the last of which is not visited
  std::int64_t steps_offset = 0;        ///< added to the steps of Leading spacing
  SigmaSpacing sigmas = SigmaSpacing::Steps;
  bool last_sigma_zero = true;    ///< the last step removes all noise, and is of order 1; false: it
                                  ///< leaves the noise of step 0
  bool lower_order_final = true;  ///< with fewer than 15 steps, the last two are of order 2 and 1
  bool first_order_final = false;  ///< the last step is of order 1 in any case
  double min_log_ratio = -100;     ///< leave out steps with log(signal / noise) below
  double threshold_ratio = 0;      ///< dynamic_threshold of x0; 0: do not
  double threshold_max = 1;
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, DPMSolverOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("order", o.order);
  visit("algorithm", o.algorithm);
  visit("correction", o.correction);
  visit("spacing", o.spacing);
  visit("steps_offset", o.steps_offset);
  visit("sigmas", o.sigmas);
  visit("last_sigma_zero", o.last_sigma_zero);
  visit("lower_order_final", o.lower_order_final);
  visit("first_order_final", o.first_order_final);
  visit("min_log_ratio", o.min_log_ratio);
  visit("threshold_ratio", o.threshold_ratio);
  visit("threshold_max", o.threshold_max);
}

/// Integrates the probability flow in lambda = log(signal / noise), exactly but for the network's
/// answer, which is extrapolated from the last `order` steps.
///
///     DPMSolver sampler(process, {.steps = 20});
///     auto latents = sampler.sample(guided(denoiser, labels, 8, 2.0), noise);
class DPMSolver {
 public:
  explicit DPMSolver(DiffusionProcess process, const DPMSolverOptions& options = {});
  /// For a network that predicts a flow; the times are the flow's, with its shift, and the network
  /// is given whole ones of time_scale * s. Spacing and sigmas are not used.
  explicit DPMSolver(RectifiedFlow flow, const DPMSolverOptions& options = {});

  /// What the network is given as time, in the order of sampling.
  const std::vector<std::int64_t>& timesteps() const { return timesteps_; }
  /// noise / signal before the first and after every step; for a flow its times s.
  const std::vector<double>& sigmas() const { return sigmas_; }

  /// From noise x [B, C, H, W] of N(0, 1) to samples. `noise` is needed only for the SDEs. Runs
  /// without gradients.
  at::Tensor sample(const Denoiser& denoiser, at::Tensor x, const NoiseSource& noise = {},
                    const SamplerCallback& callback = {}) const;

 private:
  /// Weights of x = signal x0 + noise eps.
  struct Weights {
    double signal, noise;
    double lambda() const { return std::log(signal) - std::log(noise); }
  };

  void check_options() const;
  std::vector<std::int64_t> visited_steps(const SigmaTable& table) const;
  bool is_sde() const {
    return options_.algorithm == DPMAlgorithm::CleanSDE ||
           options_.algorithm == DPMAlgorithm::NoiseSDE;
  }
  bool extrapolates_noise() const {
    return options_.algorithm == DPMAlgorithm::Noise ||
           options_.algorithm == DPMAlgorithm::NoiseSDE;
  }
  Weights weights(std::size_t i) const;
  std::int64_t order_at(std::size_t i) const;
  at::Tensor step(const std::vector<at::Tensor>& answers, std::size_t i, const at::Tensor& x,
                  const at::Tensor& noise) const;

  DPMSolverOptions options_;
  std::function<Estimate(const Level&, const at::Tensor& x, const at::Tensor& output)> estimate_;
  bool flow_ = false;
  std::vector<std::int64_t> timesteps_;
  std::vector<double> sigmas_;
};

}  // namespace dermis
