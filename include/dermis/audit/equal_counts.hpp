#pragma once
/// \file
/// Sets are compared on equally many images of each class: otherwise a difference in class mix
/// would pass for one between real and synthetic, and a difference in number for one of bias.

#include <cstdint>
#include <vector>

#include "dermis/data/pixels.hpp"

namespace dermis {

/// Indices of the images of each class: [C] lists.
using ClassRows = std::vector<std::vector<std::int64_t>>;

/// The images of each class in `set`, ascending.
ClassRows class_rows(const PixelSet& set);

/// For each of `sets`, equally many images of each class: as many as the set that is poorest in
/// this class has, chosen at random by (seed, set, class). Throws std::invalid_argument unless the
/// sets have the same classes in the same order.
std::vector<ClassRows> equal_class_rows(const std::vector<const PixelSet*>& sets,
                                        std::uint64_t seed);

/// All lists one after the other, class by class.
std::vector<std::int64_t> joined(const ClassRows& rows);

}  // namespace dermis
