#pragma once
/// \file
/// The training loss of CompVis/latent-diffusion (arXiv 2112.10752): squared or absolute error, a
/// log variance, and a share of the variational bound.

#include "dermis/diffusion/ddpm.hpp"

namespace dermis {

/// Weights of the squared error in the variational bound, one a step, [T] doubles. Epsilon:
/// beta^2 / (2 variance alpha (1 - alpha_bar)) with the posterior's variance (arXiv 2006.11239,
/// eq. 12). Sample: sqrt(alpha_bar) / (2 (2 - alpha_bar)), as latent-diffusion computes it and its
/// models were trained, not as the bound has it. Step 0, infinite for epsilon, has the weight of
/// step 1. std::invalid_argument for velocity.
inline at::Tensor bound_weights(const DiffusionProcess& process) {
  check_argument(process.prediction() != Prediction::Velocity,
                 "[latent_diffusion_loss] expected epsilon or sample prediction, got velocity");
  const auto& schedule = process.schedule();
  std::vector<double> weights;
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    const auto step = std::max<std::int64_t>(t, 1);
    const double a = schedule.alpha_bar(step), beta = schedule.beta(step);
    const double variance = Posterior::between(a, schedule.alpha_bar(step - 1)).variance;
    weights.push_back(process.prediction() == Prediction::Sample
                          ? 0.5 * std::sqrt(a) / (2.0 - a)
                          : beta * beta / (2.0 * variance * (1.0 - beta) * (1.0 - a)));
  }
  return at::tensor(weights, at::kDouble);
}

/// Options of latent_diffusion_loss; the defaults are the plain mean squared error.
struct LatentDiffusionLossOptions {
  bool absolute = false;     ///< |error| instead of its square
  double simple_weight = 1;  ///< of the error
  double bound_weight = 0;   ///< of the variational bound (original_elbo_weight)
  double log_variance = 0;   ///< of the prediction, for all steps: error / exp(s) + s
};

/// The loss and what it is made of, each a scalar.
struct LatentDiffusionLoss {
  at::Tensor total;   ///< simple_weight * mean(error / exp(s) + s) + bound_weight * bound
  at::Tensor simple;  ///< mean of the error
  at::Tensor bound;   ///< mean of the error times bound_weights of its step
};

/// output and target [B, C, H, W], t int64 [B], as of process.corrupt().
inline LatentDiffusionLoss latent_diffusion_loss(const DiffusionProcess& process,
                                                 const at::Tensor& output, const at::Tensor& target,
                                                 const at::Tensor& t,
                                                 const LatentDiffusionLossOptions& options = {}) {
  check_argument(output.sizes() == target.sizes() && t.dim() == 1 && output.dim() > 1 &&
                     t.size(0) == output.size(0),
                 "[latent_diffusion_loss] expected output and target of one shape and one step an "
                 "image, got ",
                 output.sizes(), ", ", target.sizes(), " and ", t.sizes());
  const auto difference = (output - target).to(at::kFloat);
  const auto error =
      (options.absolute ? difference.abs() : difference.square()).flatten(1).mean(1);  // [B]
  const auto weights = bound_weights(process).index_select(0, t.cpu()).to(error.options());
  const double s = options.log_variance;
  LatentDiffusionLoss loss{{}, error.mean(), (weights * error).mean()};
  loss.total =
      options.simple_weight * (loss.simple / std::exp(s) + s) + options.bound_weight * loss.bound;
  return loss;
}

}  // namespace dermis
