#pragma once
/// \file
/// Distances between sets of real and of generated images, measured on encoder features [N, D]. The
/// figures depend on the encoder: compare only figures of the same one. Prefer the kernel distance
/// on small sets; the Frechet distance is biased upwards by an amount that falls with N, so report
/// N beside it.

#include <Eigen/Core>
#include <cstdint>

#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

/// Mean [D] and covariance [D, D] (with N - 1) of the rows of features.
struct FeatureMoments {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

/// The moments of X [N, D]. Throws std::invalid_argument for fewer than 2 rows or values that are
/// not finite.
FeatureMoments feature_moments(const Eigen::MatrixXd& x);

/// Squared Frechet distance of the Gaussians fitted to X [N, D] and Y [M, D] (FID: Heusel et al.,
/// arXiv 1706.08500): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), covariances with N - 1 as in
/// pytorch-fid. The root is taken through the symmetric sqrt(S1) S2 sqrt(S1), whose eigenvalues are
/// real also for singular covariances. Throws std::invalid_argument for fewer than 2 rows, unequal
/// D or values that are not finite.
double frechet_distance(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y);

struct KernelDistanceOptions {
  std::int64_t subsets = 100;
  std::int64_t subset_size =
      0;  ///< rows of either side in a subset; 0: half of the smaller set, at most 500
  double level = 0.95;  ///< coverage of the interval over subsets, in (0, 1)
  std::uint64_t seed = 0;
};

/// KID (Binkowski et al., arXiv 1801.01401): the unbiased squared MMD of X [N, D] and Y [M, D]
/// under the kernel (x.y / D + 1)^3. `mean` is the mean over random subsets, `lo` and `hi` the
/// percentiles of the subsets' values: the spread at the subset size, which is wider than that of
/// the mean. May be slightly negative for equal distributions. A `subset_size` above the smaller
/// set, or below 2, is std::invalid_argument.
Interval kernel_distance(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y,
                         const KernelDistanceOptions& options = {});

/// Unbiased squared MMD of all rows of X [N, D] against all rows of Y [M, D] under (x.y / D + 1)^3.
double squared_mmd(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y);

}  // namespace dermis
