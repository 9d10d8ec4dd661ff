#pragma once
/// \file
/// Two ways of training compared over several seeds on one test set: an interval that holds the
/// chance of which lesions were photographed and that of which seeds were run.

#include <string>
#include <vector>

#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

/// Mean over seeds of the balanced accuracy of `first` less that of `second`, above 0 if `first` is
/// better. first[s] and second[s] are the predictions [N] of the runs with seed s, labels and
/// groups [N] those of the test set that all share, see bootstrap_interval. Each resample draws
/// lesions and seeds, both with replacement (Owen, "The pigeonhole bootstrap", 2007); a seed brings
/// both of its runs, a lesion its rows in all runs. Few seeds know little of their spread: with
/// three the interval is rather too narrow for it, with one it is that of the lesions alone. Throws
/// std::invalid_argument without seeds, for other numbers of them, or for rows that do not fit.
Interval balanced_accuracy_difference(const std::vector<int>& labels,
                                      const std::vector<std::vector<int>>& first,
                                      const std::vector<std::vector<int>>& second,
                                      const std::vector<std::string>& groups,
                                      const BootstrapOptions& options = {});

}  // namespace dermis
