#include "dermis/audit/skin_tone.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"
#include "holm.hpp"

namespace dermis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// The measured images of one side.
struct Side {
  std::vector<const ToneEstimate*> tones;
  std::vector<std::string> lesions;
};

Side side_of(const std::vector<ToneEstimate>& estimates, const PixelSet& set, int label) {
  Side side;
  for (std::size_t i = 0; i < estimates.size(); ++i) {
    const Sample& sample = set.samples[i];
    if (!estimates[i].measured || (label >= 0 && sample.label != label)) continue;
    side.tones.push_back(&estimates[i]);
    side.lesions.push_back(sample.lesion);
  }
  return side;
}

ToneShares shares_of(const Side& side, const BootstrapOptions& options) {
  ToneShares shares;
  shares.fill({nan, nan, nan});
  if (side.tones.empty()) return shares;
  for (std::size_t g = 0; g < tone_groups; ++g) {
    shares[g] = bootstrap_interval(
        side.lesions,
        [&](const std::vector<std::int64_t>& rows) {
          double sum = 0;
          for (const std::int64_t i : rows)
            sum += side.tones[static_cast<std::size_t>(i)]->groups[g];
          return sum / static_cast<double>(rows.size());
        },
        options);
  }
  return shares;
}

double mean_ita(const Side& side, const std::vector<std::int64_t>& rows) {
  double sum = 0;
  for (const std::int64_t i : rows) sum += side.tones[static_cast<std::size_t>(i)]->ita;
  return sum / static_cast<double>(rows.size());
}

/// Synthetic less real, lesions of both sides drawn independently.
Interval shift_of(const Side& real, const Side& synthetic, const BootstrapOptions& options) {
  if (real.tones.empty() || synthetic.tones.empty()) return {nan, nan, nan};
  Side both = real;
  both.tones.insert(both.tones.end(), synthetic.tones.begin(), synthetic.tones.end());
  both.lesions.insert(both.lesions.end(), synthetic.lesions.begin(), synthetic.lesions.end());
  for (std::size_t i = real.tones.size(); i < both.lesions.size(); ++i)
    if (!both.lesions[i].empty()) both.lesions[i] += " (synthetic)";
  const auto border = static_cast<std::int64_t>(real.tones.size());
  return bootstrap_interval(
      both.lesions,
      [&](const std::vector<std::int64_t>& rows) {
        std::vector<std::int64_t> first, second;
        for (const std::int64_t i : rows) (i < border ? first : second).push_back(i);
        return mean_ita(both, second) - mean_ita(both, first);  // NaN if a side is empty
      },
      options);
}

/// ITA of each image in rising order, with the lesion it is of.
struct Angle {
  double ita;
  std::size_t lesion;
};

/// Largest difference of the two sides' empirical distributions; `synthetic` by lesion.
double distance_of(const std::vector<Angle>& angles, const std::vector<bool>& synthetic) {
  double counts[2] = {0, 0};
  for (const Angle& angle : angles) ++counts[synthetic[angle.lesion]];
  if (counts[0] == 0 || counts[1] == 0) return 0;
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < angles.size(); ++i) {
    const bool side = synthetic[angles[i].lesion];
    difference += (side ? 1 : -1) / counts[side];
    if (i + 1 == angles.size() || angles[i + 1].ita > angles[i].ita)
      largest = std::max(largest, std::abs(difference));
  }
  return largest;
}

void test_difference(ToneComparison& row, const Side& real, const Side& synthetic,
                     const ToneComparisonOptions& options) {
  std::vector<Angle> angles;
  std::vector<bool> is_synthetic;
  for (const Side* side : {&real, &synthetic}) {
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < side->tones.size(); ++i) {
      std::size_t at = is_synthetic.size();
      if (!side->lesions[i].empty()) at = places.emplace(side->lesions[i], at).first->second;
      if (at == is_synthetic.size()) is_synthetic.push_back(side == &synthetic);
      angles.push_back({side->tones[i]->ita, at});
    }
  }
  std::sort(angles.begin(), angles.end(),
            [](const Angle& a, const Angle& b) { return a.ita < b.ita; });
  row.distance = distance_of(angles, is_synthetic);
  std::int64_t as_far = 1;  // the data themselves are one of the permutations
  for (std::int64_t k = 0; k < options.permutations; ++k) {
    RandomStream random(options.bootstrap.seed, "tone permutation", 0,
                        static_cast<std::uint64_t>(k));
    std::vector<bool> shuffled = is_synthetic;
    for (std::size_t i = shuffled.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(random.below(i));
      const bool value = shuffled[i - 1];
      shuffled[i - 1] = shuffled[j];
      shuffled[j] = value;
    }
    as_far += distance_of(angles, shuffled) >= row.distance - 1e-12;
  }
  row.p = static_cast<double>(as_far) / static_cast<double>(options.permutations + 1);
}

Json to_json(const ToneShares& shares) {
  Json json = Json::object();
  for (std::size_t g = 0; g < tone_groups; ++g) json[tone_group_names()[g]] = to_json(shares[g]);
  return json;
}

}  // namespace

