#pragma once
/// \file
/// The low-rank slot of Linear and Conv2d: W x + s B A x (LoRA, arXiv 2106.09685, section 4.1) with
/// s = alpha / rank, or alpha / sqrt(rank) (rsLoRA, arXiv 2312.03732). Empty by default.

#include <cmath>
#include <cstdint>

namespace dermis {

/// Size and strength of a low-rank adapter; rank 0 means none.
struct LowRankOptions {
  std::int64_t rank = 0;         ///< inner width r
  double alpha = 1.0;            ///< see scale()
  bool rank_stabilised = false;  ///< scaled by alpha / sqrt(rank): large ranks keep learning
  double dropout = 0.0;          ///< share of the adapter's input dropped in training (Linear only)
  double strength = 1.0;         ///< of the adapter when used; not part of what was trained

  bool enabled() const { return rank > 0; }
  double scale() const {
    if (!enabled()) return 0.0;
    const auto r = static_cast<double>(rank);
    return strength * alpha / (rank_stabilised ? std::sqrt(r) : r);
  }
};

}  // namespace dermis
