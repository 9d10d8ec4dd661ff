#pragma once
/// \file
/// Which part of the generated images is like real ones, and which part of the real ones they
/// reach: figures on nearest neighbours among encoder features [N, D], where one distance (KID,
/// FID) mixes both faults.

#include <Eigen/Core>
#include <cstdint>

#include "dermis/core/json.hpp"

namespace dermis {

/// A sample's ball reaches to its k-th nearest other sample of the same set. All figures depend on
/// the sizes of both sets and on the encoder: compare only figures of equal N and one encoder.
struct ManifoldMetrics {
  double precision = 0;  ///< share of generated samples within the ball of a real one, 0..1
  double recall = 0;     ///< share of real samples within the ball of a generated one, 0..1
  double density = 0;    ///< real balls that a generated sample lies in, over k: about 1 for equal
                         ///< distributions, may exceed 1
  double coverage = 0;   ///< share of real samples whose ball holds a generated one, 0..1
};

/// precision, recall, density, coverage.
Json to_json(const ManifoldMetrics& metrics);

/// Improved precision and recall (Kynkaanniemi et al., arXiv 1904.06991, equations 1 and 2),
/// density and coverage (Naeem et al., arXiv 2002.09797, equations 3 to 6) of `generated` [M, D]
/// against `real` [N, D] with Euclidean distances and exact neighbours; k = `neighbours`. A
/// distance equal to the radius is within (as in the first paper), so that a copy is within its
/// original's ball even where that has no extent. Memory is that of the features. Throws
/// std::invalid_argument unless both sets have more than k rows, k >= 1, equal D, finite values.
ManifoldMetrics manifold_metrics(const Eigen::MatrixXd& real, const Eigen::MatrixXd& generated,
                                 std::int64_t neighbours = 5);

/// Distance of each row of X [N, D] to its k-th nearest other row: [N]. Errors as
/// manifold_metrics().
Eigen::VectorXd neighbour_radii(const Eigen::MatrixXd& x, std::int64_t neighbours);

}  // namespace dermis
