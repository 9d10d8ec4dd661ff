#pragma once
/// \file
/// k-fold cross-validation: every image is judged once, by a classifier that saw no view of its
/// lesion.

#include <Eigen/Core>
#include <functional>
#include <vector>

#include "dermis/data/pixels.hpp"

namespace dermis {

/// Trains on `training` and gives probabilities [M, C] for the images of `held_out`.
using FoldRun = std::function<Eigen::MatrixXd(const PixelSet& training, const PixelSet& held_out,
                                              std::int64_t fold)>;

/// Out-of-fold probabilities [N, C] of all images of `set`: those of fold f come from `run` on all
/// other folds. `folds`: disjoint indices that cover the set (grouped_stratified_folds), at least
/// two. \throws std::invalid_argument on folds that do not, or probabilities of another shape
Eigen::MatrixXd cross_validate(const PixelSet& set,
                               const std::vector<std::vector<std::int64_t>>& folds,
                               const FoldRun& run);

}  // namespace dermis
