#include "weighted_roc.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace dermis::detail {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// `counts` as shares of the last one, after a first 0; NaN if the last is 0.
std::vector<double> rates(const std::vector<double>& counts) {
  const double all = counts.back();
  std::vector<double> shares{all > 0 ? 0 : nan};
  for (const double count : counts) shares.push_back(all > 0 ? count / all : nan);
  return shares;
}

double trapezoids(const std::vector<double>& x, const std::vector<double>& y, std::size_t first) {
  double sum = 0;
  for (std::size_t k = first + 1; k < x.size(); ++k) {
    sum += (x[k] - x[k - 1]) * (y[k] + y[k - 1]) / 2;
  }
  return sum;
}

/// Whether the slope of `counts` changes at k.
bool bends(const std::vector<double>& counts, std::size_t k) {
  return (counts[k + 1] - counts[k]) - (counts[k] - counts[k - 1]) != 0;
}

/// Distance of point k to the line through points a and b (to the point, if they are equal).
double distance(const IsicRoc& roc, std::size_t k, std::size_t a, std::size_t b) {
  const double dx = roc.fpr[b] - roc.fpr[a], dy = roc.tpr[b] - roc.tpr[a];
  const double px = roc.fpr[a] - roc.fpr[k], py = roc.tpr[a] - roc.tpr[k];
  if (dx == 0 && dy == 0) return std::sqrt(px * px + py * py);
  return std::abs(dx * py - dy * px) / std::sqrt(dx * dx + dy * dy);
}

/// Ramer-Douglas-Peucker: a stretch of points within `epsilon` of the line through its ends is
/// replaced by the ends, any other is divided at its farthest point.
IsicRoc simplified(const IsicRoc& roc, double epsilon) {
  std::vector<bool> kept(roc.fpr.size(), false);
  kept.front() = kept.back() = true;
  std::vector<std::pair<std::size_t, std::size_t>> stretches{{0, roc.fpr.size() - 1}};
  while (!stretches.empty()) {
    const auto [first, last] = stretches.back();
    stretches.pop_back();
    std::size_t farthest = first;
    double largest = 0;
    for (std::size_t k = first + 1; k < last; ++k) {
      const double d = distance(roc, k, first, last);
      if (d > largest) {
        farthest = k;
        largest = d;
      }
    }
    if (!(largest > epsilon)) continue;
    kept[farthest] = true;
    stretches.emplace_back(first, farthest);
    stretches.emplace_back(farthest, last);
  }
  IsicRoc result;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    if (!kept[k]) continue;
    result.threshold.push_back(roc.threshold[k]);
    result.fpr.push_back(roc.fpr[k]);
    result.tpr.push_back(roc.tpr[k]);
  }
  return result;
}

}  // namespace

WeightedRoc weighted_roc(const std::vector<double>& scores, const std::vector<bool>& positive,
                         const std::vector<double>& weights) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (weights[i] != 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  WeightedRoc roc;
  double hits = 0, alarms = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    (positive[order[k]] ? hits : alarms) += weights[order[k]];
    const double score = scores[order[k]];
    if (k + 1 < order.size() && scores[order[k + 1]] == score) continue;
    roc.threshold.push_back(score);
    roc.false_positives.push_back(alarms);
    roc.true_positives.push_back(hits);
  }
  return roc;
}

double area(const WeightedRoc& roc) {
  return trapezoids(rates(roc.false_positives), rates(roc.true_positives), 0);
}

double area_above_sensitivity(const WeightedRoc& roc, double sensitivity) {
  const std::vector<double> fpr = rates(roc.false_positives), tpr = rates(roc.true_positives);
  const auto above = std::lower_bound(tpr.begin(), tpr.end(), sensitivity) - tpr.begin();
  const auto k = static_cast<std::size_t>(above);  // at least 1, for the curve starts at 0
  const double slope = (fpr[k] - fpr[k - 1]) / (tpr[k] - tpr[k - 1]);
  const double start = fpr[k - 1] + slope * (sensitivity - tpr[k - 1]);
  return (fpr[k] - start) * (tpr[k] + sensitivity) / 2 + trapezoids(fpr, tpr, k);
}

double average_precision(const WeightedRoc& roc) {
  const double positives = roc.true_positives.back();
  if (positives == 0) return 0;
  double sum = 0, recall_before = 0;
  for (std::size_t k = 0; k < roc.threshold.size(); ++k) {
    const double hits = roc.true_positives[k], recall = hits / positives;
    sum += (recall - recall_before) * hits / (hits + roc.false_positives[k]);
    recall_before = recall;
  }
  return sum;
}

IsicRoc corners(const WeightedRoc& roc) {
  WeightedRoc kept;
  const std::size_t size = roc.threshold.size();
  for (std::size_t k = 0; k < size; ++k) {
    const bool end = k == 0 || k + 1 == size;
    if (!end && !bends(roc.false_positives, k) && !bends(roc.true_positives, k)) continue;
    kept.threshold.push_back(roc.threshold[k]);
    kept.false_positives.push_back(roc.false_positives[k]);
    kept.true_positives.push_back(roc.true_positives[k]);
  }
  IsicRoc curve{{1.0}, rates(kept.false_positives), rates(kept.true_positives)};
  curve.threshold.insert(curve.threshold.end(), kept.threshold.begin(), kept.threshold.end());
  return curve.fpr.size() > 100 ? simplified(curve, 0.001) : curve;
}

}  // namespace dermis::detail
