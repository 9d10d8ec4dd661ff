#pragma once
/// \file
/// Exponential moving average of a module's weights.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "dermis/io/tensors.hpp"

namespace dermis {

/// d of update n = 1, 2, ...: min(decay, n / (9 + n)), but 0 for the first (diffusers' EMAModel;
/// latent diffusion, which EMA follows, is one update ahead).
inline double diffusers_ema_decay(std::int64_t n, double decay) {
  return n <= 1 ? 0 : std::min(decay, static_cast<double>(n) / static_cast<double>(9 + n));
}

/// d of update n = 1, 2, ...: min(decay, 1 - (1 + (n - 1) / inv_gamma)^-power); 0 for the first
/// (timm's ModelEmaV3 with warm-up; diffusers' EMAModel with use_ema_warmup, inv_gamma 1).
inline double power_ema_decay(std::int64_t n, double decay, double power = 2.0 / 3,
                              double inv_gamma = 1) {
  return std::min(decay, 1 - std::pow(1 + static_cast<double>(n - 1) / inv_gamma, -power));
}

/// Averages w <- d w + (1 - d) p with d = min(decay, (1 + n) / (10 + n)), n the number of updates
/// including this one (latent diffusion, ldm/modules/ema.py), so that a short run is not dominated
/// by its random start. Floating-point parameters that require a gradient are averaged; buffers are
/// copied; frozen parameters are not held.
///
///     EMA ema(*model, 0.999);
///     for (...) { optimizer.step(lr); ema.update(*model); }
///     ema.copy_to(*model);
class EMA {
 public:
  /// Starts at the module's present weights.
  /// \param decay  in [0, 1)
  EMA(const torch::nn::Module& module, double decay);

  /// \throws std::invalid_argument if the module lacks a tensor that is held
  void update(const torch::nn::Module& module);
  /// The same with this d in [0, 1], whatever the number of updates (timm's ModelEmaV2 has a fixed
  /// one; see diffusers_ema_decay and power_ema_decay).
  void update(const torch::nn::Module& module, double decay);
  /// Overwrites the module's weights and buffers by the averaged ones.
  void copy_to(torch::nn::Module& module) const;
  /// Exchanges them, bit for bit: once to evaluate with the average, once more to go on training.
  void swap(torch::nn::Module& module);

  /// The held tensors by name, and "updates" (int64 scalar); shares memory with this object.
  StateDict state() const;
  /// Strict, as copy_tensors.
  void load(const StateDict& state, const std::string& source);

 private:
  StateDict averages_;
  StateDict buffers_;
  at::Tensor updates_;
  double decay_;
};

}  // namespace dermis
