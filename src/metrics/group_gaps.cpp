#include "dermis/metrics/group_gaps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "arguments.hpp"
#include "dermis/core/random.hpp"
#include "dermis/metrics/calibration.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// What a row adds to the figures.
struct Row {
  double hit = 0;
  double excess = 0;  ///< confidence less hit
};

/// The rows of one lesion of a class in a group.
using Lesion = std::vector<Row>;
/// All lesions of a class in a group.
using Cell = std::vector<Lesion>;

/// Means over the rows of a cell.
struct CellMeans {
  double recall = nan, excess = nan;
};

CellMeans means_of(const Cell& cell, const std::vector<std::size_t>& drawn) {
  double hits = 0, excess = 0, rows = 0;
  for (const std::size_t i : drawn) {
    for (const Row& row : cell[i]) {
      hits += row.hit;
      excess += row.excess;
      ++rows;
    }
  }
  return rows > 0 ? CellMeans{hits / rows, excess / rows} : CellMeans{};
}

std::vector<std::size_t> every(std::size_t count) {
  std::vector<std::size_t> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = i;
  return all;
}

/// Group by class: the lesions, and what is made of them.
struct Table {
  std::vector<std::string> names;
  int classes = 0;
  std::vector<std::vector<Cell>> cells;            ///< [group][class]
  std::vector<std::vector<std::int64_t>> rows;     ///< of each group
  std::vector<std::vector<std::string>> clusters;  ///< lesions of these rows
};

Table table_of(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities,
               const std::vector<int>& predictions, const std::vector<std::string>& groups,
               const std::vector<std::string>& lesions) {
  Table table;
  std::set<std::string> names(groups.begin(), groups.end());
  names.erase("");
  table.names.assign(names.begin(), names.end());
  table.classes = static_cast<int>(probabilities.cols());
  table.cells.assign(names.size(), std::vector<Cell>(static_cast<std::size_t>(table.classes)));
  table.rows.resize(names.size());
  table.clusters.resize(names.size());
  std::map<std::string, std::map<std::size_t, std::size_t>> places;  // lesion, cell -> index
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (groups[i].empty()) continue;
    const auto g = static_cast<std::size_t>(
        std::lower_bound(table.names.begin(), table.names.end(), groups[i]) - table.names.begin());
    const auto c = static_cast<std::size_t>(labels[i]);
    table.rows[g].push_back(static_cast<std::int64_t>(i));
    table.clusters[g].push_back(lesions[i]);
    Cell& cell = table.cells[g][c];
    std::size_t at = cell.size();
    if (!lesions[i].empty()) {
      const std::size_t key = g * static_cast<std::size_t>(table.classes) + c;
      at = places[lesions[i]].emplace(key, at).first->second;
    }
    if (at == cell.size()) cell.emplace_back();
    const double hit = predictions[i] == labels[i];
    cell[at].push_back({hit, probabilities.row(static_cast<Eigen::Index>(i)).maxCoeff() - hit});
  }
  return table;
}

/// Variance of a share of hits among n with half a hit and half a miss added.
double smoothed_variance(double share, double n) {
  const double p = (share * n + 0.5) / (n + 1);
  return p * (1 - p) / n;
}

/// A gap while its interval is not known.
struct Contrast {
  std::size_t first = 0, second = 0;
  bool calibration = false;
  std::vector<int> classes;

  double value(const std::vector<std::vector<CellMeans>>& means) const {
    double sum = 0;
    for (const int c : classes) {
      const CellMeans& a = means[first][static_cast<std::size_t>(c)];
      const CellMeans& b = means[second][static_cast<std::size_t>(c)];
      sum += calibration ? a.excess - b.excess : a.recall - b.recall;
    }
    return sum / static_cast<double>(classes.size());
  }
};

