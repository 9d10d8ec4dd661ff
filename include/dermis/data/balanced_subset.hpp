#pragma once
/// \file
/// A part of a data set with equally many images of each class: what is learned from it owes
/// nothing to how frequent a class is, at the price of the images left out.

#include <cstdint>
#include <vector>

#include "dermis/data/pixels.hpp"

namespace dermis {

/// Indices, ascending, of `per_class` images of each class that occurs; 0: as many as the rarest
/// has. Lesions are taken in an order drawn by (seed, class), whole as long as they fit; what then
/// is missing comes from one lesion, which alone is divided. Same seed, same images, whatever the
/// order of the samples.
/// \throws std::invalid_argument for a negative number or one that a class does not have
std::vector<std::int64_t> class_balanced_rows(const std::vector<Sample>& samples,
                                              std::int64_t per_class, std::uint64_t seed);

/// The images at class_balanced_rows.
PixelSet class_balanced_subset(const PixelSet& set, std::int64_t per_class, std::uint64_t seed);

}  // namespace dermis
