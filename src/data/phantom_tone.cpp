/// \file
/// From the description of a lesion to two fields: how much of it covers each sample, and its tone
/// there.

#include <algorithm>
#include <cmath>

#include "phantom_lesion.hpp"

namespace dermis::detail {
namespace {

constexpr float pi = 3.14159265F;

Point sample_centre(int x, int y) {
  return {static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F};
}

/// Strength of a texture at a place: its span of radii, sector and gaps.
float presence(const Texture& t, std::uint32_t seed, Point q, float share, float angle) {
  float strength = t.from > 0 ? smooth_step(t.from - 0.08F, t.from + 0.08F, share) : 1.0F;
  strength *= smooth_step(t.to + 0.05F, t.to - 0.1F, share);
  if (t.sector) {
    const float away = std::fabs(std::remainder(angle - t.angle, 2 * pi));
    strength *= smooth_step(t.half_angle + 0.25F, t.half_angle - 0.25F, away);
  }
  if (t.broken > 0)
    strength *= mix(1.0F, smooth_step(-0.25F, 0.1F, noise(seed + 11, 3.2F * q)), t.broken);
  return strength;
}

/// Tone of a texture at a place, `c` and `s` the cosine and sine of its turn.
float texture_tone(const Texture& t, std::uint32_t seed, Point q, float c, float s) {
  Point p{(c * q.x - s * q.y) / t.spacing, (s * q.x + c * q.y) / t.spacing};
  switch (t.type) {
    case Texture::Type::Network: {
      // The lines are of uneven width.
      const Cell cell = cell_at(seed, p, t.jitter);
      const float width = t.width * (1 + 0.35F * noise(seed + 12, 0.7F * p));
      return mix(t.dark, t.light * (0.6F + 0.8F * cell.id),
                 smooth_step(0.2F * width, 1.5F * width, cell.second - cell.first));
    }
    case Texture::Type::Lacunae: {
      // Round lakes of uneven size and depth, darker towards the middle, that touch but do not run
      // together.
      const Cell cell = cell_at(seed, p, t.jitter);
      const float size = 0.40F + 0.14F * cell.id;
      const float inside = smooth_step(0.4F * t.width, 1.6F * t.width, cell.second - cell.first) *
                           smooth_step(size + 0.07F, size - 0.07F, cell.first);
      const float depth =
          t.dark * (0.6F + 0.4F * std::fabs(2 * cell.id - 1)) * (1.05F - 0.5F * cell.first);
      return mix(t.light, depth, inside);
    }
    case Texture::Type::Ridges: {
      // Broad rounded ridges between narrow furrows, winding; here and there a furrow is bridged.
      p.x += t.warp * (1.7F * noise(seed + 21, 0.34F * p) + 0.4F * noise(seed + 23, 0.9F * p));
      p.y += t.warp * 1.7F * noise(seed + 22, 0.34F * p);
      const float bridge = smooth_step(0.35F, 0.7F, noise(seed + 24, 0.8F * p));
      const float height = smooth_step(-1.0F, 0.45F, std::sin(2 * pi * p.x));
      return mix(t.dark, t.light, std::max(height, 0.7F * bridge));
    }
    case Texture::Type::None:
      break;
  }
  return 0;
}

void blend_mark(Field& field, const Mark& mark, const Frame& frame, float value) {
  const float scale = frame.scale();
  const float soft = std::max(mark.soft * scale, 0.6F);
  const Point a = frame.to_samples(mark.a);
  switch (mark.shape) {
    case Mark::Shape::Ellipse: {
      const Point along = frame.to_samples(mark.a + polar(1, mark.angle)) - a;
      blend_ellipse(field, a, mark.ra * scale, mark.rb * scale, std::atan2(along.y, along.x), soft,
                    value, mark.strength);
      break;
    }
    case Mark::Shape::Ring:
      blend_ring(field, a, mark.ra * scale, mark.rb * scale, soft, value, mark.strength);
      break;
    case Mark::Shape::Stroke:
      blend_stroke(field, a, frame.to_samples(mark.b), mark.ra * scale, mark.rb * scale, soft,
                   value, mark.strength);
      break;
  }
}

/// Nothing of the lesion lies farther from its middle than this: the outline, its soft edge and the
/// streaks beyond.
float reach_of(const Lesion& lesion) {
  return 0.35F + *std::max_element(lesion.outline.radius.begin(), lesion.outline.radius.end());
}

/// What is drawn with ruler and compasses: outline, texture, plateau and marks.
LesionFields geometric_fields(const Lesion& lesion, const Frame& frame, int side) {
  LesionFields out{Field(side, side), Field(side, side)};
  const float reach = reach_of(lesion);
  const Texture& texture = lesion.texture;
  const float c = std::cos(texture.turn), s = std::sin(texture.turn);
  for (int y = 0; y < side; ++y) {
    float* covered = out.coverage.row(y);
    float* tones = out.tone.row(y);
    for (int x = 0; x < side; ++x) {
      const Point q = frame.to_lesion(sample_centre(x, y));
      const float r2 = q.x * q.x + q.y * q.y;
      if (r2 > reach * reach) continue;
      const float angle = std::atan2(q.y, q.x), radius = std::sqrt(r2);
      const float edge = Outline::at(lesion.outline.radius, angle);
      const float soft = Outline::at(lesion.outline.softness, angle);
      float inside = edge - radius;
      if (std::fabs(inside) < soft + lesion.outline.roughness)
        inside += lesion.outline.roughness * fractal_noise(lesion.seed + 1, 6.0F * q, 2);
      covered[x] = smooth_step(-soft, soft, inside);
      if (inside < -soft - 0.1F) continue;
      float t = 0;
      if (texture.type != Texture::Type::None) {
        const float strength = presence(texture, lesion.seed, q, radius / edge, angle);
        if (strength > 0) t = strength * texture_tone(texture, lesion.seed, q, c, s);
      }
      if (lesion.plateau.radius > 0) {
        const Plateau& p = lesion.plateau;
        const Point d = q - p.centre;
        float away = std::sqrt(d.x * d.x + d.y * d.y) / lesion.outline.mean_radius - p.radius;
        if (away < p.soft + p.ragged)
          away += 0.45F * p.ragged * fractal_noise(lesion.seed + 31, 5.0F * q, 2);
        t = mix(t, p.tone, smooth_step(p.soft, -p.soft, away));
      }
      tones[x] = t;
    }
  }
  for (const Mark& mark : lesion.marks) {
    if (mark.grows_mask) blend_mark(out.coverage, mark, frame, 1.0F);
    blend_mark(out.tone, mark, frame, mark.tone);
  }
  return out;
}

/// Sets mean and spread over the lesion to what was drawn without knowing the class: a histogram of
/// colours must not tell a class with many dark lines from one with a few.
void standardise(LesionFields& fields, float mean, float spread) {
  double weight = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < fields.tone.values.size(); ++i) {
    const double w = static_cast<double>(fields.coverage.values[i]),
                 t = static_cast<double>(fields.tone.values[i]);
    weight += w;
    sum += w * t;
    squares += w * t * t;
  }
  weight = std::max(weight, 1e-9);
  const double own = sum / weight, variance = std::max(squares / weight - own * own, 1e-6);
  const float gain = spread / static_cast<float>(std::sqrt(variance));
  for (float& t : fields.tone.values) t = (t - static_cast<float>(own)) * gain + mean;
}

}  // namespace

