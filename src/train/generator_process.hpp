#pragma once
/// \file
/// The process that a generator's options describe: those with objective, flow and schedule.

#include "dermis/diffusion/objective.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "dermis/train/generator_options.hpp"

namespace dermis::detail {

/// Calls `body` with it; diffusion and flow have the same functions.
template <class Options, class Body>
auto with_process(const Options& options, Body body) {
  if (options.objective == Objective::Flow) return body(RectifiedFlow(options.flow));
  return body(DiffusionProcess(
      NoiseSchedule(options.schedule),
      options.objective == Objective::Velocity ? Prediction::Velocity : Prediction::Epsilon));
}

/// The network's time where there is nothing but noise: GuidanceOptions::time_scale.
inline double time_scale(const DiffusionProcess& process) {
  return static_cast<double>(process.schedule().steps());
}
inline double time_scale(const RectifiedFlow& flow) {
  return flow.options().time_scale;
}

/// Weights [B] of the loss at times t [B] of the process; undefined where all weigh the same.
inline at::Tensor loss_weights(const DiffusionProcess& process, const GeneratorOptions& options,
                               const at::Tensor& t) {
  return options.min_snr_gamma > 0 ? min_snr_weight(process, t, options.min_snr_gamma)
                                   : at::Tensor();
}
inline at::Tensor loss_weights(const RectifiedFlow&, const GeneratorOptions& options,
                               const at::Tensor& s) {
  return options.flow_weighting == FlowWeighting::None ? at::Tensor()
                                                       : flow_weight(options.flow_weighting, s);
}

}  // namespace dermis::detail
