#pragma once
/// \file
/// Training, validation and test parts, or folds, that share no lesion and no patient. Splitting by
/// image instead lets views of one lesion leak from training into test, which is how some published
/// figures came to be too high.

#include <cstdint>
#include <vector>

#include "dermis/data/dataset.hpp"
#include "dermis/data/groups.hpp"

namespace dermis {

struct SplitOptions {
  double validation = 0.15;  ///< share of each class's images, in [0, 1); 0 = no such part
  double test = 0.15;        ///< as validation; what both leave is the training part
  std::uint64_t seed = 0;    ///< same seed, same split, whatever the order of the samples
  std::vector<IndexPair> together = {};  ///< pairs of samples to be kept in one part as well, e.g.
                                         ///< near-duplicates (data/duplicates.hpp)
};

/// Indices into the data set's samples, ascending; every sample is in exactly one part.
struct Split {
  std::vector<int64_t> train, validation, test;
};

/// Splits whole groups (joined_groups: images that share a lesion or a patient), class by class, so
/// that each part holds its share of each class's images as closely as whole groups allow, groups
/// with many images spread like those with one, and at least one group of every class.
///
/// A patient's lesions may be of several classes; such groups are given out first, each to the part
/// that then departs least from its shares (a greedy chi-square, in which a rare class weighs
/// more), and groups of one class fill up after them. Without them the split is by lesion, class by
/// class.
///
/// Throws std::invalid_argument on shares out of range, synthetic samples or pairs out of range,
/// std::runtime_error when images of one lesion carry different labels or a class has fewer groups
/// than there are parts (both named), or its groups cannot be spread over all parts.
Split grouped_stratified_split(const Dataset& dataset, const SplitOptions& options = {});

/// `count` folds of equal shares by the same rules: lists of indices, ascending, that cover every
/// sample once. Where two folds are equally due, the smaller one is filled. Same seed, same folds,
/// whatever the order of samples and classes. Errors as grouped_stratified_split; a count below 2
/// is std::invalid_argument.
///
///     for (const auto& held_out : grouped_stratified_folds(data, 5)) {
///       const Dataset validation = data.subset(held_out);
std::vector<std::vector<int64_t>> grouped_stratified_folds(
    const Dataset& dataset, int64_t count, std::uint64_t seed = 0,
    const std::vector<IndexPair>& together = {});

}  // namespace dermis
