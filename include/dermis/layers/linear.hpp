#pragma once
/// \file
/// Fully connected layer with torch's parameter names, creation options and a low-rank slot.

#include <algorithm>

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
    if (low_rank_.enabled()) register_low_rank(low_rank_type_);
  }

  /// Switches the adapter on. B starts at zero, so the output does not change until it is trained.
  /// \param type  of A and B; none: the weight's (fp32 is usual on weights in bf16)
  void add_low_rank(const LowRankOptions& options,
                    const std::optional<at::Generator>& generator = {},
                    std::optional<at::ScalarType> type = {}) {
    check_argument(options.rank > 0 && options.rank <= std::min(in_, out_),
                   "[linear] expected a rank in 1..", std::min(in_, out_), ", got ", options.rank);
    open_low_rank(options, type.value_or(weight.scalar_type()));
    fan_in_uniform_(lora_A, in_, generator);
    torch::NoGradGuard no_grad;
    lora_B.zero_();
  }

  /// Switches the adapter on with given values: A [r, in], B [out, r]. options.rank is A's, also
  /// beyond in and out (parts of a fused layer one below the other).
  void add_low_rank(LowRankOptions options, const at::Tensor& A, const at::Tensor& B) {
    check_argument(A.dim() == 2 && B.dim() == 2 && A.size(1) == in_ && B.size(0) == out_ &&
                       A.size(0) == B.size(1) && A.size(0) > 0,
                   "[linear] expected low-rank factors of shapes [r, ", in_, "] and [", out_,
                   ", r], got ", shape_text(A), " and ", shape_text(B));
    options.rank = A.size(0);
    open_low_rank(options, A.scalar_type());
    torch::NoGradGuard no_grad;
    lora_A.copy_(A);
    lora_B.copy_(B);
  }

  const LowRankOptions& low_rank() const { return low_rank_; }
  /// Whether the adapter is part of the weight at present.
  bool merged() const { return merged_; }

  void set_low_rank_strength(double strength) {
    check_argument(!merged_, "[linear] expected an adapter that is not merged");
    low_rank_.strength = strength;
  }
  /// W + s B A becomes the weight, or ceases to be (up to rounding, which bf16 shows).
  void set_merged(bool merged) {
    if (!low_rank_.enabled() || merged == merged_) return;
    torch::NoGradGuard no_grad;
    const double sign = merged ? 1.0 : -1.0;
    weight.copy_(weight.to(at::kFloat) + sign * low_rank_delta());
    merged_ = merged;
  }
  /// s B A, fp32 [out, in].
  at::Tensor low_rank_delta() const {
    return low_rank_.scale() * at::matmul(lora_B.to(at::kFloat), lora_A.to(at::kFloat));
  }
  /// Empties the slot; what was merged stays.
  void drop_low_rank() {
    if (!low_rank_.enabled()) return;
    parameters_.erase("lora_A");
    parameters_.erase("lora_B");
    lora_A = lora_B = at::Tensor();
    low_rank_ = {};
    merged_ = false;
  }

  at::Tensor forward(const at::Tensor& x) const {
    auto y = at::linear(x, weight, bias);  // [*, out]
    if (low_rank_.enabled() && !merged_) y = y + low_rank_part(x).to(y.scalar_type());
    return observed(*this, y);
  }

  at::Tensor weight;          ///< [out, in]
  at::Tensor bias;            ///< [out], undefined without bias
  at::Tensor lora_A, lora_B;  ///< [r, in], [out, r]; undefined while the slot is empty
  /// Where the adapter's dropout is drawn from, in training; see set_low_rank_generator.
  std::optional<at::Generator> low_rank_generator;

 private:
  void open_low_rank(const LowRankOptions& options, at::ScalarType type) {
    check_argument(!low_rank_.enabled(),
                   "[linear] this layer already has a low-rank adapter of rank ", low_rank_.rank);
    check_argument(options.dropout >= 0 && options.dropout < 1,
                   "[linear] expected a dropout in [0, 1), got ", options.dropout);
    low_rank_ = options;
    parameter_options_.device = weight.device();
    parameter_options_.dtype = weight.scalar_type();
    register_low_rank(type);
  }

  void register_low_rank(at::ScalarType type) {
    low_rank_type_ = type;
    auto place = parameter_options_;
    place.dtype = type;
    weight.set_requires_grad(false);
    if (has_bias_) bias.set_requires_grad(false);
    lora_A = register_parameter("lora_A", place.empty({low_rank_.rank, in_}));
    lora_B = register_parameter("lora_B", place.empty({out_, low_rank_.rank}));
  }

  at::Tensor low_rank_part(const at::Tensor& x) const {
    auto input = x.to(lora_A.scalar_type());
    if (is_training() && low_rank_.dropout > 0) {
      check_argument(low_rank_generator.has_value(),
                     "[linear] expected a generator for the adapter's dropout, see "
                     "set_low_rank_generator");
      const double kept = 1.0 - low_rank_.dropout;
      input = input * at::empty_like(input).bernoulli_(kept, low_rank_generator) / kept;
    }
    return at::linear(at::linear(input, lora_A), lora_B) * low_rank_.scale();
  }

  std::int64_t in_, out_;
  bool has_bias_;
  ParameterOptions parameter_options_;
  LowRankOptions low_rank_;
  at::ScalarType low_rank_type_ = at::kFloat;
  bool merged_ = false;
};
TORCH_MODULE(Linear);

}  // namespace dermis
