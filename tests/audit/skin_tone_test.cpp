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