std::vector<Contrast> contrasts_of(const Table& table, std::int64_t least) {
  std::vector<Contrast> contrasts;
  const auto enough = [&](std::size_t g, int c) {
    return static_cast<std::int64_t>(table.cells[g][static_cast<std::size_t>(c)].size()) >= least;
  };
  for (std::size_t a = 0; a < table.names.size(); ++a) {
    for (std::size_t b = a + 1; b < table.names.size(); ++b) {
      Contrast contrast{a, b, false, {}};
      for (int c = 0; c < table.classes; ++c)
        if (enough(a, c) && enough(b, c)) contrast.classes.push_back(c);
      if (contrast.classes.size() < 2) continue;
      contrasts.push_back(contrast);
      contrast.calibration = true;
      contrasts.push_back(contrast);
    }
  }
  return contrasts;
}

template <class Draw>
std::vector<std::vector<CellMeans>> means_with(const Table& table, Draw&& draw) {
  std::vector<std::vector<CellMeans>> means(table.names.size());
  for (std::size_t g = 0; g < means.size(); ++g) {
    for (const Cell& cell : table.cells[g]) means[g].push_back(means_of(cell, draw(cell.size())));
  }
  return means;
}

/// [contrasts][resamples] How far each contrast is from its estimate when lesions are drawn anew.
std::vector<std::vector<double>> deviations(const Table& table,
                                            const std::vector<Contrast>& contrasts,
                                            const std::vector<double>& estimate,
                                            const BootstrapOptions& options) {
  std::vector<std::vector<double>> away(contrasts.size());
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    RandomStream random(options.seed, "group gaps", 0, static_cast<std::uint64_t>(r));
    const auto resampled = means_with(table, [&](std::size_t count) {
      std::vector<std::size_t> drawn(count);
      for (std::size_t& i : drawn) i = random.below(count);
      return drawn;
    });
    for (std::size_t k = 0; k < contrasts.size(); ++k)
      away[k].push_back(contrasts[k].value(resampled) - estimate[k]);
  }
  return away;
}

/// Variance of a contrast of shares, were its lesions independent: where a share is 0 or 1
/// resamples do not vary at all.
double smoothed_variance(const Table& table, const std::vector<std::vector<CellMeans>>& means,
                         const Contrast& contrast) {
  double sum = 0;
  for (const std::size_t g : {contrast.first, contrast.second}) {
    for (const int c : contrast.classes) {
      const auto at = static_cast<std::size_t>(c);
      sum += smoothed_variance(means[g][at].recall, static_cast<double>(table.cells[g][at].size()));
    }
  }
  const auto count = static_cast<double>(contrast.classes.size());
  return sum / (count * count);
}

/// How many standard deviations wide an interval is that holds for all contrasts at once. Not below
/// what a normal distribution has for a single one.
double simultaneous_width(const std::vector<std::vector<double>>& away,
                          const std::vector<double>& spread, double alpha) {
  std::vector<double> largest(away[0].size());
  for (std::size_t r = 0; r < largest.size(); ++r) {
    for (std::size_t k = 0; k < away.size(); ++k)
      if (spread[k] > 0) largest[r] = std::max(largest[r], std::abs(away[k][r]) / spread[k]);
  }
  return std::max(1.96, percentile_interval(0, std::move(largest), 1 - 2 * alpha).hi);
}

std::vector<GroupGap> gaps_of(const Table& table, const GroupGapOptions& options) {
  const std::vector<Contrast> contrasts = contrasts_of(table, options.least_lesions);
  if (contrasts.empty()) return {};
  const auto means = means_with(table, every);
  std::vector<double> estimate, spread;
  for (const Contrast& contrast : contrasts) estimate.push_back(contrast.value(means));
  const auto away = deviations(table, contrasts, estimate, options.bootstrap);
  for (const auto& resamples : away) {
    double squares = 0;
    for (const double d : resamples) squares += d * d / static_cast<double>(resamples.size());
    spread.push_back(std::sqrt(squares));
  }
  const double width = simultaneous_width(away, spread, options.alpha);

  std::vector<GroupGap> gaps;
  for (std::size_t k = 0; k < contrasts.size(); ++k) {
    const Contrast& contrast = contrasts[k];
    const double error = std::max(spread[k], std::sqrt(smoothed_variance(table, means, contrast)));
    const double half = width * error;
    gaps.push_back({contrast.calibration ? "overconfidence" : "balanced accuracy",
                    table.names[contrast.first], table.names[contrast.second], contrast.classes,
                    Interval{estimate[k], estimate[k] - half, estimate[k] + half},
                    std::abs(estimate[k]) > half});
  }
  std::stable_sort(gaps.begin(), gaps.end(), [](const GroupGap& a, const GroupGap& b) {
    return std::abs(a.difference.mean) > std::abs(b.difference.mean);
  });
  return gaps;
}

