#pragma once
/// \file
/// Activation checkpointing: less memory for more time. LibTorch's C++ API has none.

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

namespace dermis {

/// body(x), keeping none of its intermediate results for the backward pass, which computes them
/// again (Chen et al., arXiv 1604.06174). `generator` is whatever `body` draws from (drop path):
/// the second time starts from the same state and leaves it as it was. Autocast is the same both
/// times. Gradients equal those of body(x) where the forward pass is deterministic.
///
///     x = checkpoint_activations([&](const at::Tensor& h) { return block->forward(h); }, x);
///
/// What `body` refers to must live until the backward pass. x: any shape.
at::Tensor checkpoint_activations(std::function<at::Tensor(const at::Tensor&)> body,
                                  const at::Tensor& x,
                                  const std::optional<at::Generator>& generator = {});

}  // namespace dermis
