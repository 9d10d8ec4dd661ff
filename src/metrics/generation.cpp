#include "dermis/metrics/generation.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <vector>

#include "arguments.hpp"
#include "dermis/core/random.hpp"

namespace dermis {
namespace {

void check_features(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  check_argument(x.rows() >= 2 && y.rows() >= 2,
                 "[generation] expected at least 2 rows of features a side, got ", x.rows(),
                 " and ", y.rows());
  check_argument(x.cols() == y.cols() && x.cols() > 0,
                 "[generation] expected features of equal width, got ", x.cols(), " and ",
                 y.cols());
  detail::check_finite(x, "features");
  detail::check_finite(y, "features");
}

Eigen::MatrixXd covariance(const Eigen::MatrixXd& x) {
  const Eigen::MatrixXd centred = x.rowwise() - x.colwise().mean();
  return centred.transpose() * centred / static_cast<double>(x.rows() - 1);
}

/// Sum of the kernel over all pairs of a row of x [n, D] and a row of y [m, D].
double kernel_sum(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  const Eigen::MatrixXd products = x * y.transpose();  // [n, m]
  return (products.array() / static_cast<double>(x.cols()) + 1).cube().sum();
}

/// Sum over the ordered pairs of different rows of x [n, D].
double kernel_sum_within(const Eigen::MatrixXd& x) {
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(x.rows(), x.rows());
  products.selfadjointView<Eigen::Lower>().rankUpdate(x);
  double sum = 0;
  for (Eigen::Index column = 0; column + 1 < x.rows(); ++column) {
    const auto below = products.col(column).tail(x.rows() - column - 1);
    sum += (below.array() / static_cast<double>(x.cols()) + 1).cube().sum();
  }
  return 2 * sum;
}

double unbiased_mmd(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  const auto n = static_cast<double>(x.rows());
  const auto m = static_cast<double>(y.rows());
  return kernel_sum_within(x) / (n * (n - 1)) + kernel_sum_within(y) / (m * (m - 1)) -
         2 * kernel_sum(x, y) / (n * m);
}

/// `count` rows drawn without replacement.
Eigen::MatrixXd draw_rows(const Eigen::MatrixXd& x, std::int64_t count, RandomStream& stream) {
  std::vector<std::int64_t> order = stream.permutation(x.rows());
  order.resize(static_cast<std::size_t>(count));
  return select_rows(x, order);
}

}  // namespace

FeatureMoments feature_moments(const Eigen::MatrixXd& x) {
  check_features(x, x);
  return {x.colwise().mean(), covariance(x)};
}

double frechet_distance(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  check_features(x, y);
  const Eigen::MatrixXd sx = covariance(x);
  const Eigen::MatrixXd sy = covariance(y);
  // Rounding can make the null space of a covariance slightly negative.
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(sx);
  const Eigen::VectorXd roots = eigen.eigenvalues().cwiseMax(0).cwiseSqrt();
  const Eigen::MatrixXd half =
      eigen.eigenvectors() * roots.asDiagonal() * eigen.eigenvectors().transpose();
  const Eigen::MatrixXd inner =
      half * sy * half;  // symmetric up to rounding: the solver reads one triangle
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> inner_eigen(inner, Eigen::EigenvaluesOnly);
  const double cross = inner_eigen.eigenvalues().cwiseMax(0).cwiseSqrt().sum();
  const double means = (x.colwise().mean() - y.colwise().mean()).squaredNorm();
  return std::max(0.0, means + sx.trace() + sy.trace() - 2 * cross);
}

double squared_mmd(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  check_features(x, y);
  return unbiased_mmd(x, y);
}

Interval kernel_distance(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y,
                         const KernelDistanceOptions& options) {
  check_features(x, y);
  check_argument(options.subsets > 0, "[generation] expected at least 1 subset, got ",
                 options.subsets);
  const std::int64_t smaller = std::min(x.rows(), y.rows());
  const std::int64_t size = options.subset_size == 0 ? std::clamp<std::int64_t>(smaller / 2, 2, 500)
                                                     : options.subset_size;
  check_argument(size >= 2 && size <= smaller, "[generation] expected a subset size in 2 .. ",
                 smaller, " (the smaller set), got ", size);
  std::vector<double> values;
  double sum = 0;
  for (std::int64_t s = 0; s < options.subsets; ++s) {
    RandomStream stream(options.seed, "kernel_distance", 0, static_cast<std::uint64_t>(s));
    const Eigen::MatrixXd from_x = draw_rows(x, size, stream);
    values.push_back(unbiased_mmd(from_x, draw_rows(y, size, stream)));
    sum += values.back();
  }
  return percentile_interval(sum / static_cast<double>(options.subsets), std::move(values),
                             options.level);
}

}  // namespace dermis
