#pragma once
/// \file
/// The low-rank slot of Linear and Conv2d: W x + (alpha / rank) B A x (LoRA, arXiv 2106.09685,
/// section 4.1). Empty by default.

#include <cstdint>

namespace dermis {

/// Size and strength of a low-rank adapter; rank 0 means none.
struct LowRankOptions {
  std::int64_t rank = 0;  ///< inner width r
  double alpha = 1.0;     ///< the adapter is scaled by alpha / rank

  bool enabled() const { return rank > 0; }
  double scale() const { return enabled() ? alpha / static_cast<double>(rank) : 0.0; }
};

}  // namespace dermis
