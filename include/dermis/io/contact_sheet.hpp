#pragma once
/// \file
/// Contact sheets of images.

#include <cstdint>
#include <vector>

#include "dermis/io/image.hpp"

namespace dermis {

/// `images` row by row on a white sheet of `columns` columns with `gap` pixels between them. Every
/// image is enlarged `scale` times (nearest pixel) and centred in a cell that fits the largest one.
/// No images give an empty image. Throws std::invalid_argument for columns or scale below 1, a
/// negative gap, an image whose data do not fit its size.
Image grid(const std::vector<Image>& images, std::int64_t columns, std::int64_t gap = 2,
           std::int64_t scale = 1);

}  // namespace dermis
