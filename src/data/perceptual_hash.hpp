#pragma once
/// \file
/// Private to src/data: what find_near_duplicates keeps of an image.

#include <array>
#include <cstddef>
#include <cstdint>

#include "dermis/io/image.hpp"

namespace dermis::detail {

constexpr std::size_t kHashSide = 32;

/// 32 x 32 luminance, row by row.
using Luminance = std::array<std::uint8_t, kHashSide * kHashSide>;

Luminance hash_luminance(const Image& image);
/// Hashes of the eight views: transposed by bit 2, then upside down by bit 1, mirrored by bit 0.
std::array<std::uint64_t, 8> luminance_hashes(const Luminance& luminance);
/// Pearson's correlation of `a` with view `view` of `b`, 0 when one of them is constant.
double view_correlation(const Luminance& a, const Luminance& b, std::size_t view);

}  // namespace dermis::detail
