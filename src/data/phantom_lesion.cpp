/// \file
/// Drawing the description of a lesion and of its views from their streams, and turning it into
/// coverage and tone.

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

/// Strength of a texture at a place: its span of radii, sector and gaps.
float presence(const Texture& t, std::uint32_t seed, Point q, float share, float angle) {
  float strength = smooth_step(t.from - 0.08F, t.from + 0.08F, share);
  if (t.from <= 0) strength = 1;
  strength *= smooth_step(t.to + 0.05F, t.to - 0.1F, share);
  if (t.sector) {
    const float away = std::fabs(std::remainder(angle - t.angle, 2 * pi));
    strength *= smooth_step(t.half_angle + 0.25F, t.half_angle - 0.25F, away);
  }
  if (t.broken > 0) {
    const float gaps = noise(seed + 11, 3.2F * q);
    strength *= mix(1.0F, smooth_step(-0.25F, 0.1F, gaps), t.broken);
  }
  return strength;
}

/// Tone of a texture at a place.
float texture_tone(const Texture& t, std::uint32_t seed, Point q) {
  const float c = std::cos(t.turn), s = std::sin(t.turn);
  Point p{(c * q.x - s * q.y) / t.spacing, (s * q.x + c * q.y) / t.spacing};
  switch (t.type) {
    case Texture::Type::Network: {
      const Cell cell = cell_at(seed, p, t.jitter);
      return mix(t.dark, t.light,
                 smooth_step(0.3F * t.width, 1.2F * t.width, cell.second - cell.first));
    }
    case Texture::Type::Lacunae: {
      const Cell cell = cell_at(seed, p, t.jitter);
      const float wall = smooth_step(0.5F * t.width, 1.3F * t.width, cell.second - cell.first) *
                         smooth_step(0.60F, 0.46F, cell.first);
      return mix(t.light, t.dark * (0.65F + 0.35F * cell.id), wall);
    }
    case Texture::Type::Ridges: {
      p.x += t.warp * 1.6F * noise(seed + 21, 0.33F * p);
      p.y += t.warp * 1.6F * noise(seed + 22, 0.33F * p);
      return mix(t.dark, t.light, smooth_step(-0.6F, 0.6F, std::sin(2 * pi * p.x)));
    }
    case Texture::Type::None:
      break;
  }
  return 0;
}

void blend_mark(Field& field, const Mark& mark, const Frame& frame, float value,
                float rotation_hint) {
  const float scale = frame.scale();
  const float soft = std::max(mark.soft * scale, 0.6F);
  const Point a = frame.to_samples(mark.a);
  switch (mark.shape) {
    case Mark::Shape::Ellipse:
      blend_ellipse(field, a, mark.ra * scale, mark.rb * scale, rotation_hint, soft, value,
                    mark.strength);
      break;
    case Mark::Shape::Ring:
      blend_ring(field, a, mark.ra * scale, mark.rb * scale, soft, value, mark.strength);
      break;
    case Mark::Shape::Stroke:
      blend_stroke(field, a, frame.to_samples(mark.b), mark.ra * scale, mark.rb * scale, soft,
                   value, mark.strength);
      break;
  }
}

/// The angle that a direction of the lesion has in the picture.
float turned(const Frame& frame, float angle) {
  const Point origin = frame.to_samples({0, 0}), tip = frame.to_samples(polar(1, angle));
  return std::atan2(tip.y - origin.y, tip.x - origin.x);
}

}  // namespace

Lesion make_lesion(std::uint64_t seed, int label, std::int64_t number) {
  RandomStream random(seed, "phantom lesion", 0, static_cast<std::uint64_t>(number));
  Lesion lesion;
  lesion.kind = static_cast<Kind>(label);
  lesion.seed = random();
  lesion.palette = draw_palette(random);
  const float radius = uniform(random, 0.54, 0.74);
  lesion.tone_mean = uniform(random, -0.25, 0.15);
  lesion.tone_spread = uniform(random, 0.55, 0.75);
  lesion.radial_tone = uniform(random, -0.5, 0.5);
  lesion.grain = uniform(random, 0.10, 0.25);
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
  v.zoom = uniform(random, 0.88, 1.14);
  v.shift = {uniform(random, -0.26, 0.26), uniform(random, -0.26, 0.26)};
  const float exposure = uniform(random, 0.82, 1.08);
  const float warmth = uniform(random, -0.06, 0.06), tint = uniform(random, -0.025, 0.025);
  v.gain = {exposure * (1 + warmth), exposure * (1 + tint), exposure * (1 - warmth)};
  v.gradient = polar(uniform(random, 0, 0.12), uniform(random, 0, 2 * pi));
  v.blur = random.chance(0.3) ? uniform(random, 0.005, 0.02) : 0;
  v.grain = uniform(random, 0.004, 0.014);
  v.vignette = random.chance(0.18);
  v.vignette_radius = uniform(random, 1.02, 1.22);
  v.vignette_soft = uniform(random, 0.03, 0.25);
  v.vignette_tone = uniform(random, 0, 0.25);
  v.ruler = random.chance(0.12);
  v.hairs = random.chance(0.35) ? 1 + static_cast<int>(random.below(9)) : 0;
  v.bubbles = random.chance(0.15) ? 1 + static_cast<int>(random.below(3)) : 0;
  v.reflections = random.chance(0.2) ? 1 + static_cast<int>(random.below(5)) : 0;
  v.artefact_seed = random.bits64();
  return v;
}