std::vector<ToneEstimate> estimate_tones(const PixelSet& set, const ToneOptions& options) {
  std::vector<ToneEstimate> estimates;
  estimates.reserve(set.samples.size());
  for (int64_t i = 0; i < set.size(); ++i)
    estimates.push_back(estimate_tone(to_image(set.images[i]), options));
  return estimates;
}

std::vector<std::string> tone_group_of(const std::vector<ToneEstimate>& estimates,
                                       double least_probability) {
  std::vector<std::string> groups;
  groups.reserve(estimates.size());
  for (const ToneEstimate& estimate : estimates) {
    const auto best = std::max_element(estimate.groups.begin(), estimate.groups.end());
    const auto at = static_cast<std::size_t>(best - estimate.groups.begin());
    groups.push_back(estimate.measured && *best >= least_probability ? tone_group_names()[at] : "");
  }
  return groups;
}

std::vector<ToneComparison> compare_tones(const std::vector<ToneEstimate>& real,
                                          const PixelSet& real_set,
                                          const std::vector<ToneEstimate>& synthetic,
                                          const PixelSet& synthetic_set,
                                          const ToneComparisonOptions& options) {
  check_argument(real.size() == real_set.samples.size(), "[tone] expected estimates of the ",
                 real_set.samples.size(), " real images, got ", real.size());
  check_argument(synthetic.size() == synthetic_set.samples.size(),
                 "[tone] expected estimates of the ", synthetic_set.samples.size(),
                 " synthetic images, got ", synthetic.size());
  check_argument(real_set.classes == synthetic_set.classes,
                 "[tone] expected the same classes in the real and the synthetic set");
  check_argument(options.alpha > 0 && options.alpha < 1,
                 "[tone] expected alpha between 0 and 1, got ", options.alpha);
  check_argument(options.permutations > 0, "[tone] expected at least 1 permutation, got ",
                 options.permutations);
  std::vector<ToneComparison> rows;
  std::vector<double> p;
  std::vector<std::size_t> tested;
  for (int label = -1; label < static_cast<int>(real_set.classes.size()); ++label) {
    const Side a = side_of(real, real_set, label), b = side_of(synthetic, synthetic_set, label);
    ToneComparison row;
    row.name = label < 0 ? "all" : real_set.classes[static_cast<std::size_t>(label)];
    row.real_images = static_cast<std::int64_t>(a.tones.size());
    row.synthetic_images = static_cast<std::int64_t>(b.tones.size());
    row.real = shares_of(a, options.bootstrap);
    row.synthetic = shares_of(b, options.bootstrap);
    row.shift = shift_of(a, b, options.bootstrap);
    if (std::min(row.real_images, row.synthetic_images) < options.least_images) {
      row.distance = row.p = nan;
      row.note = text("fewer than ", options.least_images, " images on a side: not tested");
    } else {
      test_difference(row, a, b, options);
      p.push_back(row.p);
      tested.push_back(rows.size());
    }
    rows.push_back(std::move(row));
  }
  const std::vector<double> corrected = detail::holm(p);
  for (std::size_t k = 0; k < tested.size(); ++k) {
    rows[tested[k]].p = corrected[k];
    rows[tested[k]].differs = corrected[k] < options.alpha;
  }
  return rows;
}

Json tone_summary(const std::vector<ToneEstimate>& estimates) {
  std::vector<double> angles, errors;
  std::array<double, tone_groups> shares{};
  std::int64_t casts = 0;
  for (const ToneEstimate& estimate : estimates) {
    casts += estimate.colour_cast;
    if (!estimate.measured) continue;
    angles.push_back(estimate.ita);
    errors.push_back(estimate.error);
    for (std::size_t g = 0; g < tone_groups; ++g) shares[g] += estimate.groups[g];
  }
  const auto quantiles = [&](double level) { return percentile_interval(nan, angles, level); };
  const Interval wide = quantiles(0.9), half = quantiles(0.5), middle = quantiles(1e-9);
  Json names = Json::object();
  for (std::size_t g = 0; g < tone_groups; ++g)
    names[tone_group_names()[g]] = shares[g] / static_cast<double>(angles.size());
  return Json::object({{"images", static_cast<std::int64_t>(estimates.size())},
                       {"measured", static_cast<std::int64_t>(angles.size())},
                       {"colour_casts", casts},
                       {"ita", std::vector<double>{wide.lo, half.lo, middle.lo, half.hi, wide.hi}},
                       {"error", percentile_interval(nan, errors, 1e-9).lo},
                       {"shares", names}});
}

Json to_json(const ToneComparison& row) {
  return Json::object({{"name", row.name},
                       {"real_images", row.real_images},
                       {"synthetic_images", row.synthetic_images},
                       {"real", to_json(row.real)},
                       {"synthetic", to_json(row.synthetic)},
                       {"shift", to_json(row.shift)},
                       {"distance", row.distance},
                       {"p", row.p},
                       {"differs", row.differs},
                       {"note", row.note}});
}

Json to_json(const std::vector<ToneComparison>& comparisons) {
  Json json = Json::array();
  for (const ToneComparison& row : comparisons) json.push_back(to_json(row));
  return json;
}

}  // namespace dermis
