#include "dermis/metrics/localisation.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "arguments.hpp"
#include "dermis/metrics/classification.hpp"
#include "dermis/metrics/rank_correlation.hpp"

namespace dermis {
namespace {

using Rows = std::vector<std::int64_t>;
using Value = double (*)(const LocalisedMap&);

double share_of(const std::vector<std::uint8_t>& pixels) {
  return static_cast<double>(
             std::count_if(pixels.begin(), pixels.end(), [](auto p) { return p != 0; })) /
         static_cast<double>(pixels.size());
}

double share(const LocalisedMap& m) {
  return m.share;
}
double area(const LocalisedMap& m) {
  return m.area;
}
double gain(const LocalisedMap& m) {
  return m.share - m.area;
}
double hit(const LocalisedMap& m) {
  return m.hit;
}
double near_area(const LocalisedMap& m) {
  return m.near_area;
}
bool empty(const LocalisedMap& m) {
  return std::isnan(m.share);
}

/// Mean of `value` over those of `rows` whose map points somewhere; NaN if there are none.
double mean_of(const std::vector<LocalisedMap>& maps, const Rows& rows, Value value) {
  double sum = 0, count = 0;
  for (const auto row : rows) {
    const auto& map = maps[static_cast<std::size_t>(row)];
    if (empty(map)) continue;
    sum += value(map);
    ++count;
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

/// Everything that is asked of the same images.
class Summariser {
 public:
  Summariser(const std::vector<LocalisedMap>& maps, const std::vector<std::string>& lesions,
             const BootstrapOptions& options)
      : maps_(maps), lesions_(lesions), options_(options) {}

  LocalisationSummary summary(const Rows& rows) const {
    LocalisationSummary s;
    s.images = static_cast<std::int64_t>(rows.size());
    for (const auto row : rows) s.empty += empty(maps_[static_cast<std::size_t>(row)]);
    s.share = interval(rows, share);
    s.area = interval(rows, area);
    s.gain = interval(rows, gain);
    s.hit = interval(rows, hit);
    s.near_area = interval(rows, near_area);
    return s;
  }

  /// Of `statistic(rows)` over all images.
  Interval over_all(const std::function<double(const Rows&)>& statistic) const {
    return bootstrap_interval(lesions_, statistic, options_);
  }

 private:
  Interval interval(const Rows& rows, Value value) const {
    if (rows.empty()) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      return {nan, nan, nan};
    }
    return bootstrap_interval(
        select(lesions_, rows),
        [&](const Rows& drawn) { return mean_of(maps_, select(rows, drawn), value); }, options_);
  }

  const std::vector<LocalisedMap>& maps_;
  const std::vector<std::string>& lesions_;
  const BootstrapOptions& options_;
};

template <class Condition>
Rows rows_where(const Rows& rows, Condition condition) {
  Rows kept;
  for (const auto row : rows)
    if (condition(static_cast<std::size_t>(row))) kept.push_back(row);
  return kept;
}

Json to_json(const LocalisationSummary& s) {
  return Json::object({{"images", s.images},
                       {"empty", s.empty},
                       {"share", to_json(s.share)},
                       {"area", to_json(s.area)},
                       {"gain", to_json(s.gain)},
                       {"hit", to_json(s.hit)},
                       {"near_area", to_json(s.near_area)}});
}

}  // namespace

LocalisationTarget localisation_target(std::vector<std::uint8_t> mask, std::int64_t width,
                                       double tolerance) {
  const auto pixels = static_cast<std::int64_t>(mask.size());
  check_argument(width > 0 && pixels > 0 && pixels % width == 0, "[localisation] expected rows of ",
                 width, " pixels, got ", pixels, " pixels");
  check_argument(tolerance >= 0, "[localisation] expected a tolerance of at least 0, got ",
                 tolerance);
  LocalisationTarget target{std::move(mask), {}, 0, 0};
  target.area = share_of(target.mask);
  check_argument(target.area > 0 && target.area<1,
                                                "[localisation] expected a mask with pixels inside "
                                                "and outside of the lesion, got ",
                                                target.area> 0
                     ? "only"
                     : "no",
                 " lesion pixels");
  target.near = target.mask;
  const auto height = pixels / width, reach = static_cast<std::int64_t>(tolerance);
  for (std::int64_t i = 0; i < pixels; ++i) {
    if (target.mask[static_cast<std::size_t>(i)] == 0) continue;
    const auto x = i % width, y = i / width;
    for (auto v = std::max<std::int64_t>(0, y - reach); v <= std::min(height - 1, y + reach); ++v)
      for (auto u = std::max<std::int64_t>(0, x - reach); u <= std::min(width - 1, x + reach); ++u)
        if (static_cast<double>((u - x) * (u - x) + (v - y) * (v - y)) <= tolerance * tolerance)
          target.near[static_cast<std::size_t>(v * width + u)] = 1;
  }
  target.near_area = share_of(target.near);
  return target;
}

LocalisedMap localise(const std::vector<float>& map, const LocalisationTarget& target) {
  check_argument(map.size() == target.mask.size(), "[localisation] expected a map of ",
                 target.mask.size(), " values, got ", map.size());
  double sum = 0, inside = 0;
  float largest = 0;
  for (std::size_t i = 0; i < map.size(); ++i) {
    check_argument(std::isfinite(map[i]) && map[i] >= 0,
                   "[localisation] expected finite values of at least 0, got ", map[i]);
    sum += static_cast<double>(map[i]);
    if (target.mask[i] != 0) inside += static_cast<double>(map[i]);
    largest = std::max(largest, map[i]);
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  LocalisedMap found{nan, target.area, nan, target.near_area};
  if (largest == 0) return found;
  double maxima = 0, hits = 0;
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (map[i] < largest) continue;
    ++maxima;
    hits += target.near[i] != 0 ? 1 : 0;
  }
  found.share = inside / sum;
  found.hit = hits / maxima;
  return found;
}

Localisation localisation(const std::vector<LocalisedMap>& maps, const std::vector<int>& labels,
                          const std::vector<int>& predictions,
                          const std::vector<std::string>& lesions,
                          const std::vector<std::string>& classes,
                          const BootstrapOptions& options) {
  check_argument(!maps.empty(), "[localisation] expected at least 1 map, got none");
  detail::check_labels(labels, static_cast<int>(classes.size()));
  detail::check_same_rows(labels.size(), maps.size(), "maps");
  detail::check_same_rows(labels.size(), predictions.size(), "predictions");
  detail::check_same_rows(labels.size(), lesions.size(), "lesions");
  const Summariser summarise(maps, lesions, options);
  Rows every(maps.size());
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<std::int64_t>(i);
  const auto rows_that_are = [&](const Rows& rows, bool right) {
    return rows_where(rows, [&](std::size_t i) { return (labels[i] == predictions[i]) == right; });
  };
  const auto rows_of_class = [&](const Rows& rows, std::size_t c) {
    return rows_where(rows, [&](std::size_t i) { return labels[i] == static_cast<int>(c); });
  };
  const auto difference = [&](Value value) {
    return summarise.over_all([&, value](const Rows& rows) {
      return mean_of(maps, rows_that_are(rows, true), value) -
             mean_of(maps, rows_that_are(rows, false), value);
    });
  };
  const auto correlation = [&](Value value) {
    return summarise.over_all([&, value](const Rows& rows) {
      std::vector<double> recalls, values;
      for (std::size_t c = 0; c < classes.size(); ++c) {
        const auto own = rows_of_class(rows, c);
        recalls.push_back(accuracy(select(labels, own), select(predictions, own)));
        values.push_back(mean_of(maps, own, value));
      }
      return spearman(recalls, values);
    });
  };
  Localisation found;
  found.all = summarise.summary(every);
  found.right = summarise.summary(rows_that_are(every, true));
  found.wrong = summarise.summary(rows_that_are(every, false));
  found.gain_difference = difference(gain);
  found.hit_difference = difference(hit);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto own = rows_of_class(every, c);
    if (own.empty()) continue;
    found.classes.push_back({classes[c], accuracy(select(labels, own), select(predictions, own)),
                             summarise.summary(own)});
  }
  found.recall_gain = correlation(gain);
  found.recall_hit = correlation(hit);
  return found;
}

Json to_json(const Localisation& found) {
  Json classes = Json::object();
  for (const auto& one : found.classes) {
    classes[one.name] = to_json(one.maps);
    classes[one.name]["recall"] = one.recall;
  }
  return Json::object({{"all", to_json(found.all)},
                       {"right", to_json(found.right)},
                       {"wrong", to_json(found.wrong)},
                       {"gain_difference", to_json(found.gain_difference)},
                       {"hit_difference", to_json(found.hit_difference)},
                       {"classes", classes},
                       {"recall_gain", to_json(found.recall_gain)},
                       {"recall_hit", to_json(found.recall_hit)}});
}

}  // namespace dermis
