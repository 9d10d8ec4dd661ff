#pragma once
/// \file
/// LayerNorm, RMSNorm, GroupNorm and Embedding with torch's parameter names and creation options.
/// `eps` has no default on purpose: 1e-5, 1e-6 and 1e-12 coexist in the reference models.

#include <string>
#include <vector>

#include "dermis/layers/observe.hpp"
#include "dermis/layers/parameter.hpp"

namespace dermis {

/// (x - mean) / sqrt(var + eps) * weight + bias over the last axis. forward: x [*, dim] -> [*,
/// dim].
class LayerNormImpl : public torch::nn::Cloneable<LayerNormImpl> {
 public:
  LayerNormImpl(std::int64_t dim, double eps, const ParameterOptions& parameters = {})
      : dim_(dim), eps_(eps), parameter_options_(parameters) {
    check_argument(dim_ > 0, "[layer_norm] expected a positive size, got ", dim_);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    weight = register_parameter("weight", parameter_options_.empty({dim_}));
    bias = register_parameter("bias", parameter_options_.empty({dim_}));
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    weight.fill_(1);
    bias.zero_();
  }

  at::Tensor forward(const at::Tensor& x) const {
    return observed(*this, at::layer_norm(x, {dim_}, weight, bias, eps_));
  }

  at::Tensor weight, bias;  ///< [dim]

 private:
  std::int64_t dim_;
  double eps_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(LayerNorm);

/// x / sqrt(mean(x^2) + eps) * weight over the last axis, computed in fp32 (arXiv 1910.07467): no
/// mean is taken off and no bias added. forward: x [*, dim] -> same, in the weight's type.
class RMSNormImpl : public torch::nn::Cloneable<RMSNormImpl> {
 public:
  /// \param name  of the parameter: T5 says weight, Flux scale
  RMSNormImpl(std::int64_t dim, double eps, const ParameterOptions& parameters = {},
              std::string name = "weight")
      : dim_(dim), eps_(eps), name_(std::move(name)), parameter_options_(parameters) {
    check_argument(dim_ > 0, "[rms_norm] expected a positive size, got ", dim_);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    weight = register_parameter(name_, parameter_options_.empty({dim_}));
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    weight.fill_(1);
  }

  at::Tensor forward(const at::Tensor& x) const {
    const auto y = x.to(at::kFloat);
    const auto inverse = (y.square().mean(-1, true) + eps_).rsqrt();
    return observed(*this, (y * inverse).to(weight.scalar_type()) * weight);
  }

  at::Tensor weight;  ///< [dim]

 private:
  std::int64_t dim_;
  double eps_;
  std::string name_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(RMSNorm);

/// Normalisation over groups of channels and all positions. forward: x [B, channels, *] -> same.
class GroupNormImpl : public torch::nn::Cloneable<GroupNormImpl> {
 public:
  GroupNormImpl(std::int64_t groups, std::int64_t channels, double eps,
                const ParameterOptions& parameters = {})
      : groups_(groups), channels_(channels), eps_(eps), parameter_options_(parameters) {
    check_argument(groups_ > 0 && channels_ > 0 && channels_ % groups_ == 0,
                   "[group_norm] expected channels divisible by groups, got ", channels_,
                   " channels in ", groups_, " groups");
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    weight = register_parameter("weight", parameter_options_.empty({channels_}));
    bias = register_parameter("bias", parameter_options_.empty({channels_}));
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    weight.fill_(1);
    bias.zero_();
  }

  at::Tensor forward(const at::Tensor& x) const {
    return observed(*this, at::group_norm(x, groups_, weight, bias, eps_));
  }

  at::Tensor weight, bias;  ///< [channels]

 private:
  std::int64_t groups_, channels_;
  double eps_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(GroupNorm);

/// Lookup table. forward: indices int64 [*] in 0..count-1 -> [*, dim]. First values N(0, 1) as
/// torch.nn.Embedding.
class EmbeddingImpl : public torch::nn::Cloneable<EmbeddingImpl> {
 public:
  EmbeddingImpl(std::int64_t count, std::int64_t dim, const ParameterOptions& parameters = {})
      : count_(count), dim_(dim), parameter_options_(parameters) {
    check_argument(count_ > 0 && dim_ > 0, "[embedding] expected positive sizes, got ", count_,
                   " x ", dim_);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    weight = register_parameter("weight", parameter_options_.empty({count_, dim_}));
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    weight.normal_(0, 1, parameter_options_.generator);
  }

  at::Tensor forward(const at::Tensor& indices) const {
    return observed(*this, at::embedding(weight, indices));
  }

  at::Tensor weight;  ///< [count, dim]

 private:
  std::int64_t count_, dim_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(Embedding);

}  // namespace dermis
