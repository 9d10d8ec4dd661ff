/// \file
/// Outlines: how round, how ragged, how abrupt, and where. The first thing a dermatologist asks of
/// a lesion (asymmetry, border), and in the phantom one of the carriers of the class.

#include <algorithm>
#include <cmath>

#include "phantom_lesion.hpp"

namespace dermis::detail {
namespace {

constexpr float two_pi = 6.2831853F;

/// What an outline of a class is like; ranges from which each lesion draws.
struct OutlineHabit {
  float wave_low, wave_high;  ///< rms of the slow waves (2-6 around), relative to the radius
  float scallop;              ///< height of the quick waves (8-12 around)
  float soft_low, soft_high;  ///< width of the edge, lesion units
  float roughness;
  int axes_low, axes_high;  ///< asymmetric axes
};

OutlineHabit habit_of(Kind kind) {
  switch (kind) {
    case Kind::Mel:
      return {0.13F, 0.20F, 0.035F, 0.03F, 0.05F, 0.06F, 2, 2};
    case Kind::Nv:
      return {0.01F, 0.03F, 0.00F, 0.09F, 0.16F, 0.03F, 0, 0};
    case Kind::Bcc:
      return {0.05F, 0.09F, 0.01F, 0.08F, 0.14F, 0.05F, 1, 2};
    case Kind::Ak:
      return {0.06F, 0.11F, 0.01F, 0.20F, 0.30F, 0.12F, 1, 2};
    case Kind::Bkl:
      return {0.04F, 0.08F, 0.030F, 0.02F, 0.035F, 0.01F, 0, 2};
    case Kind::Df:
      return {0.02F, 0.05F, 0.00F, 0.14F, 0.22F, 0.04F, 0, 1};
    case Kind::Vasc:
      return {0.02F, 0.05F, 0.015F, 0.02F, 0.035F, 0.00F, 0, 1};
    case Kind::Scc:
      return {0.06F, 0.10F, 0.02F, 0.10F, 0.18F, 0.08F, 1, 2};
  }
  return {};
}

}  // namespace

Outline draw_outline(RandomStream& random, Kind kind, float mean_radius, PhantomAttributes& truth) {
  const auto uniform = [&](float low, float high) {
    return static_cast<float>(random.uniform(low, high));
  };
  const OutlineHabit habit = habit_of(kind);
  const int axes = habit.axes_low + static_cast<int>(random.below(static_cast<std::uint64_t>(
                                        habit.axes_high - habit.axes_low + 1)));
  const float stretch = std::sqrt(uniform(1.0F, 1.3F));  // of all classes alike
  const float wave = uniform(habit.wave_low, habit.wave_high);

  // A wave cos(k x + phase) is symmetric about the axis x = 0 if its phase is 0 or pi, and about
  // both axes if k is even as well: that is how the number of asymmetric axes becomes true by
  // construction.
  struct Wave {
    int count;
    float height, phase;
  };
  std::vector<Wave> waves;
  float power = 0;
  for (int k = 2; k <= 6; ++k) {
    if (axes == 0 && k % 2 != 0) continue;
    const float height = uniform(0.4F, 1.0F) / std::sqrt(static_cast<float>(k));
    const float phase =
        axes == 2 ? uniform(0, two_pi) : (random.chance(0.5) ? 0.0F : 0.5F * two_pi);
    waves.push_back({k, height, phase});
    power += 0.5F * height * height;
  }
  for (Wave& w : waves) w.height *= wave / std::sqrt(power);
  if (habit.scallop > 0) {
    const int count = 2 * (4 + static_cast<int>(random.below(3)));
    waves.push_back({count, habit.scallop * 1.4F, axes == 2 ? uniform(0, two_pi) : 0.0F});
  }

  Outline outline;
  outline.roughness = habit.roughness;
  const float soft = uniform(habit.soft_low, habit.soft_high);
  const float fading = uniform(0, two_pi);
  float area = 0, deviation = 0;
  for (int i = 0; i < Outline::steps; ++i) {
    const float angle = static_cast<float>(i) * two_pi / static_cast<float>(Outline::steps);
    const float c = std::cos(angle) / stretch, s = std::sin(angle) * stretch;
    float relative = 1;
    for (const Wave& w : waves)
      relative += w.height * std::cos(static_cast<float>(w.count) * angle + w.phase);
    relative = std::max(relative, 0.35F);
    const auto at = static_cast<std::size_t>(i);
    outline.radius[at] = relative / std::sqrt(c * c + s * s);
    area += outline.radius[at] * outline.radius[at];
    deviation += (relative - 1) * (relative - 1);
    // A melanoma's edge is cut off in one part and may fade in another; elsewhere the edge is even.
    const float fade =
        kind == Kind::Mel ? smooth_step(0.5F, 1.0F, std::cos(angle - fading)) * 0.06F : 0.0F;
    outline.softness[at] = soft + fade;
  }
  const float scale = mean_radius / std::sqrt(area / static_cast<float>(Outline::steps));
  for (float& r : outline.radius) r *= scale;
  outline.mean_radius = mean_radius;
  outline.irregularity = std::sqrt(deviation / static_cast<float>(Outline::steps));

  truth.asymmetry_axes = axes;
  truth.border_irregularity = outline.irregularity;
  truth.border_abruptness = std::clamp(1.0F - soft / 0.3F, 0.0F, 1.0F);
  return outline;
}

}  // namespace dermis::detail
