#include "dermis/metrics/seed_bootstrap.hpp"

#include "arguments.hpp"
#include "dermis/core/random.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {

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
  const auto difference = [&](const std::vector<int>& truth, std::size_t seed,
                              const std::vector<std::int64_t>& rows) {
    return balanced_accuracy(truth, select(first[seed], rows)) -
           balanced_accuracy(truth, select(second[seed], rows));
  };
  double estimate = 0;
  std::uint64_t resample = 0;
  auto interval = bootstrap_interval(
      groups,
      [&](const std::vector<std::int64_t>& rows) {
        RandomStream stream(options.seed, "bootstrap seeds", 0, resample++);
        const auto truth = select(labels, rows);
        double sum = 0;
        for (std::size_t s = 0; s < seeds; ++s) sum += difference(truth, stream.below(seeds), rows);
        return sum / static_cast<double>(seeds);
      },
      options);
  std::vector<std::int64_t> all;
  for (std::size_t i = 0; i < labels.size(); ++i) all.push_back(static_cast<std::int64_t>(i));
  for (std::size_t s = 0; s < seeds; ++s)
    estimate += difference(labels, s, all) / static_cast<double>(seeds);
  interval.mean = estimate;  // of every seed once
  return interval;
}

}  // namespace dermis
