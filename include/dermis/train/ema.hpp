#pragma once
/// \file
/// Exponential moving average of a module's weights.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <string>

#include "dermis/io/tensors.hpp"

namespace dermis {

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
