#pragma once
/// \file
/// Two-dimensional convolution with torch's parameter names, creation options and a low-rank slot.

#include "dermis/layers/low_rank.hpp"
#include "dermis/layers/observe.hpp"
#include "dermis/layers/parameter.hpp"

namespace dermis {

/// Geometry of a Conv2d.
struct Conv2dOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t kernel = 3;   ///< square, pixels
  std::int64_t stride = 1;   ///< pixels
  std::int64_t padding = 0;  ///< zeros on each side, pixels
  bool bias = true;
};

/// As torch.nn.Conv2d (same names, same default initialisation). The low-rank slot is empty until
/// add_low_rank(); then lora_A [r, in, k, k] and lora_B [out, r, 1, 1] are registered, W and b are
/// frozen, and clone() reproduces both. forward: x [B, in, H, W] -> [B, out, H', W'] with H' = (H +
/// 2 padding - kernel) / stride + 1.
class Conv2dImpl : public torch::nn::Cloneable<Conv2dImpl> {
 public:
  explicit Conv2dImpl(const Conv2dOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    check_argument(options.in_channels > 0 && options.out_channels > 0 && options.kernel > 0 &&
                       options.stride > 0 && options.padding >= 0,
                   "[conv] expected positive channels, kernel and stride, got ",
                   options.in_channels, " -> ", options.out_channels, ", kernel ", options.kernel,
                   ", stride ", options.stride);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    weight = register_parameter(
        "weight", parameter_options_.empty({o.out_channels, o.in_channels, o.kernel, o.kernel}));
    bias = register_parameter(
        "bias", o.bias ? parameter_options_.empty({o.out_channels}) : at::Tensor(), o.bias);
    if (parameter_options_.draws()) {
      fan_in_uniform_(weight, fan_in(), parameter_options_.generator);
      if (o.bias) fan_in_uniform_(bias, fan_in(), parameter_options_.generator);
    }
    if (low_rank_.enabled()) register_low_rank();
  }

  /// Switches the adapter on. B starts at zero, so the output does not change until it is trained.
  void add_low_rank(const LowRankOptions& low_rank,
                    const std::optional<at::Generator>& generator = {}) {
    check_argument(!low_rank_.enabled(),
                   "[conv] this layer already has a low-rank adapter of rank ", low_rank_.rank);
    check_argument(low_rank.rank > 0 && low_rank.rank <= options.out_channels,
                   "[conv] expected a rank in 1..", options.out_channels, ", got ", low_rank.rank);
    low_rank_ = low_rank;
    parameter_options_.device = weight.device();
    parameter_options_.dtype = weight.scalar_type();
    register_low_rank();
    fan_in_uniform_(lora_A, fan_in(), generator);
    torch::NoGradGuard no_grad;
    lora_B.zero_();
  }

  const LowRankOptions& low_rank() const { return low_rank_; }

  at::Tensor forward(const at::Tensor& x) const {
    const auto convolve = [&](const at::Tensor& w, const at::Tensor& b) {
      return at::conv2d(x, w, b, options.stride, options.padding);
    };
    auto y = convolve(weight, bias);  // [B, out, H', W']
    if (low_rank_.enabled()) y = y + at::conv2d(convolve(lora_A, {}), lora_B) * low_rank_.scale();
    return observed(*this, y);
  }

  Conv2dOptions options;
  at::Tensor weight;          ///< [out, in, k, k]
  at::Tensor bias;            ///< [out], undefined without bias
  at::Tensor lora_A, lora_B;  ///< [r, in, k, k], [out, r, 1, 1]; undefined while the slot is empty

 private:
  std::int64_t fan_in() const { return options.in_channels * options.kernel * options.kernel; }
  void register_low_rank() {
    weight.set_requires_grad(false);
    if (options.bias) bias.set_requires_grad(false);
    lora_A =
        register_parameter("lora_A", parameter_options_.empty({low_rank_.rank, options.in_channels,
                                                               options.kernel, options.kernel}));
    lora_B = register_parameter(
        "lora_B", parameter_options_.empty({options.out_channels, low_rank_.rank, 1, 1}));
  }

  ParameterOptions parameter_options_;
  LowRankOptions low_rank_;
};
TORCH_MODULE(Conv2d);

}  // namespace dermis
