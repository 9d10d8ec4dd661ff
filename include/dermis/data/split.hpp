#pragma once
/// \file
/// Training, validation and test parts that share no lesion. Splitting by image instead lets views
/// of one lesion leak from training into test, which is how some published figures came to be too
/// high.

#include <cstdint>
#include <vector>

#include "dermis/data/dataset.hpp"

namespace dermis {

struct SplitOptions {
  double validation = 0.15;  ///< share of each class's images, in [0, 1); 0 = no such part
  double test = 0.15;        ///< as validation; what both leave is the training part
  std::uint64_t seed = 0;    ///< same seed, same split, whatever the order of the samples
};

/// Indices into the data set's samples, ascending; every sample is in exactly one part.
struct Split {
  std::vector<int64_t> train, validation, test;
};

/// Splits whole lesions, class by class, so that each part holds its share of each class's images
/// as closely as whole lesions allow, lesions with many views spread like those with one, and at
/// least one lesion of every class. Throws std::invalid_argument on shares out of range or
/// synthetic samples, std::runtime_error when images of one lesion carry different labels or a
/// class has fewer lesions than there are parts (both named).
Split grouped_stratified_split(const Dataset& dataset, const SplitOptions& options = {});

}  // namespace dermis
