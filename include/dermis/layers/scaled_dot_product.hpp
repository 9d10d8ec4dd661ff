#pragma once
/// \file
/// Scaled dot-product attention (arXiv 1706.03762, equation 1) for heads already split.

#include <cmath>

#include <ATen/core/grad_mode.h>

#include "dermis/layers/parameter.hpp"

namespace dermis {

/// softmax(q k^T / sqrt(d)): q [B, heads, N, d], k [B, heads, M, d] -> [B, heads, N, M], rows sum
/// to 1.
inline at::Tensor attention_probabilities(const at::Tensor& q, const at::Tensor& k) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
  return at::softmax(at::matmul(q * scale, k.transpose(-2, -1)), -1);
}

/// softmax(q k^T / sqrt(d)) v: q [B, heads, N, d], k and v [B, heads, M, d] -> [B, heads, N, d].
///
/// Few tokens on the processor are multiplied in two batched products, all others by
/// LibTorch's fused kernel. The kernel multiplies head by head, which costs more to start than to
/// compute (64 tokens forward and back: 25 ms against 2.6 ms, with prefer_onednn_matmul); it wins
/// as soon as the probabilities no longer fit the cache.
inline at::Tensor scaled_dot_product(const at::Tensor& q, const at::Tensor& k,
                                     const at::Tensor& v) {
  const bool trains = at::GradMode::is_enabled() && q.requires_grad();
  const std::int64_t few = trains ? 256 : 128;
  if (q.is_cpu() && q.size(-2) * k.size(-2) <= few * few)
    return at::matmul(attention_probabilities(q, k), v);
  return at::scaled_dot_product_attention(q, k, v);
}

}  // namespace dermis
