#pragma once
/// \file
/// What the ISIC score is computed from.

#include <Eigen/Core>
#include <string>
#include <vector>

#include "dermis/io/csv.hpp"

namespace dermis::detail {

/// Weights of the images in sorted order. The two differ where the truth file is not sorted, see
/// `score_isic`.
struct IsicWeights {
  std::vector<double> own;     // of the image
  std::vector<double> placed;  // what the package pairs with it: that of the line at its place
};

/// Truth and prediction of the same images, sorted by name.
struct IsicPair {
  std::vector<std::string> classes;
  Eigen::MatrixXd truth;       // [N, C], 0 or 1
  Eigen::MatrixXd prediction;  // [N, C]
  IsicWeights score, validation;
};

/// Reads and checks both tables, see `score_isic`; whether the truth can be scored is not looked
/// at.
IsicPair read_pair(const Table& truth, const Table& prediction);

}  // namespace dermis::detail
