#pragma once
/// \file
/// Real and synthetic images must not be taken for each other.

#include "dermis/core/check.hpp"
#include "dermis/data/pixels.hpp"

namespace dermis::detail {

/// Throws std::invalid_argument, naming the first image, unless all images of `set` are synthetic,
/// or none is.
inline void check_synthetic(const PixelSet& set, bool synthetic, const char* tag,
                            const char* what) {
  for (const auto& sample : set.samples)
    check_argument(sample.synthetic == synthetic, "[", tag, "] expected ", what, " of ",
                   synthetic ? "synthetic" : "real", " images only, got ",
                   synthetic ? "real " : "synthetic ", sample.id);
}

}  // namespace dermis::detail
