#pragma once
/// \file
/// One view of one square image: three planes of floats, drawn from a stream of its own.

#include "dermis/core/random.hpp"
#include "dermis/data/pixels.hpp"

namespace dermis::detail {

/// Recipe::Mae and Recipe::SkinDistilViT; out: float [3, S, S].
void mae_view(const Image& image, const Normalization& normalization, RandomStream stream,
              float* out);
void skindistilvit_view(const Image& image, RandomStream stream, float* out);

}  // namespace dermis::detail
