#pragma once
/// \file
/// Calibration of probabilities: reliability bins and the expected calibration error.

#include <Eigen/Core>
#include <cstdint>
#include <vector>

namespace dermis {

/// The rows whose confidence (largest probability) lies in (lower, upper]; the first bin includes
/// 0.
struct ReliabilityBin {
  double lower = 0;
  double upper = 0;
  std::int64_t count = 0;
  double confidence = 0;  ///< mean confidence of the rows, NaN if there is none
  double accuracy =
      0;  ///< share of the rows whose most probable class is right, NaN if there is none
};

/// `bins` bins of equal width over [0, 1] from `probabilities` [N, C] in [0, 1]. Throws
/// std::invalid_argument for labels out of range, unequal lengths, probabilities outside [0, 1], no
/// bins.
std::vector<ReliabilityBin> reliability_bins(const Eigen::MatrixXd& probabilities,
                                             const std::vector<int>& labels, int bins = 15);

/// Mean over rows of |accuracy - confidence| of the row's bin (Guo et al., arXiv 1706.04599, eq.
/// 3), in [0, 1]; NaN without rows.
double expected_calibration_error(const Eigen::MatrixXd& probabilities,
                                  const std::vector<int>& labels, int bins = 15);

}  // namespace dermis
