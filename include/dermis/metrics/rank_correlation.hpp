#pragma once
/// \file
/// Spearman's rank correlation.

#include <vector>

namespace dermis {

/// Pearson's correlation of the mid-ranks of `x` and `y` (scipy.stats.spearmanr), in [-1, 1]. Pairs
/// with a NaN are left out; NaN with fewer than three pairs or where one side is constant. Throws
/// std::invalid_argument for unequal lengths.
double spearman(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace dermis
