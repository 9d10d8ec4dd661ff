#pragma once
/// \file
/// How a module's parameters come to be: where, in which type, and with which first values.
/// LibTorch's C++ modules know none of the three; every layer of ours takes ParameterOptions as its
/// last argument.

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include "dermis/core/check.hpp"

namespace dermis {

/// Device, type and initialisation of a module's parameters.
///
///     ViT vit(vit_huge(), ParameterOptions{.device = at::kMeta});                    // counts
///     parameters, allocates nothing ViT vit(options, ParameterOptions{.generator =
///     make_generator(seed, "vit")});  // the same weights for the same seed
struct ParameterOptions {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  bool init = true;  ///< false: left unset, for weights that a file will fill
  std::optional<at::Generator> generator =
      {};  ///< source of the first values; none: LibTorch's default generator

  /// An unset tensor of this device and type.
  at::Tensor empty(at::IntArrayRef sizes) const {
    return torch::empty(sizes, torch::dtype(dtype).device(device));
  }
  /// True when first values should be drawn: a tensor on the meta device has none.
  bool draws() const { return init && !device.is_meta(); }
  /// The same place, but values come from elsewhere: what a module keeps after construction, so
  /// that clone() draws nothing.
  ParameterOptions without_init() const { return {device, dtype, false, std::nullopt}; }
};

/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)), LibTorch's default for Linear and Conv weights and biases.
inline void fan_in_uniform_(const at::Tensor& tensor, std::int64_t fan_in,
                            const std::optional<at::Generator>& generator) {
  torch::NoGradGuard no_grad;
  const double bound = fan_in > 0 ? 1.0 / std::sqrt(static_cast<double>(fan_in)) : 0.0;
  at::Tensor(tensor).uniform_(-bound, bound, generator);
}

/// Xavier uniform over the tensor viewed as [out, rest].
inline void xavier_uniform_(const at::Tensor& tensor,
                            const std::optional<at::Generator>& generator) {
  torch::NoGradGuard no_grad;
  const auto fan_out = tensor.size(0), fan_in = tensor.numel() / tensor.size(0);
  const double bound = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  at::Tensor(tensor).uniform_(-bound, bound, generator);
}

/// N(0, std) restricted to +-2 std, by inverse transform as timm draws it.
inline void truncated_normal_(const at::Tensor& tensor, double std,
                              const std::optional<at::Generator>& generator) {
  torch::NoGradGuard no_grad;
  const double edge = std::erf(std::sqrt(2.0));  // P(|x| < 2 std) = erf(2 / sqrt 2)
  at::Tensor(tensor)
      .uniform_(-edge, edge, generator)
      .erfinv_()
      .mul_(std * std::sqrt(2.0))
      .clamp_(-2 * std, 2 * std);
}

/// Number of values in a module's parameters (not its buffers), frozen ones included.
inline std::int64_t parameter_count(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

/// "[2, 3, 64, 64]", for error messages.
inline std::string shape_text(const at::Tensor& tensor) {
  std::string shape = "[";
  for (std::int64_t i = 0; i < tensor.dim(); ++i)
    shape += (i ? ", " : "") + std::to_string(tensor.size(i));
  return shape + "]";
}

/// Freezes a module for good: evaluation mode and no gradients (a teacher, a frozen autoencoder).
inline void freeze(torch::nn::Module& module) {
  module.eval();
  for (auto& parameter : module.parameters()) parameter.set_requires_grad(false);
}

}  // namespace dermis
