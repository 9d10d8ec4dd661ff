#pragma once
/// \file
/// What segmentations share.

#include <cstdint>
#include <vector>

namespace dermis::detail {

/// A byte a pixel, row by row: 1 inside.
using Plane = std::vector<std::uint8_t>;

/// Otsu's threshold of values from 0: the one that makes the two sides' means differ most.
double otsu(const std::vector<double>& values);

/// Keeps of `mask` the connected piece with most weight, a pixel's weight falling from 1 in the
/// middle of the image to 0 at its sides.
void keep_central_piece(Plane& mask, std::int64_t width, std::int64_t height);

}  // namespace dermis::detail
