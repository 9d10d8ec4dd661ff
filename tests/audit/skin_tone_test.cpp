#include "dermis/audit/skin_tone.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>

#include "audit/planted_tone.hpp"
#include "core/support.hpp"
#include "dermis/metrics/group_gaps.hpp"

using namespace dermis;
using test::mentions;
using test::message_of;

namespace {

bool nobody(int) {
  return false;
}
bool dark(int skin_type) {
  return skin_type >= 3;
}
bool lightest(int skin_type) {
  return skin_type == 0;
}

bool gap_found(const test::TonedSet& set, const std::vector<std::string>& groups, double drop,
               const std::function<bool(int)>& worse, std::uint64_t seed) {
  GroupGapOptions options;
  options.bootstrap.resamples = 200;
  options.least_lesions = 6;
  return group_gaps(set.labels, test::judge(set, 0.85, drop, worse, seed), groups, set.lesions,
                    options)
      .found;
}

}  // namespace

TEST_CASE("tone: planted gaps over seeds", "[.full]") {
  int found_dark = 0, found_light = 0, accused = 0, clean = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const test::TonedSet set = test::toned_set(seed, 150, 32);
    const auto groups = tone_group_of(estimate_tones(set.pixels));
    found_dark += gap_found(set, groups, 0.3, dark, seed);
    found_light += gap_found(set, groups, 0.3, lightest, seed);
    for (std::uint64_t k = 0; k < 20; ++k, ++clean)
      accused += gap_found(set, groups, 0, nobody, 100 + 20 * seed + k);
  }
  WARN("dark " << found_dark << ", light " << found_light << " of 5, clean " << accused << " of "
               << clean);
  CHECK(found_dark == 5);
  CHECK(found_light == 5);
  CHECK(accused <= 0.05 * clean);
}

TEST_CASE("tone: the phantom's skin types are told apart by the angle") {
  // Nominal angles of the five skins under white light, by numpy from the sRGB and CIELAB
  // definitions.
  const double nominal[] = {68.9, 55.3, 44.6, 31.6, 5.7};
  const test::TonedSet set = test::toned_set(3, 40, 64);
  const auto estimates = estimate_tones(set.pixels);
  double squares = 0, measured = 0, concordant = 0, pairs = 0;
  for (std::size_t i = 0; i < estimates.size(); ++i) {
    if (!estimates[i].measured) continue;
    const auto type = static_cast<std::size_t>(set.skin_types[i]);
    const double error = estimates[i].ita - nominal[type];
    squares += error * error;
    ++measured;
    for (std::size_t j = 0; j < i; ++j) {
      if (!estimates[j].measured || set.skin_types[j] == set.skin_types[i]) continue;
      concordant +=
          (estimates[i].ita < estimates[j].ita) == (set.skin_types[i] > set.skin_types[j]);
      ++pairs;
    }
  }
  CHECK(measured > 0.97 * static_cast<double>(estimates.size()));
  CHECK(std::sqrt(squares / measured) < 12);
  CHECK(concordant / pairs > 0.9);
}

TEST_CASE("tone: a planted gap is found, equal skill is not accused") {
  const test::TonedSet set = test::toned_set(0, 100, 32);
  const auto groups = tone_group_of(estimate_tones(set.pixels));
  CHECK(gap_found(set, groups, 0.4, dark, 0));
  CHECK(gap_found(set, groups, 0.4, lightest, 0));
  int accused = 0;
  for (std::uint64_t seed = 100; seed < 120; ++seed)
    accused += gap_found(set, groups, 0, nobody, seed);
  CHECK(accused <= 1);
}

namespace {

/// Estimates of the given angles, in a set of two classes with one lesion an image.
std::pair<std::vector<ToneEstimate>, PixelSet> tones_of(const std::vector<double>& angles,
                                                        const std::vector<int>& labels) {
  std::pair<std::vector<ToneEstimate>, PixelSet> result;
  result.second.classes = {"A", "B"};
  for (std::size_t i = 0; i < angles.size(); ++i) {
    ToneEstimate estimate;
    estimate.measured = true;
    estimate.ita = angles[i];
    estimate.error = 5;
    estimate.groups = tone_group_probabilities(angles[i], 5);
    result.first.push_back(estimate);
    result.second.samples.push_back({.id = std::to_string(i), .label = labels[i]});
  }
  return result;
}

/// 100 angles around 50 in both classes; those of class B moved by `shift`.
std::pair<std::vector<ToneEstimate>, PixelSet> normal_tones(std::uint64_t seed, double shift) {
  RandomStream random(seed, "tone test");
  std::vector<double> angles;
  std::vector<int> labels;
  for (int i = 0; i < 100; ++i) {
    labels.push_back(i % 2);
    angles.push_back(50 + 12 * random.normal() + (i % 2) * shift);
  }
  return tones_of(angles, labels);
}

}  // namespace

