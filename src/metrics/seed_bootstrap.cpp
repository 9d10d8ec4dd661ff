#include "dermis/metrics/seed_bootstrap.hpp"

#include <numeric>

#include "arguments.hpp"
#include "dermis/core/random.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {

Interval seed_bootstrap_interval(
    const std::vector<std::string>& groups, std::size_t seeds,
    const std::function<double(std::size_t seed, const std::vector<std::int64_t>& rows)>& statistic,
    const BootstrapOptions& options) {
  const auto mean_over = [&](const auto& seed_of, const std::vector<std::int64_t>& rows) {
    double sum = 0;
    for (std::size_t s = 0; s < seeds; ++s) sum += statistic(seed_of(s), rows);
    return sum / static_cast<double>(seeds);
  };
  std::uint64_t resample = 0;
  auto interval = bootstrap_interval(
      groups,
      [&](const std::vector<std::int64_t>& rows) {
        RandomStream stream(options.seed, "bootstrap seeds", 0, resample++);
        return mean_over([&](std::size_t) { return stream.below(seeds); }, rows);
      },
      options);
  std::vector<std::int64_t> all(groups.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  interval.mean = mean_over([](std::size_t s) { return s; }, all);
  return interval;
}

Interval balanced_accuracy_interval(const std::vector<int>& labels,
                                    const std::vector<std::vector<int>>& predictions,
                                    const std::vector<std::string>& groups,
                                    const BootstrapOptions& options) {
  check_argument(!predictions.empty(), "[bootstrap] expected runs of at least one seed, got none");
  detail::check_same_rows(labels.size(), groups.size(), "groups");
  for (const auto& run : predictions)
    detail::check_same_rows(labels.size(), run.size(), "predictions");
  return seed_bootstrap_interval(
      groups, predictions.size(),
      [&](std::size_t seed, const std::vector<std::int64_t>& rows) {
        return balanced_accuracy(select(labels, rows), select(predictions[seed], rows));
      },
      options);
}

Interval balanced_accuracy_difference(const std::vector<int>& labels,
                                      const std::vector<std::vector<int>>& first,
                                      const std::vector<std::vector<int>>& second,
                                      const std::vector<std::string>& groups,
                                      const BootstrapOptions& options) {
  const auto seeds = first.size();
  check_argument(seeds > 0 && second.size() == seeds,
                 "[bootstrap] expected runs of the same seeds, at least one, got ", seeds, " and ",
                 second.size());
  detail::check_same_rows(labels.size(), groups.size(), "groups");
  for (std::size_t s = 0; s < seeds; ++s) {
    detail::check_same_rows(labels.size(), first[s].size(), "predictions");
    detail::check_same_rows(labels.size(), second[s].size(), "predictions");
  }
  return seed_bootstrap_interval(
      groups, seeds,
      [&](std::size_t seed, const std::vector<std::int64_t>& rows) {
        const auto truth = select(labels, rows);
        return balanced_accuracy(truth, select(first[seed], rows)) -
               balanced_accuracy(truth, select(second[seed], rows));
      },
      options);
}

}  // namespace dermis
