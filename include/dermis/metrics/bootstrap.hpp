#pragma once
/// \file
/// Bootstrap intervals that respect lesions: several photographs of one lesion are drawn or left
/// out together, so that an interval does not mistake more views for more evidence.

#include <Eigen/Core>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis {

/// A figure with its interval. All NaN if the figure is undefined.
struct Interval {
  double mean = 0;  ///< the point estimate on the data as they are
  double lo = 0;
  double hi = 0;
};

/// mean, lo, hi.
Json to_json(const Interval& interval);
/// The interval in such an object; null is NaN. Other keys are not looked at.
Interval interval_from_json(const Json& json);

struct BootstrapOptions {
  std::int64_t resamples = 1000;
  double level = 0.95;     ///< coverage, in (0, 1)
  std::uint64_t seed = 0;  ///< equal seeds and equal groups draw equal resamples
};

/// Percentile bootstrap over clusters. `groups[i]` is the lesion of row i; the empty string is a
/// group of its own. Each resample draws as many groups as there are, with replacement, and hands
/// all their rows to `statistic` (row indices, repeated where a group was drawn twice). Resamples
/// where the statistic is NaN are left out. A paired comparison is the same call with a statistic
/// that is the difference of two models on the same rows. Throws std::invalid_argument without rows
/// or for options out of range.
///
///     Interval i = bootstrap_interval(lesions, [&](const std::vector<std::int64_t>& rows) {
///       return balanced_accuracy(select(labels, rows), select(predictions, rows));
///     });
Interval bootstrap_interval(
    const std::vector<std::string>& groups,
    const std::function<double(const std::vector<std::int64_t>& indices)>& statistic,
    const BootstrapOptions& options = {});

/// Balanced accuracy with its interval by lesion.
Interval balanced_accuracy_interval(const std::vector<int>& labels,
                                    const std::vector<int>& predictions,
                                    const std::vector<std::string>& groups,
                                    const BootstrapOptions& options = {});

/// Balanced accuracy of `first` less that of `second` on the same rows, with the paired interval by
/// lesion: above 0 means that `first` is better.
Interval balanced_accuracy_difference(const std::vector<int>& labels, const std::vector<int>& first,
                                      const std::vector<int>& second,
                                      const std::vector<std::string>& groups,
                                      const BootstrapOptions& options = {});

/// `mean` with the percentiles of `values` that leave (1 - level) / 2 on either side, linearly
/// interpolated (numpy's default); NaN values are left out.
Interval percentile_interval(double mean, std::vector<double> values, double level);

/// The values at `indices`, in that order.
template <class T>
std::vector<T> select(const std::vector<T>& values, const std::vector<std::int64_t>& indices) {
  std::vector<T> selected;
  selected.reserve(indices.size());
  for (const std::int64_t i : indices) selected.push_back(values[static_cast<std::size_t>(i)]);
  return selected;
}

/// The rows of `matrix` [N, C] at `indices` [K]: [K, C].
Eigen::MatrixXd select_rows(const Eigen::MatrixXd& matrix,
                            const std::vector<std::int64_t>& indices);

}  // namespace dermis
