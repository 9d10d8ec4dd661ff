#pragma once
/// \file
/// Which images must stay together when a data set is divided or resampled: the views of one
/// lesion, the lesions of one patient, and near-duplicates.

#include <cstdint>
#include <utility>
#include <vector>

#include "dermis/data/dataset.hpp"

namespace dermis {

/// Two samples by their indices.
using IndexPair = std::pair<int64_t, int64_t>;

/// The group of each sample, numbered from 0 in order of first appearance. Samples that share a
/// lesion or a patient (empty names are shared with nobody), or are a pair in `together`, are of
/// one group, and so is whatever these chains join. Throws std::invalid_argument on an index out of
/// range.
std::vector<int64_t> joined_groups(const std::vector<Sample>& samples,
                                   const std::vector<IndexPair>& together = {});

}  // namespace dermis
