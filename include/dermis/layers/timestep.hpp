#pragma once
/// \file
/// Diffusion time as a vector: the sinusoidal embedding of DDPM (arXiv 2006.11239, appendix B) and
/// the two-layer network behind it.

#include "dermis/layers/linear.hpp"

namespace dermis {

/// [cos(t w_0) .. cos(t w_{h-1}), sin(t w_0) .. sin(t w_{h-1})], w_k = max_period^(-k / h), h = dim
/// / 2; an odd dim ends in a zero. Always computed in fp32: bf16 cannot tell neighbouring steps
/// apart. Cosine comes first, as in LDM and in diffusers' flip_sin_to_cos=True, freq_shift=0;
/// DDPM's own networks have the sine first and w_k = max_period^(-k / (h - 1)), a freq_shift of 1.
///
/// t [B], any real type -> [B, dim] fp32.
inline at::Tensor timestep_embedding(const at::Tensor& t, std::int64_t dim,
                                     double max_period = 10000.0, bool cosine_first = true,
                                     double freq_shift = 0.0) {
  check_argument(t.dim() == 1, "[timestep] expected times of shape [B], got ", shape_text(t));
  check_argument(dim >= 2, "[timestep] expected a dimension of at least 2, got ", dim);
  const auto half = dim / 2;
  check_argument(freq_shift >= 0 && freq_shift < static_cast<double>(half),
                 "[timestep] expected freq_shift of at least 0 and below ", half, ", got ",
                 freq_shift);
  const auto fp32 = t.options().dtype(at::kFloat);
  // In this order, as LDM and diffusers: at late steps the last bit of a frequency shows.
  const auto exponent =
      at::arange(half, fp32) * -std::log(max_period) / (static_cast<double>(half) - freq_shift);
  const auto angles = t.to(at::kFloat).unsqueeze(1) * exponent.exp();  // [B, half]
  const auto embedding = cosine_first ? at::cat({angles.cos(), angles.sin()}, 1)
                                      : at::cat({angles.sin(), angles.cos()}, 1);  // [B, 2 half]
  return dim % 2 ? at::constant_pad_nd(embedding, {0, 1}) : embedding;             // [B, dim]
}

/// Linear, SiLU, Linear. forward: sinusoid [B, in] -> [B, out].
class TimestepEmbeddingImpl : public torch::nn::Cloneable<TimestepEmbeddingImpl> {
 public:
  TimestepEmbeddingImpl(std::int64_t in_channels, std::int64_t out_channels,
                        const ParameterOptions& parameters = {})
      : in_(in_channels), out_(out_channels), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    linear_1 = register_module("linear_1", Linear(in_, out_, true, parameter_options_));
    linear_2 = register_module("linear_2", Linear(out_, out_, true, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& sinusoid) {
    return observed(*this, linear_2->forward(at::silu(linear_1->forward(sinusoid))));
  }

  Linear linear_1 = nullptr, linear_2 = nullptr;

 private:
  std::int64_t in_, out_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(TimestepEmbedding);

}  // namespace dermis
