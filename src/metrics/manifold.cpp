#include "dermis/metrics/manifold.hpp"

#include <algorithm>

#include "arguments.hpp"

namespace dermis {
namespace {

void check_rows(const Eigen::MatrixXd& x, std::int64_t neighbours, const char* what) {
  check_argument(neighbours >= 1, "[manifold] expected at least 1 neighbour, got ", neighbours);
  check_argument(x.rows() > neighbours, "[manifold] expected more ", what, " than ", neighbours,
                 " neighbours, got ", x.rows());
  check_argument(x.cols() > 0, "[manifold] expected ", what, " of at least 1 column, got 0");
  detail::check_finite(x, what);
}

/// Squared distances of one sample [D] to all columns of `points` [D, N]. Differences, not the
/// quicker |x|^2 + |y|^2 - 2 x.y: that one does not see that a copy's distance is 0.
void squared_distances(const Eigen::MatrixXd& points, const Eigen::VectorXd& sample,
                       Eigen::VectorXd& distances) {
  distances = (points.colwise() - sample).colwise().squaredNorm().transpose();
}

/// Squared radii of the columns of `points` [D, N].
Eigen::VectorXd squared_radii(const Eigen::MatrixXd& points, std::int64_t neighbours) {
  Eigen::VectorXd radii(points.cols()), distances;
  for (Eigen::Index i = 0; i < points.cols(); ++i) {
    squared_distances(points, points.col(i), distances);
    std::swap(distances(i), distances(points.cols() - 1));  // itself goes last and is left out
    const auto first = distances.data();
    std::nth_element(first, first + neighbours - 1, first + points.cols() - 1);
    radii(i) = distances(neighbours - 1);
  }
  return radii;
}

}  // namespace

Json to_json(const ManifoldMetrics& metrics) {
  return Json::object({{"precision", metrics.precision},
                       {"recall", metrics.recall},
                       {"density", metrics.density},
                       {"coverage", metrics.coverage}});
}

Eigen::VectorXd neighbour_radii(const Eigen::MatrixXd& x, std::int64_t neighbours) {
  check_rows(x, neighbours, "features");
  return squared_radii(x.transpose(), neighbours).cwiseSqrt();
}

ManifoldMetrics manifold_metrics(const Eigen::MatrixXd& real, const Eigen::MatrixXd& generated,
                                 std::int64_t neighbours) {
  check_rows(real, neighbours, "real features");
  check_rows(generated, neighbours, "generated features");
  check_argument(real.cols() == generated.cols(),
                 "[manifold] expected features of equal width, got ", real.cols(), " and ",
                 generated.cols());
  const Eigen::MatrixXd real_points = real.transpose(), generated_points = generated.transpose();
  const Eigen::VectorXd real_radii = squared_radii(real_points, neighbours);
  const Eigen::VectorXd generated_radii = squared_radii(generated_points, neighbours);

  Eigen::VectorXd distances;  // of one generated sample to all real ones
  Eigen::ArrayXi reached = Eigen::ArrayXi::Zero(real.rows());
  Eigen::ArrayXi covered = Eigen::ArrayXi::Zero(real.rows());
  std::int64_t within = 0, balls = 0;
  for (Eigen::Index j = 0; j < generated.rows(); ++j) {
    squared_distances(real_points, generated_points.col(j), distances);
    const Eigen::ArrayXi in_ball = (distances.array() <= real_radii.array()).cast<int>();
    const int count = in_ball.sum();
    within += count > 0;
    balls += count;
    covered = covered.max(in_ball);
    reached = reached.max((distances.array() <= generated_radii(j)).cast<int>());
  }
  const auto n = static_cast<double>(real.rows()), m = static_cast<double>(generated.rows());
  return {static_cast<double>(within) / m, reached.sum() / n,
          static_cast<double>(balls) / (static_cast<double>(neighbours) * m), covered.sum() / n};
}

}  // namespace dermis
