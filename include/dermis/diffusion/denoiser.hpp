#pragma once
/// \file
/// The callables that samplers and losses see instead of a network.

#include <functional>

#include <torch/types.h>

namespace dermis {

/// x [B, C, H, W] and the network's time [B] -> prediction [B, C, H, W]. Bound to its labels, if
/// any.
using Denoiser = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& t)>;

/// The same with labels int64 [B] still open.
using ConditionalDenoiser =
    std::function<at::Tensor(const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels)>;

/// A conditional denoiser that does not look at the labels.
inline ConditionalDenoiser ignore_labels(Denoiser denoiser) {
  return [denoiser = std::move(denoiser)](const at::Tensor& x, const at::Tensor& t,
                                          const at::Tensor&) { return denoiser(x, t); };
}

/// A module (UNet or alike) as a conditional denoiser; shares the module, does not copy it.
template <class Module>
ConditionalDenoiser denoiser_of(Module module) {
  return [module](const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels) mutable {
    return module->forward(x, t, labels);
  };
}

}  // namespace dermis
