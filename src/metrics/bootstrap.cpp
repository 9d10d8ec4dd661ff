#include "dermis/metrics/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "arguments.hpp"
#include "dermis/core/random.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

void check_level(double level) {
  check_argument(level > 0 && level < 1, "[bootstrap] expected a level between 0 and 1, got ",
                 level);
}

/// Row indices of every group, groups in order of first appearance.
std::vector<std::vector<std::int64_t>> rows_of_groups(const std::vector<std::string>& groups) {
  std::vector<std::vector<std::int64_t>> rows;
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::size_t at = rows.size();
    if (!groups[i].empty()) at = position.emplace(groups[i], at).first->second;
    if (at == rows.size()) rows.emplace_back();
    rows[at].push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

double percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Json to_json(const Interval& interval) {
  return Json::object({{"mean", interval.mean}, {"lo", interval.lo}, {"hi", interval.hi}});
}

Interval interval_from_json(const Json& json) {
  const auto value = [&](const char* key) {
    const auto& found = json.at(key);
    return found.is_null() ? std::nan("") : found.get<double>();
  };
  return {value("mean"), value("lo"), value("hi")};
}

Interval percentile_interval(double mean, std::vector<double> values, double level) {
  check_level(level);
  values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }),
               values.end());
  if (values.empty()) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {mean, nan, nan};
  }
  std::sort(values.begin(), values.end());
  return {mean, percentile(values, (1 - level) / 2), percentile(values, (1 + level) / 2)};
}

Interval bootstrap_interval(
    const std::vector<std::string>& groups,
    const std::function<double(const std::vector<std::int64_t>& indices)>& statistic,
    const BootstrapOptions& options) {
  check_argument(!groups.empty(), "[bootstrap] expected at least 1 row, got none");
  check_argument(options.resamples > 0, "[bootstrap] expected at least 1 resample, got ",
                 options.resamples);
  check_level(options.level);

  const std::vector<std::vector<std::int64_t>> clusters = rows_of_groups(groups);
  std::vector<std::int64_t> rows(groups.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  const double estimate = statistic(rows);

  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(options.resamples));
  for (std::int64_t b = 0; b < options.resamples; ++b) {
    RandomStream stream(options.seed, "bootstrap", 0, static_cast<std::uint64_t>(b));
    rows.clear();
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      const auto& drawn = clusters[stream.below(clusters.size())];
      rows.insert(rows.end(), drawn.begin(), drawn.end());
    }
    values.push_back(statistic(rows));
  }
  return percentile_interval(estimate, std::move(values), options.level);
}

Interval balanced_accuracy_interval(const std::vector<int>& labels,
                                    const std::vector<int>& predictions,
                                    const std::vector<std::string>& groups,
                                    const BootstrapOptions& options) {
  detail::check_same_rows(labels.size(), predictions.size(), "predictions");
  detail::check_same_rows(labels.size(), groups.size(), "groups");
  return bootstrap_interval(
      groups,
      [&](const std::vector<std::int64_t>& rows) {
        return balanced_accuracy(select(labels, rows), select(predictions, rows));
      },
      options);
}

Interval balanced_accuracy_difference(const std::vector<int>& labels, const std::vector<int>& first,
                                      const std::vector<int>& second,
                                      const std::vector<std::string>& groups,
                                      const BootstrapOptions& options) {
  detail::check_same_rows(labels.size(), first.size(), "predictions");
  detail::check_same_rows(labels.size(), second.size(), "predictions");
  detail::check_same_rows(labels.size(), groups.size(), "groups");
  return bootstrap_interval(
      groups,
      [&](const std::vector<std::int64_t>& rows) {
        const std::vector<int> truth = select(labels, rows);
        return balanced_accuracy(truth, select(first, rows)) -
               balanced_accuracy(truth, select(second, rows));
      },
      options);
}

Eigen::MatrixXd select_rows(const Eigen::MatrixXd& matrix,
                            const std::vector<std::int64_t>& indices) {
  Eigen::MatrixXd selected(static_cast<Eigen::Index>(indices.size()), matrix.cols());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    check_argument(indices[i] >= 0 && indices[i] < matrix.rows(),
                   "[bootstrap] expected row indices in 0 .. ", matrix.rows() - 1, ", got ",
                   indices[i]);
    selected.row(static_cast<Eigen::Index>(i)) = matrix.row(indices[i]);
  }
  return selected;
}

}  // namespace dermis