GroupFigures figures_of(const Table& table, std::size_t g, const std::vector<int>& labels,
                        const Eigen::MatrixXd& probabilities, const std::vector<int>& predictions,
                        const GroupGapOptions& options) {
  const auto& rows = table.rows[g];
  const std::vector<int> truth = select(labels, rows), predicted = select(predictions, rows);
  const Eigen::MatrixXd own = select_rows(probabilities, rows);
  const auto& lesions = table.clusters[g];
  GroupFigures figures;
  figures.group = table.names[g];
  figures.images = static_cast<std::int64_t>(rows.size());
  int comparable = 0;
  for (const Cell& cell : table.cells[g]) {
    figures.lesions += static_cast<std::int64_t>(cell.size());
    comparable += static_cast<std::int64_t>(cell.size()) >= options.least_lesions;
  }
  if (comparable < 2)
    figures.note =
        text("fewer than two classes with ", options.least_lesions, " lesions: not compared");
  figures.balanced_accuracy =
      balanced_accuracy_interval(truth, predicted, lesions, options.bootstrap);
  for (int c = 0; c < table.classes; ++c) {
    const auto recall = [&](const std::vector<std::int64_t>& drawn) {
      double hits = 0, count = 0;
      for (const std::int64_t i : drawn) {
        const auto at = static_cast<std::size_t>(i);
        if (truth[at] != c) continue;
        hits += predicted[at] == c;
        ++count;
      }
      return count > 0 ? hits / count : nan;
    };
    figures.recall.push_back(bootstrap_interval(lesions, recall, options.bootstrap));
  }
  figures.calibration_error = bootstrap_interval(
      lesions,
      [&](const std::vector<std::int64_t>& drawn) {
        return expected_calibration_error(select_rows(own, drawn), select(truth, drawn));
      },
      options.bootstrap);
  figures.overconfidence = bootstrap_interval(
      lesions,
      [&](const std::vector<std::int64_t>& drawn) {
        double sum = 0;
        for (const std::int64_t i : drawn)
          sum += own.row(i).maxCoeff() -
                 (predicted[static_cast<std::size_t>(i)] == truth[static_cast<std::size_t>(i)]);
        return sum / static_cast<double>(drawn.size());
      },
      options.bootstrap);
  return figures;
}

}  // namespace

GroupGaps group_gaps(const std::vector<int>& labels, const Eigen::MatrixXd& probabilities,
                     const std::vector<std::string>& groups,
                     const std::vector<std::string>& lesions, const GroupGapOptions& options) {
  detail::check_same_rows(labels.size(), static_cast<std::size_t>(probabilities.rows()),
                          "rows of probabilities");
  detail::check_same_rows(labels.size(), groups.size(), "groups");
  detail::check_same_rows(labels.size(), lesions.size(), "lesions");
  detail::check_labels(labels, static_cast<int>(probabilities.cols()));
  detail::check_no_nan(probabilities, "probabilities");
  check_argument(options.alpha > 0 && options.alpha < 0.5,
                 "[groups] expected alpha between 0 and 0.5, got ", options.alpha);
  check_argument(options.least_lesions >= 2, "[groups] expected least_lesions of at least 2, got ",
                 options.least_lesions);
  const std::vector<int> predictions = predict_labels(probabilities);
  const Table table = table_of(labels, probabilities, predictions, groups, lesions);
  GroupGaps result;
  result.unknown = std::count(groups.begin(), groups.end(), "");
  for (std::size_t g = 0; g < table.names.size(); ++g)
    result.groups.push_back(figures_of(table, g, labels, probabilities, predictions, options));
  result.gaps = gaps_of(table, options);
  result.found = std::any_of(result.gaps.begin(), result.gaps.end(),
                             [](const GroupGap& gap) { return gap.found; });
  return result;
}

}  // namespace dermis
