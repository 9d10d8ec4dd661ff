#pragma once
/// \file
/// A small module and its copies.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <ATen/CPUGeneratorImpl.h>

#include <string>

#include "dermis/io/tensors.hpp"
#include "folder.hpp"

namespace dermis::test::training {

using dermis::test::FileSizeLimit;
using dermis::test::ScratchFolder;
using dermis::test::write_text;

inline at::Tensor normal(at::IntArrayRef shape, std::uint64_t seed, double scale = 1) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::kFloat) * scale;
}

/// Two linear layers with a ReLU between, a counter as buffer, a frozen tensor.
struct TinyModule : torch::nn::Module {
  explicit TinyModule(std::uint64_t seed) {
    weight1 = register_parameter("weight1", normal({8, 4}, seed, 0.5));
    bias1 = register_parameter("bias1", at::zeros({8}));
    weight2 = register_parameter("weight2", normal({3, 8}, seed + 1, 0.5));
    bias2 = register_parameter("bias2", at::zeros({3}));
    frozen = register_parameter("frozen", at::ones({2, 2}), /*requires_grad=*/false);
    calls = register_buffer("calls", at::zeros({}));
  }
  at::Tensor forward(const at::Tensor& x) {
    if (is_training()) calls.add_(1);
    return at::linear(at::relu(at::linear(x, weight1, bias1)), weight2, bias2);
  }

  at::Tensor weight1, bias1, weight2, bias2, frozen, calls;
};

/// A copy that shares nothing.
inline StateDict snapshot(const torch::nn::Module& module) {
  StateDict copy;
  for (const auto& [name, tensor] : state_dict(module)) {
    copy.emplace_back(name, tensor.detach().clone());
  }
  return copy;
}

inline bool equal(const StateDict& a, const StateDict& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].first != b[i].first || !at::equal(a[i].second, b[i].second)) return false;
  }
  return true;
}

}  // namespace dermis::test::training
