#include "dermis/metrics/early_exit.hpp"

#include <algorithm>
#include <cmath>

#include "arguments.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

void check_depths(const ProbabilitiesByDepth& by_depth) {
  check_argument(!by_depth.empty(), "[early exit] expected at least 1 depth, got none");
  for (std::size_t d = 0; d < by_depth.size(); ++d) {
    const auto& first = by_depth.front();
    const auto& matrix = by_depth[d];
    check_argument(matrix.rows() == first.rows() && matrix.cols() == first.cols(),
                   "[early exit] expected probabilities [", first.rows(), ", ", first.cols(),
                   "] at every depth, got [", matrix.rows(), ", ", matrix.cols(), "] at depth ",
                   d + 1);
    detail::check_no_nan(matrix, "probabilities");
  }
}

/// Each row from the matrix of its depth.
Eigen::MatrixXd rows_at(const ProbabilitiesByDepth& by_depth, const std::vector<int>& depths) {
  Eigen::MatrixXd rows(by_depth.front().rows(), by_depth.front().cols());
  detail::check_same_rows(static_cast<std::size_t>(rows.rows()), depths.size(), "depths");
  for (std::size_t i = 0; i < depths.size(); ++i) {
    check_argument(depths[i] >= 1 && depths[i] <= static_cast<int>(by_depth.size()),
                   "[early exit] expected depths in 1 .. ", by_depth.size(), ", got ", depths[i],
                   " in row ", i);
    const auto row = static_cast<Eigen::Index>(i);
    rows.row(row) = by_depth[static_cast<std::size_t>(depths[i] - 1)].row(row);
  }
  return rows;
}

}  // namespace

std::vector<int> exit_depths(const ProbabilitiesByDepth& by_depth, double threshold) {
  check_depths(by_depth);
  std::vector<int> depths(static_cast<std::size_t>(by_depth.front().rows()),
                          static_cast<int>(by_depth.size()));
  for (std::size_t i = 0; i < depths.size(); ++i) {
    const auto sure = std::find_if(by_depth.begin(), by_depth.end(), [&](const auto& matrix) {
      return matrix.row(static_cast<Eigen::Index>(i)).maxCoeff() >= threshold;
    });
    if (sure != by_depth.end()) depths[i] = static_cast<int>(sure - by_depth.begin()) + 1;
  }
  return depths;
}

std::vector<int> exit_predictions(const ProbabilitiesByDepth& by_depth,
                                  const std::vector<int>& depths) {
  check_depths(by_depth);
  return predict_labels(rows_at(by_depth, depths));
}

double random_exit(const std::vector<double>& figures, double mean_depth) {
  check_argument(mean_depth >= 1 && mean_depth <= static_cast<double>(figures.size()),
                 "[early exit] expected a mean depth in 1 .. ", figures.size(), ", got ",
                 mean_depth);
  const auto below = static_cast<std::size_t>(mean_depth);
  const double odds = mean_depth - static_cast<double>(below);
  return odds == 0 ? figures[below - 1] : (1 - odds) * figures[below - 1] + odds * figures[below];
}

std::vector<ExitPoint> early_exit_curve(const ProbabilitiesByDepth& by_depth,
                                        const std::vector<int>& labels,
                                        const std::vector<double>& thresholds) {
  check_depths(by_depth);
  check_argument(!labels.empty(), "[early exit] expected at least 1 label, got none");
  std::vector<double> accuracies, balanced;
  for (const auto& matrix : by_depth) {
    const auto predictions = predict_labels(matrix);
    accuracies.push_back(accuracy(labels, predictions));
    balanced.push_back(balanced_accuracy(labels, predictions));
  }
  std::vector<ExitPoint> curve;
  for (const double threshold : thresholds) {
    const auto depths = exit_depths(by_depth, threshold);
    const auto predictions = predict_labels(rows_at(by_depth, depths));
    double sum = 0;
    for (const int depth : depths) sum += depth;
    const double mean = sum / static_cast<double>(depths.size());
    curve.push_back({threshold, mean, accuracy(labels, predictions),
                     balanced_accuracy(labels, predictions), random_exit(accuracies, mean),
                     random_exit(balanced, mean)});
  }
  return curve;
}

std::vector<double> exit_thresholds() {
  std::vector<double> thresholds;
  for (int i = 0; i < 20; ++i) thresholds.push_back(0.05 * i);
  thresholds.insert(thresholds.end(), {0.97, 0.99, 1.0});
  return thresholds;
}

double least_exit_threshold(const ProbabilitiesByDepth& by_depth, const std::vector<int>& labels,
                            double allowed_loss, const std::vector<double>& thresholds) {
  check_argument(allowed_loss >= 0, "[early exit] expected an allowed loss of at least 0, got ",
                 allowed_loss);
  const auto curve = early_exit_curve(by_depth, labels, thresholds);
  const double wanted = balanced_accuracy(labels, predict_labels(by_depth.back())) - allowed_loss;
  double least = kNeverEarly;
  for (auto point = curve.rbegin(); point != curve.rend(); ++point) {
    if (point->balanced_accuracy < wanted) break;
    least = point->threshold;
  }
  return least;
}

}  // namespace dermis
