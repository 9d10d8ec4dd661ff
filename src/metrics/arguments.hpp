#pragma once
/// \file
/// Checks of arguments that the metrics share.

#include <Eigen/Core>
#include <cmath>
#include <string>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis::detail {

inline void check_labels(const std::vector<int>& labels, int classes) {
  check_argument(classes > 0, "[metrics] expected at least 1 class, got ", classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    check_argument(labels[i] >= 0 && labels[i] < classes, "[metrics] expected labels in 0 .. ",
                   classes - 1, ", got ", labels[i], " in row ", i);
  }
}

inline void check_same_rows(std::size_t labels, std::size_t rows, const char* what) {
  check_argument(labels == rows, "[metrics] expected as many ", what, " as the ", labels,
                 " labels, got ", rows);
}

inline void check_no_nan(const Eigen::MatrixXd& values, const char* what) {
  for (Eigen::Index column = 0; column < values.cols(); ++column) {
    for (Eigen::Index row = 0; row < values.rows(); ++row) {
      check_argument(!std::isnan(values(row, column)), "[metrics] expected ", what,
                     " without NaN, got NaN in row ", row, ", column ", column);
    }
  }
}

inline void check_finite(const Eigen::MatrixXd& values, const char* what) {
  for (Eigen::Index column = 0; column < values.cols(); ++column) {
    for (Eigen::Index row = 0; row < values.rows(); ++row) {
      check_argument(std::isfinite(values(row, column)), "[metrics] expected finite ", what,
                     ", got ", values(row, column), " in row ", row, ", column ", column);
    }
  }
}

}  // namespace dermis::detail