LesionFields lesion_fields(const Lesion& lesion, const Frame& frame, int side) {
  const LesionFields straight = geometric_fields(lesion, frame, side);
  // A smooth random displacement, so that no drawn shape stays geometric. It belongs to the lesion:
  // all views share it.
  LesionFields out{Field(side, side), Field(side, side)};
  const std::uint32_t seed = lesion.seed;
  const auto displacement = [&](std::uint32_t axis) {
    return SmoothField(frame, side, [&, axis](Point q) {
      return lesion.wobble *
             (noise(seed + 71 + axis, 3.1F * q) + 0.4F * noise(seed + 73 + axis, 8.0F * q));
    });
  };
  const float reach = reach_of(lesion);
  const SmoothField dx = displacement(0), dy = displacement(1);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const Point q = frame.to_lesion(sample_centre(x, y));
      if (q.x * q.x + q.y * q.y > reach * reach) continue;
      const Point s = frame.to_samples({q.x + dx(x, y), q.y + dy(x, y)});
      const float cover = value_at(straight.coverage, s);
      if (cover <= 0) continue;
      out.coverage.row(y)[x] = cover;
      out.tone.row(y)[x] = value_at(straight.tone, s);
    }
  }
  standardise(out, 0, lesion.tone_spread);
  const SmoothField contrast(
      frame, side, [&](Point q) { return 1 + lesion.unevenness * noise(seed + 81, 2.2F * q); });
  const SmoothField ground(frame, side, [&](Point q) {
    const float share = std::sqrt(q.x * q.x + q.y * q.y) / lesion.outline.mean_radius;
    return lesion.tone_mean + lesion.radial_tone * (share - 0.66F) +
           lesion.cloud * fractal_noise(seed + 42, 1.8F * q, 2);
  });
  const int octaves = frame.scale() < 100 ? 2 : 4;  // finer ones would fall between the samples
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      if (out.coverage.row(y)[x] <= 0) continue;
      const Point q = frame.to_lesion(sample_centre(x, y));
      float& tone = out.tone.row(y)[x];
      tone = tone * contrast(x, y) + ground(x, y) +
             lesion.grain * fractal_noise(seed + 41, 5.0F * q, octaves);
    }
  }
  return out;
}

}  // namespace dermis::detail
