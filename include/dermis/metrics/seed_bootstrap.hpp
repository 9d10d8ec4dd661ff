#pragma once
/// \file
/// Two ways of training compared over several seeds on one test set: an interval that holds the
/// chance of which lesions were photographed and that of which seeds were run.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

/// Mean over the seeds 0 .. seeds - 1 of statistic(seed, rows), with an interval over lesions and
/// seeds: each resample draws both with replacement (Owen, "The pigeonhole bootstrap", 2007).
/// `mean` takes every seed and row once. `groups` [N]: the lesion of each row, see
/// bootstrap_interval.
Interval seed_bootstrap_interval(
    const std::vector<std::string>& groups, std::size_t seeds,
    const std::function<double(std::size_t seed, const std::vector<std::int64_t>& rows)>& statistic,
    const BootstrapOptions& options = {});

/// Mean over seeds of the balanced accuracy of predictions[s] [N], likewise; arguments and errors
/// are those of balanced_accuracy_difference.
Interval balanced_accuracy_interval(const std::vector<int>& labels,
                                    const std::vector<std::vector<int>>& predictions,
                                    const std::vector<std::string>& groups,
                                    const BootstrapOptions& options = {});

/// Mean over seeds of the balanced accuracy of `first` less that of `second`, above 0 if `first` is
/// better. first[s] and second[s] are the predictions [N] of the runs with seed s, labels and
/// groups [N] those of the test set that all share. By seed_bootstrap_interval: a seed brings both
/// of its runs, a lesion its rows in all runs. Few seeds know little of their spread: with
/// three the interval is rather too narrow for it, with one it is that of the lesions alone. Throws
/// std::invalid_argument without seeds, for other numbers of them, or for rows that do not fit.
Interval balanced_accuracy_difference(const std::vector<int>& labels,
                                      const std::vector<std::vector<int>>& first,
                                      const std::vector<std::vector<int>>& second,
                                      const std::vector<std::string>& groups,
                                      const BootstrapOptions& options = {});

}  // namespace dermis
