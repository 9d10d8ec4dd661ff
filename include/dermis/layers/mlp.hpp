#pragma once
/// \file
/// The transformer's two-layer perceptron, with timm's names.

#include "dermis/layers/linear.hpp"

namespace dermis {

/// fc2(gelu(fc1(x))) with the exact (erf) GELU. forward: x [*, dim] -> [*, dim].
class MlpImpl : public torch::nn::Cloneable<MlpImpl> {
 public:
  MlpImpl(std::int64_t dim, std::int64_t hidden, const ParameterOptions& parameters = {})
      : dim_(dim), hidden_(hidden), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    fc1 = register_module("fc1", Linear(dim_, hidden_, true, parameter_options_));
    fc2 = register_module("fc2", Linear(hidden_, dim_, true, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& x) { return fc2->forward(at::gelu(fc1->forward(x))); }

  Linear fc1{nullptr}, fc2{nullptr};

 private:
  std::int64_t dim_, hidden_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(Mlp);

}  // namespace dermis
