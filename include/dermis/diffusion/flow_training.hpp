#pragma once
/// \file
/// How rectified flows are trained in practice: weights of the loss over the times s (SD3, arXiv
/// 2403.03206, section 3.1), shifts of the times, and how the network's output is used.

#include <numbers>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "dermis/core/check.hpp"

namespace dermis {

/// Weight of the loss at time s in 0..1, 1 = noise.
enum class FlowWeighting {
  None,       ///< 1
  SigmaSqrt,  ///< s^-2
  CosMap      ///< 2 / (pi (1 - 2 s + 2 s^2))
};

inline std::string_view name(FlowWeighting weighting) {
  switch (weighting) {
    case FlowWeighting::None:
      return "none";
    case FlowWeighting::SigmaSqrt:
      return "sigma_sqrt";
    default:
      return "cosmap";
  }
}

inline FlowWeighting flow_weighting_from_name(std::string_view text) {
  for (const auto w : {FlowWeighting::None, FlowWeighting::SigmaSqrt, FlowWeighting::CosMap})
    if (name(w) == text) return w;
  check_argument(false, "[flow_weighting] expected none, sigma_sqrt or cosmap, got ", text);
  return {};
}
inline void from_name(FlowWeighting& weighting, std::string_view text) {
  weighting = flow_weighting_from_name(text);
}

/// Weights of times s, shaped as s.
inline at::Tensor flow_weight(FlowWeighting weighting, const at::Tensor& s) {
  switch (weighting) {
    case FlowWeighting::None:
      return at::ones_like(s);
    case FlowWeighting::SigmaSqrt:
      return s.pow(-2.0);
    default:
      return 2.0 / (std::numbers::pi * (1.0 - 2.0 * s + 2.0 * s.square()));
  }
}

/// How the network's output is used in the loss, with kohya's names.
enum class FlowPrediction {
  Raw,         ///< as it is: the velocity eps - x0
  Additive,    ///< x_s is added
  SigmaScaled  ///< the clean sample that follows from a velocity, x_s - s output
};

inline std::string_view name(FlowPrediction prediction) {
  switch (prediction) {
    case FlowPrediction::Raw:
      return "raw";
    case FlowPrediction::Additive:
      return "additive";
    default:
      return "sigma_scaled";
  }
}

inline FlowPrediction flow_prediction_from_name(std::string_view text) {
  for (const auto p : {FlowPrediction::Raw, FlowPrediction::Additive, FlowPrediction::SigmaScaled})
    if (name(p) == text) return p;
  check_argument(false, "[flow_prediction] expected raw, additive or sigma_scaled, got ", text);
  return {};
}
inline void from_name(FlowPrediction& prediction, std::string_view text) {
  prediction = flow_prediction_from_name(text);
}

/// What enters the loss, of outputs and x_s [B, ...] at times s [B].
inline at::Tensor flow_output(FlowPrediction prediction, const at::Tensor& output,
                              const at::Tensor& x, const at::Tensor& s) {
  if (prediction == FlowPrediction::Raw) return output;
  if (prediction == FlowPrediction::Additive) return output + x;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape.front() = s.size(0);
  return x - s.view(shape).to(x.options()) * output;
}

/// Times s moved towards the noise: shift s / (1 + (shift - 1) s). A dynamic (Flux) shift is this
/// one with shift e^mu.
inline at::Tensor shifted_times(const at::Tensor& s, double shift) {
  check_argument(shift > 0, "[flow] expected a positive shift, got ", shift);
  return shift * s / (1.0 + (shift - 1.0) * s);
}

}  // namespace dermis
