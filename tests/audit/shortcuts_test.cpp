#include "dermis/audit/shortcuts.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <iostream>
#include <stdexcept>

#include "audit/planted_tone.hpp"
#include "core/support.hpp"

using namespace dermis;
using test::mentions;
using test::message_of;

namespace {

ShortcutOptions quick() {
  ShortcutOptions options;
  options.bootstrap.resamples = 300;
  return options;
}

const ArtefactEffect& of(const ShortcutProbe& probe, Artefact artefact) {
  for (const ArtefactEffect& effect : probe.artefacts)
    if (effect.artefact == artefact) return effect;
  throw std::logic_error("an artefact was not probed");
}

bool pulls_to(const ShortcutProbe& probe, Artefact artefact, const std::string& name) {
  for (const ClassPull& pull : of(probe, artefact).pulls)
    if (pull.name == name) return pull.found;
  return false;
}

bool linked(const std::vector<ArtefactLink>& links, Artefact artefact, const std::string& name) {
  for (const ArtefactLink& link : links)
    if (link.artefact == artefact && link.name == name) return link.found && link.auc > 0.5;
  return false;
}

bool any_found(const std::vector<ArtefactLink>& links) {
  return std::any_of(links.begin(), links.end(), [](const ArtefactLink& l) { return l.found; });
}

/// How many of the planted ties were found, and how many data sets without one were accused.
struct Rates {
  int sets = 0, linked = 0, pulled = 0, masked = 0;
  int clean = 0, accused = 0, clean_pulled = 0;
};

constexpr std::int64_t size = 64;

void plant(Rates& rates, Artefact artefact, std::uint64_t seed) {
  const auto label = static_cast<int>((seed + 3 * static_cast<std::uint64_t>(artefact)) % 8);
  const std::string name = phantom_classes()[static_cast<std::size_t>(label)];
  PixelSet training = test::toned_set(seed, 25, size).pixels;
  test::tie_artefact(training, artefact, label, 0.85, 0.1, seed);
  const PixelSet held_out = test::toned_set(seed + 1000, 15, size).pixels;
  const auto links = artefact_links(training);
  const auto probe = shortcut_probe(test::trained_stand_in(training), held_out, quick());
  ++rates.sets;
  rates.linked += linked(links, artefact, name);
  rates.pulled += pulls_to(probe, artefact, name);
}

void leave_clean(Rates& rates, std::uint64_t seed) {
  const PixelSet training = test::toned_set(seed, 25, size).pixels;
  const PixelSet held_out = test::toned_set(seed + 1000, 15, size).pixels;
  ++rates.clean;
  rates.accused += any_found(artefact_links(training));
  rates.clean_pulled += shortcut_probe(test::trained_stand_in(training), held_out, quick()).found;
}

}  // namespace

TEST_CASE("shortcut probe: planted ties over seeds", "[.full]") {
  for (const Artefact artefact : all_artefacts) {
    Rates rates;
    for (std::uint64_t seed = 0; seed < 5; ++seed) plant(rates, artefact, seed);
    WARN(name_of(artefact) << ": linked " << rates.linked << ", pulled " << rates.pulled << " of "
                           << rates.sets);
    CHECK(rates.linked >= 0.95 * rates.sets);
    CHECK(rates.pulled >= 0.95 * rates.sets);
  }
  Rates rates;
  for (std::uint64_t seed = 100; seed < 120; ++seed) leave_clean(rates, seed);
  WARN("clean: accused " << rates.accused << ", pulled " << rates.clean_pulled << " of "
                         << rates.clean);
  CHECK(rates.accused <= 0.05 * rates.clean);
  CHECK(rates.clean_pulled <= 0.05 * rates.clean);
}
