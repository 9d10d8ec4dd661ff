#pragma once
/// \file
/// Batch normalisation of maps (arXiv 1502.03167) with torch's names and creation options.

#include "dermis/layers/observe.hpp"
#include "dermis/layers/parameter.hpp"

namespace dermis {

/// (x - mean) / sqrt(var + eps) * weight + bias by channel. In training mean and variance are those
/// of the batch (all images and positions), and running_mean and running_var move towards them by
/// `momentum` (the variance unbiased, as in torch); in evaluation the running ones are used and
/// nothing is written. The running values are buffers: they are saved, resumed and copied by EMA as
/// weights are. A batch that is computed in parts (StageSchedule::accumulate) is normalised part by
/// part. forward: x [B, channels, H, W] -> same.
class BatchNormImpl : public torch::nn::Cloneable<BatchNormImpl> {
 public:
  explicit BatchNormImpl(std::int64_t channels, double eps = 1e-5, double momentum = 0.1,
                         const ParameterOptions& parameters = {})
      : channels_(channels), eps_(eps), momentum_(momentum), parameter_options_(parameters) {
    check_argument(channels_ > 0, "[batch_norm] expected a positive number of channels, got ",
                   channels_);
    check_argument(momentum_ > 0 && momentum_ <= 1,
                   "[batch_norm] expected a momentum in (0, 1], got ", momentum_);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    weight = register_parameter("weight", parameter_options_.empty({channels_}));
    bias = register_parameter("bias", parameter_options_.empty({channels_}));
    running_mean = register_buffer("running_mean", parameter_options_.empty({channels_}));
    running_var = register_buffer("running_var", parameter_options_.empty({channels_}));
    num_batches_tracked = register_buffer(
        "num_batches_tracked",
        torch::empty({}, torch::dtype(torch::kLong).device(parameter_options_.device)));
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    weight.fill_(1);
    bias.zero_();
    running_mean.zero_();
    running_var.fill_(1);
    num_batches_tracked.zero_();
  }

  at::Tensor forward(const at::Tensor& x) {
    check_argument(x.dim() == 4 && x.size(1) == channels_, "[batch_norm] expected maps [B, ",
                   channels_, ", H, W], got ", shape_text(x));
    if (is_training()) num_batches_tracked.add_(1);
    return observed(*this, at::batch_norm(x, weight, bias, running_mean, running_var, is_training(),
                                          momentum_, eps_, /*cudnn_enabled=*/true));
  }

  at::Tensor weight, bias;               ///< [channels]
  at::Tensor running_mean, running_var;  ///< [channels]
  at::Tensor num_batches_tracked;        ///< int64 scalar: training batches seen

 private:
  std::int64_t channels_;
  double eps_, momentum_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(BatchNorm);

}  // namespace dermis
