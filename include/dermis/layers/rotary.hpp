#pragma once
/// \file
/// Rotary position embedding over several axes (RoPE, arXiv 2104.09864) as Flux uses it: each axis
/// of a token's position turns a share of its head's channels.

#include <cmath>
#include <vector>

#include "dermis/layers/parameter.hpp"

namespace dermis {

/// The angles of every token, as cosine and sine: fp32 [1 or B, 1, N, d / 2].
struct Rotation {
  at::Tensor cos, sin;
};

/// Angles of tokens at positions `ids` [N, axes] or [B, N, axes]. Axis i turns axes[i] channels in
/// pairs, pair k by position theta^(-2 k / axes[i]); computed in double precision.
inline Rotation rotary_embedding(const at::Tensor& ids, const std::vector<std::int64_t>& axes,
                                 double theta) {
  const auto count = static_cast<std::int64_t>(axes.size());
  check_argument((ids.dim() == 2 || ids.dim() == 3) && ids.size(-1) == count,
                 "[rotary] expected positions of shape [N, ", count, "] or [B, N, ", count,
                 "], got ", shape_text(ids));
  const auto positions = (ids.dim() == 2 ? ids.unsqueeze(0) : ids).to(at::kDouble);
  std::vector<at::Tensor> angles;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto width = axes[static_cast<std::size_t>(i)];
    const auto exponent = at::arange(0, width, 2, positions.options()) / static_cast<double>(width);
    const auto frequency = (exponent * -std::log(theta)).exp();  // [width / 2]
    angles.push_back(positions.select(-1, i).unsqueeze(-1) * frequency);
  }
  const auto all = at::cat(angles, -1).unsqueeze(1);  // [B, 1, N, d / 2]
  return {all.cos().to(at::kFloat), all.sin().to(at::kFloat)};
}

/// Turns the pairs (0, 1), (2, 3), ... of the last axis of x [B, heads, N, d]; in fp32, the answer
/// has x's type.
inline at::Tensor rotate(const at::Tensor& x, const Rotation& rotation) {
  const auto pairs = x.to(at::kFloat).unflatten(-1, {-1, 2});
  const auto a = pairs.select(-1, 0), b = pairs.select(-1, 1);  // [B, heads, N, d / 2]
  return at::stack({a * rotation.cos - b * rotation.sin, b * rotation.cos + a * rotation.sin}, -1)
      .flatten(-2)
      .to(x.scalar_type());  // [B, heads, N, d]
}

}  // namespace dermis
