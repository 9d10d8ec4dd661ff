#pragma once
/// \file
/// Attention rollout (arXiv 2005.00928): how much each token of the last layer draws from each
/// input token.

#include <torch/types.h>

#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {

/// How the heads of a layer become one map.
enum class HeadFusion { Mean, Max, Min };

/// A_L ... A_1 with A = 0.5 fused + 0.5 I, each row divided by its sum, in double precision.
/// \param maps  attention probabilities of the layers, first to last, each [B, heads, N, N]
/// \return [B, N, N], in the type of `maps`; the class token's row without its first column is a
///         map over the patches
/// \throws std::invalid_argument without a map or if one has another rank
inline at::Tensor attention_rollout(const std::vector<at::Tensor>& maps,
                                    HeadFusion fusion = HeadFusion::Mean) {
  check_argument(!maps.empty(), "[rollout] expected the attention map of at least one layer");
  at::Tensor result;
  for (const auto& map : maps) {
    check_argument(map.dim() == 4 && map.size(2) == map.size(3),
                   "[rollout] expected attention maps [B, heads, N, N], got ", map.sizes());
    const auto heads = map.to(torch::kDouble);
    const auto fused = fusion == HeadFusion::Mean  ? heads.mean(1)
                       : fusion == HeadFusion::Max ? heads.amax(1)
                                                   : heads.amin(1);  // [B, N, N]
    auto layer = 0.5 * fused + 0.5 * torch::eye(map.size(2), heads.options());
    layer = layer / layer.sum(-1, /*keepdim=*/true);
    result = result.defined() ? at::matmul(layer, result) : layer;
  }
  return result.to(maps.front().scalar_type());
}

}  // namespace dermis
