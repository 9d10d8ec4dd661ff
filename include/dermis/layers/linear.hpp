#pragma once
/// \file
/// Fully connected layer with torch's parameter names, creation options and a low-rank slot.

#include "dermis/layers/low_rank.hpp"
#include "dermis/layers/observe.hpp"
#include "dermis/layers/parameter.hpp"

namespace dermis {

/// y = x W^T + b, as torch.nn.Linear (same names, same default initialisation). The low-rank slot
/// is empty until add_low_rank(); then lora_A [r, in] and lora_B [out, r] are registered, W and b
/// are frozen, and clone() reproduces both. forward: x [*, in] -> [*, out].
class LinearImpl : public torch::nn::Cloneable<LinearImpl> {
 public:
  LinearImpl(std::int64_t in_features, std::int64_t out_features, bool bias = true,
             const ParameterOptions& parameters = {})
      : in_(in_features), out_(out_features), has_bias_(bias), parameter_options_(parameters) {
    check_argument(in_ > 0 && out_ > 0, "[linear] expected positive sizes, got ", in_, " -> ",
                   out_);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    weight = register_parameter("weight", parameter_options_.empty({out_, in_}));
    bias = register_parameter("bias", has_bias_ ? parameter_options_.empty({out_}) : at::Tensor(),
                              has_bias_);
    if (parameter_options_.draws()) {
      fan_in_uniform_(weight, in_, parameter_options_.generator);
      if (has_bias_) fan_in_uniform_(bias, in_, parameter_options_.generator);
    }
    if (low_rank_.enabled()) register_low_rank();
  }

  /// Switches the adapter on. B starts at zero, so the output does not change until it is trained.
  void add_low_rank(const LowRankOptions& options,
                    const std::optional<at::Generator>& generator = {}) {
    check_argument(!low_rank_.enabled(),
                   "[linear] this layer already has a low-rank adapter of rank ", low_rank_.rank);
    check_argument(options.rank > 0 && options.rank <= std::min(in_, out_),
                   "[linear] expected a rank in 1..", std::min(in_, out_), ", got ", options.rank);
    low_rank_ = options;
    parameter_options_.device = weight.device();
    parameter_options_.dtype = weight.scalar_type();
    register_low_rank();
    fan_in_uniform_(lora_A, in_, generator);
    torch::NoGradGuard no_grad;
    lora_B.zero_();
  }

  const LowRankOptions& low_rank() const { return low_rank_; }

  at::Tensor forward(const at::Tensor& x) const {
    auto y = at::linear(x, weight, bias);  // [*, out]
    if (low_rank_.enabled()) y = y + at::linear(at::linear(x, lora_A), lora_B) * low_rank_.scale();
    return observed(*this, y);
  }

  at::Tensor weight;          ///< [out, in]
  at::Tensor bias;            ///< [out], undefined without bias
  at::Tensor lora_A, lora_B;  ///< [r, in], [out, r]; undefined while the slot is empty

 private:
  void register_low_rank() {
    weight.set_requires_grad(false);
    if (has_bias_) bias.set_requires_grad(false);
    lora_A = register_parameter("lora_A", parameter_options_.empty({low_rank_.rank, in_}));
    lora_B = register_parameter("lora_B", parameter_options_.empty({out_, low_rank_.rank}));
  }

  std::int64_t in_, out_;
  bool has_bias_;
  ParameterOptions parameter_options_;
  LowRankOptions low_rank_;
};
TORCH_MODULE(Linear);

}  // namespace dermis
