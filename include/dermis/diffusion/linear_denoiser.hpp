#pragma once
/// \file
/// The best linear denoiser, which is the exact one if the data were Gaussian: what a trained
/// network must beat before anything it draws is worth looking at.

#include <algorithm>
#include <cmath>

#include <torch/types.h>

#include "dermis/core/check.hpp"
#include "dermis/diffusion/denoiser.hpp"
#include "dermis/diffusion/objective.hpp"

namespace dermis {

/// Knows training latents by mean mu and covariance S over all C H W values. With x = a x0 + b eps,
///     E[eps | x] = b (a^2 S + b^2)^-1 (x - a mu),  E[x0 | x] = mu + a S (a^2 S + b^2)^-1 (x - a
///     mu).
/// S is shrunk towards a multiple of the identity by Ledoit and Wolf's estimate (J. Multivariate
/// Analysis 88, 2004), without which a sample covariance of few latents fails on new ones.
///
///     LinearDenoiser linear(train_latents);
///     auto loss = denoising_loss(process, ignore_labels(linear.denoiser(process)), ...);
class LinearDenoiser {
 public:
  /// latents [N, C, H, W]. shrinkage in 0..1; negative: estimated.
  explicit LinearDenoiser(const at::Tensor& latents, double shrinkage = -1.0) {
    check_argument(latents.dim() == 4 && latents.size(0) >= 2,
                   "[linear_denoiser] expected at least 2 latents of shape [N, C, H, W]");
    check_argument(shrinkage <= 1.0, "[linear_denoiser] expected a shrinkage of at most 1, got ",
                   shrinkage);
    const at::NoGradGuard no_grad;
    const auto flat = latents.to(at::kDouble).flatten(1);  // [N, D]
    const auto count = static_cast<double>(flat.size(0)), dim = static_cast<double>(flat.size(1));
    const auto mean = flat.mean(0, true);                                // [1, D]
    const auto centred = flat - mean;                                    // [N, D]
    const auto covariance = at::matmul(centred.t(), centred) / count;    // [D, D]
    const double average = covariance.diagonal().mean().item<double>();  // of the eigenvalues
    if (shrinkage < 0) {
      const double norm = covariance.square().sum().item<double>();
      const double fourth = centred.square().sum(1).square().sum().item<double>();
      const double distance = norm / dim - average * average;
      const double error = (fourth / count - norm) / (count * dim);
      shrinkage = distance > 0 ? std::min(std::max(error, 0.0) / distance, 1.0) : 1.0;
    }
    shrinkage_ = shrinkage;
    const auto [values, vectors] = at::linalg_eigh(covariance);
    values_ = (values.clamp_min(0) * (1 - shrinkage) + shrinkage * average).to(at::kFloat);  // [D]
    vectors_ = vectors.to(at::kFloat).contiguous();  // [D, D]
    mean_ = mean.to(at::kFloat);                     // [1, D]
  }

  /// The shrinkage that was used.
  double shrinkage() const { return shrinkage_; }

  /// E[x0 | x] and E[eps | x] at `level`, for x [B, C, H, W].
  Estimate estimate(const Level& level, const at::Tensor& x) const {
    check_argument(x.dim() == 4 && x.numel() == x.size(0) * mean_.size(1),
                   "[linear_denoiser] expected x of ", mean_.size(1), " values each");
    const auto flat = x.to(at::kFloat).flatten(1);                        // [B, D]
    const auto a = level.signal.flatten(1).to(at::kFloat);                // [B, 1]
    const auto b = level.noise.flatten(1).to(at::kFloat);                 // [B, 1]
    const auto rotated = at::matmul(flat - a * mean_, vectors_);          // [B, D]
    const auto whitened = rotated / (a.square() * values_ + b.square());  // [B, D]
    const auto back = [&](const at::Tensor& y) { return at::matmul(y, vectors_.t()); };
    return {(mean_ + back(a * values_ * whitened)).view(x.sizes()),
            back(b * whitened).view(x.sizes())};
  }

  /// As a denoiser of a DiffusionProcess or a RectifiedFlow: answers what a network would.
  template <class Process>
  Denoiser denoiser(Process process) const {
    return [linear = *this, process](const at::Tensor& x, const at::Tensor& time) {
      const auto level = process.level(process.from_model_time(time), x);
      return process.target(level, linear.estimate(level, x));
    };
  }

 private:
  double shrinkage_ = 0;
  at::Tensor mean_, values_, vectors_;
};

}  // namespace dermis
