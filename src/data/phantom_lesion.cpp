/// \file
/// Drawing the description of a lesion and of its views from their streams.

#include "phantom_lesion.hpp"

#include <algorithm>
#include <cmath>

namespace dermis::detail {
namespace {

constexpr float pi = 3.14159265F;
constexpr double half_width_mm = 8;  // half the field of view

float uniform(RandomStream& random, double low, double high) {
  return static_cast<float>(random.uniform(low, high));
}

}  // namespace

Lesion make_lesion(std::uint64_t seed, int label, std::int64_t number) {
  RandomStream random(seed, "phantom lesion", 0, static_cast<std::uint64_t>(number));
  Lesion lesion;
  lesion.kind = static_cast<Kind>(label);
  lesion.seed = random();
  lesion.palette = draw_palette(random);
  const float radius = uniform(random, 0.58, 0.76);
  lesion.tone_mean = uniform(random, -0.45, 0.0);
  lesion.tone_spread = uniform(random, 0.65, 0.9);
  lesion.radial_tone = uniform(random, -0.5, 0.5);
  lesion.grain = uniform(random, 0.20, 0.45);
  lesion.cloud = uniform(random, 0.15, 0.45);
  lesion.wobble = uniform(random, 0.03, 0.055);
  lesion.unevenness = uniform(random, 0.2, 0.45);
  lesion.opacity = uniform(random, 0.85, 1.0);
  lesion.halo = uniform(random, 0, 0.35);

  PhantomAttributes& truth = lesion.truth;
  truth.label = label;
  truth.network = truth.vessels = "none";
  truth.skin_type = lesion.palette.skin_type;
  truth.colours = lesion.palette.names;
  truth.diameter_mm = 2 * half_width_mm * static_cast<double>(radius);
  lesion.outline = draw_outline(random, lesion.kind, radius, truth);
  draw_structures(random, lesion);
  return lesion;
}

View make_view(std::uint64_t seed, std::int64_t number, int view) {
  RandomStream random(seed, "phantom view", static_cast<std::uint64_t>(view),
                      static_cast<std::uint64_t>(number));
  View v;
  v.angle = uniform(random, 0, 2 * pi);
  v.mirrored = random.chance(0.5);
  v.zoom = uniform(random, 0.9, 1.12);
  v.shift = {uniform(random, -0.16, 0.16), uniform(random, -0.16, 0.16)};
  const float exposure = uniform(random, 0.82, 1.08);
  const float warmth = uniform(random, -0.06, 0.06), tint = uniform(random, -0.025, 0.025);
  v.gain = {exposure * (1 + warmth), exposure * (1 + tint), exposure * (1 - warmth)};
  const float slope = uniform(random, 0, 0.12);
  v.gradient = polar(slope, uniform(random, 0, 2 * pi));
  v.blur = random.chance(0.3) ? uniform(random, 0.005, 0.02) : 0;
  v.grain = uniform(random, 0.004, 0.014);
  v.vignette = random.chance(0.15);
  v.vignette_radius = uniform(random, 1.02, 1.22);
  v.vignette_soft = uniform(random, 0.03, 0.25);
  v.vignette_tone = uniform(random, 0, 0.25);
  v.ruler = random.chance(0.12);
  v.hairs = random.chance(0.3) ? 1 + static_cast<int>(random.below(8)) : 0;
  v.bubbles = random.chance(0.15) ? 1 + static_cast<int>(random.below(3)) : 0;
  v.reflections = random.chance(0.2) ? 1 + static_cast<int>(random.below(5)) : 0;
  v.artefact_seed = random.bits64();
  return v;
}

}  // namespace dermis::detail