Field lesion_coverage(const Lesion& lesion, const Frame& frame, int side) {
  Field coverage(side, side);
  const float reach =
      1.3F * *std::max_element(lesion.outline.radius.begin(), lesion.outline.radius.end());
  for (int y = 0; y < side; ++y) {
    float* row = coverage.row(y);
    for (int x = 0; x < side; ++x) {
      const Point q = frame.to_lesion({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
      const float r2 = q.x * q.x + q.y * q.y;
      if (r2 > reach * reach) continue;
      const float angle = std::atan2(q.y, q.x);
      float inside = Outline::at(lesion.outline.radius, angle) - std::sqrt(r2);
      const float soft = Outline::at(lesion.outline.softness, angle);
      if (lesion.outline.roughness > 0 && std::fabs(inside) < soft + lesion.outline.roughness)
        inside += lesion.outline.roughness * fractal_noise(lesion.seed + 1, 6.0F * q, 2);
      row[x] = smooth_step(-soft, soft, inside);
    }
  }
  for (const Mark& mark : lesion.marks)
    if (mark.grows_mask) blend_mark(coverage, mark, frame, 1.0F, 0);
  return coverage;
}

Field lesion_tone(const Lesion& lesion, const Frame& frame, const Field& coverage) {
  const int side = coverage.width;
  Field tone(side, side);
  for (int y = 0; y < side; ++y) {
    const float* covered = coverage.row(y);
    float* row = tone.row(y);
    for (int x = 0; x < side; ++x) {
      if (covered[x] <= 0) continue;
      const Point q = frame.to_lesion({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
      const float angle = std::atan2(q.y, q.x);
      const float share =
          std::sqrt(q.x * q.x + q.y * q.y) / Outline::at(lesion.outline.radius, angle);
      float t = 0;
      if (lesion.texture.type != Texture::Type::None) {
        const float strength = presence(lesion.texture, lesion.seed, q, share, angle);
        if (strength > 0) t = strength * texture_tone(lesion.texture, lesion.seed, q);
      }
      if (lesion.plateau.radius > 0) {
        const Plateau& p = lesion.plateau;
        const Point d = q - p.centre;
        float away = std::sqrt(d.x * d.x + d.y * d.y) / lesion.outline.mean_radius - p.radius;
        if (p.ragged > 0) away += 0.45F * p.ragged * fractal_noise(lesion.seed + 31, 5.0F * q, 2);
        t = mix(t, p.tone, smooth_step(p.soft, -p.soft, away));
      }
      row[x] = t;
    }
  }
  for (const Mark& mark : lesion.marks)
    blend_mark(tone, mark, frame, mark.tone,
               mark.shape == Mark::Shape::Ellipse ? turned(frame, mark.angle) : 0);

  // Mean and spread over the lesion are set to what was drawn without knowing the class: a
  // histogram of colours must not tell a class with many dark lines from one with a few.
  double weight = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < tone.values.size(); ++i) {
    const double w = coverage.values[i], t = tone.values[i];
    weight += w;
    sum += w * t;
    squares += w * t * t;
  }
  const double mean = sum / std::max(weight, 1e-9);
  const double spread = std::sqrt(std::max(squares / std::max(weight, 1e-9) - mean * mean, 1e-6));
  const float gain = static_cast<float>(static_cast<double>(lesion.tone_spread) / spread);
  for (int y = 0; y < side; ++y) {
    const float* covered = coverage.row(y);
    float* row = tone.row(y);
    for (int x = 0; x < side; ++x) {
      if (covered[x] <= 0) continue;
      const Point q = frame.to_lesion({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
      const float share = std::sqrt(q.x * q.x + q.y * q.y) / lesion.outline.mean_radius;
      row[x] = (row[x] - static_cast<float>(mean)) * gain + lesion.tone_mean +
               lesion.radial_tone * (share - 0.66F) +
               lesion.grain * fractal_noise(lesion.seed + 41, 9.0F * q, 3);
    }
  }
  return tone;
}

}  // namespace dermis::detail
