#pragma once
/// \file
/// Data that C++ and Python build alike, for the literals computed with scikit-learn 1.9.1,
/// scipy 1.17.1 and numpy 2.4.6.

#include <Eigen/Core>
#include <cmath>
#include <vector>

namespace dermis::fixtures {

/// numpy: i = arange(n)[:, None]; j = arange(d)[None]; sin(a i + b j j + c i j)
inline Eigen::MatrixXd wave(int n, int d, double a, double b, double c) {
  Eigen::MatrixXd values(n, d);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < d; ++j) values(i, j) = std::sin(a * i + b * j * j + c * i * j);
  }
  return values;
}

/// 24 labels of 4 classes.
inline std::vector<int> labels() {
  std::vector<int> result;
  for (int i = 0; i < 24; ++i) result.push_back((i * i + i / 3) % 4);
  return result;
}

/// [24, 4]: e = exp(1.5 wave(24, 4, 1.7, 0.9, 0.3)), the true class times 1.6, rows normalised.
inline Eigen::MatrixXd probabilities() {
  Eigen::MatrixXd p = (1.5 * wave(24, 4, 1.7, 0.9, 0.3)).array().exp();
  const std::vector<int> truth = labels();
  for (int i = 0; i < 24; ++i) {
    p(i, truth[static_cast<std::size_t>(i)]) *= 1.6;
    p.row(i) /= p.row(i).sum();
  }
  return p;
}

}  // namespace dermis::fixtures
