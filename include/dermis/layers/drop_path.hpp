#pragma once
/// \file
/// Stochastic depth (arXiv 1603.09382).

#include "dermis/layers/parameter.hpp"

namespace dermis {

/// Drops a residual branch for whole samples with probability `rate` and scales the kept ones by 1
/// / (1 - rate). branch: [B, ...] -> same. The generator decides which; none: LibTorch's default
/// generator.
inline at::Tensor drop_path(const at::Tensor& branch, double rate, bool training,
                            const std::optional<at::Generator>& generator = {}) {
  check_argument(rate >= 0 && rate < 1, "[drop_path] expected a rate in [0, 1), got ", rate);
  if (rate == 0 || !training) return branch;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(branch.dim()), 1);
  shape[0] = branch.size(0);
  const double keep = 1 - rate;
  // Drawn on the CPU in float32 so that one seed gives one result on every device and in every
  // precision.
  const auto kept =
      torch::rand(shape, generator).lt_(keep).to(branch.device(), branch.scalar_type());
  return branch * (kept / keep);
}

}  // namespace dermis