TEST_CASE("tone: a generated class on lighter skin is found, the other is not accused") {
  const auto [real, real_set] = normal_tones(1, 0);
  const auto [synthetic, synthetic_set] = normal_tones(2, 15);
  ToneComparisonOptions options;
  options.bootstrap.resamples = 200;
  options.permutations = 400;
  const auto rows = compare_tones(real, real_set, synthetic, synthetic_set, options);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].name == "all");
  CHECK(rows[0].real_images == 100);
  CHECK_FALSE(rows[1].differs);
  CHECK(rows[2].differs);
  CHECK(rows[2].shift.lo > 5);
  CHECK(rows[2].shift.hi < 25);
  double sum = 0;
  for (const Interval& share : rows[2].synthetic) sum += share.mean;
  CHECK(sum == Approx(1));
  CHECK(rows[2].synthetic[0].mean > rows[2].real[0].mean);
  CHECK(to_json(rows).elements()[2].at("differs").get<bool>());

  int accused = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto [other, other_set] = normal_tones(10 + seed, 0);
    options.bootstrap.seed = seed;
    options.bootstrap.resamples = 2;
    for (const auto& row : compare_tones(real, real_set, other, other_set, options))
      accused += row.differs;
  }
  CHECK(accused <= 1);
}

TEST_CASE("tone: the distance is Kolmogorov and Smirnov's, few images are not tested") {
  const auto [real, real_set] = tones_of({10, 20, 30, 40}, {0, 0, 0, 0});
  const auto [synthetic, synthetic_set] = tones_of({25, 35, 45, 55}, {0, 0, 0, 0});
  ToneComparisonOptions options;
  options.least_images = 4;
  options.bootstrap.resamples = 10;
  const auto rows = compare_tones(real, real_set, synthetic, synthetic_set, options);
  CHECK(rows[1].distance == Approx(0.5));  // scipy.stats.ks_2samp
  CHECK(rows[1].shift.mean == Approx(15));
  CHECK(mentions(rows[2].note, {"fewer than 4 images"}));
  CHECK(std::isnan(rows[2].p));
}

TEST_CASE("tone: groups and summary of a set") {
  auto [estimates, set] = tones_of({70, 48, 20, 41}, {0, 0, 1, 1});
  estimates.push_back({});
  CHECK(tone_group_of(estimates)[0] == "very light");
  CHECK(tone_group_of(estimates)[2] == "tan");
  CHECK(tone_group_of(estimates)[4].empty());
  CHECK(tone_group_of(estimates, 0.6)[3].empty());  // half light, half intermediate
  const Json json = tone_summary(estimates);
  CHECK(json.at("images").get<int>() == 5);
  CHECK(json.at("measured").get<int>() == 4);
  CHECK(json.at("ita").elements()[2].get<double>() == Approx(44.5));
}

TEST_CASE("tone: sets that do not fit are named") {
  const auto [tones, set] = normal_tones(1, 0);
  const auto message = [&](const std::vector<ToneEstimate>& synthetic, const PixelSet& other,
                           const ToneComparisonOptions& options) {
    return message_of<std::invalid_argument>(
        [&, &t = tones, &s = set] { compare_tones(t, s, synthetic, other, options); });
  };
  CHECK(mentions(message({}, set, {}), {"[tone]", "the 100 synthetic images", "got 0"}));
  PixelSet renamed = set;
  renamed.classes = {"A", "C"};
  CHECK(mentions(message(tones, renamed, {}), {"[tone]", "same classes"}));
  CHECK(mentions(message(tones, set, {.alpha = 1}), {"[tone]", "alpha between 0 and 1", "got 1"}));
  CHECK(mentions(message(tones, set, {.permutations = 0}), {"[tone]", "1 permutation", "got 0"}));
}
