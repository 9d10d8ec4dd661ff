/// \file
/// Colours: skin, pigment, and how tone becomes colour. Nothing here knows the class.

#include <algorithm>
#include <cmath>

#include "phantom_lesion.hpp"

namespace dermis::detail {
namespace {

struct NamedColour {
  const char* name;
  Colour colour;
};

/// What the pigment lets through of the skin's colour.
constexpr std::array<NamedColour, 6> bases{{{"light brown", {0.80F, 0.62F, 0.47F}},
                                            {"brown", {0.66F, 0.47F, 0.35F}},
                                            {"reddish brown", {0.76F, 0.50F, 0.42F}},
                                            {"pink", {0.95F, 0.68F, 0.68F}},
                                            {"red", {0.86F, 0.48F, 0.46F}},
                                            {"grey", {0.70F, 0.66F, 0.68F}}}};
constexpr std::array<NamedColour, 4> darks{{{"dark brown", {0.25F, 0.14F, 0.10F}},
                                            {"black", {0.14F, 0.10F, 0.11F}},
                                            {"dark red", {0.42F, 0.08F, 0.11F}},
                                            {"blue-grey", {0.28F, 0.27F, 0.32F}}}};
constexpr std::array<NamedColour, 3> lights{{{"white", {0.97F, 0.93F, 0.90F}},
                                             {"cream", {0.96F, 0.86F, 0.68F}},
                                             {"pale pink", {0.96F, 0.80F, 0.78F}}}};
constexpr std::array<Colour, 5> skins{{{0.93F, 0.76F, 0.71F},
                                       {0.91F, 0.72F, 0.62F},
                                       {0.86F, 0.67F, 0.54F},
                                       {0.78F, 0.58F, 0.45F},
                                       {0.62F, 0.45F, 0.35F}}};

template <std::size_t N>
const NamedColour& pick(RandomStream& random, const std::array<NamedColour, N>& table,
                        const std::array<double, N>& weights) {
  double u = random.uniform();
  for (std::size_t i = 0; i + 1 < N; ++i) {
    if (u < weights[i]) return table[i];
    u -= weights[i];
  }
  return table[N - 1];
}

Colour vary(RandomStream& random, Colour c, double by) {
  const double common = random.uniform(-by, by);
  const auto near = [&](float v) {
    return std::clamp(v * static_cast<float>(1 + common + random.uniform(-0.4 * by, 0.4 * by)),
                      0.0F, 1.0F);
  };
  return {near(c.r), near(c.g), near(c.b)};
}

}  // namespace

Palette draw_palette(RandomStream& random) {
  Palette p;
  const std::array<double, 5> shares{0.34, 0.30, 0.20, 0.11, 0.05};
  double u = random.uniform();
  while (p.skin_type < 4 && u >= shares[static_cast<std::size_t>(p.skin_type)])
    u -= shares[static_cast<std::size_t>(p.skin_type++)];
  p.skin = vary(random, skins[static_cast<std::size_t>(p.skin_type)], 0.05);
  const std::array<double, 6> base_weights{0.26, 0.22, 0.20, 0.12, 0.12, 0.08};
  const NamedColour& base = pick(random, bases, base_weights);
  const NamedColour& second = pick(random, bases, base_weights);
  const NamedColour& dark = pick(random, darks, {0.40, 0.18, 0.28, 0.14});
  const NamedColour& light = pick(random, lights, {0.34, 0.36, 0.30});
  p.base = vary(random, p.skin * base.colour, 0.06);
  p.second = mix(p.base, vary(random, p.skin * second.colour, 0.06), 0.6F);
  p.dark = vary(random, dark.colour, 0.2);
  p.dark = mix(p.dark, p.base, static_cast<float>(random.uniform(0.05, 0.3)));
  p.light = vary(random, light.colour, 0.04);
  p.light = mix(p.light, p.skin, static_cast<float>(random.uniform(0.15, 0.5)));
  p.names = {base.name, dark.name, light.name};
  if (std::string(second.name) != base.name) p.names.insert(p.names.begin() + 1, second.name);
  return p;
}

void paint(Planes& planes, const Lesion& lesion, const Frame& frame, const LesionFields& fields) {
  const Palette& palette = lesion.palette;
  const int side = fields.tone.width;
  const SmoothField mottles(frame, side,
                            [&](Point q) { return fractal_noise(lesion.seed + 51, 1.7F * q, 3); });
  const SmoothField zones(frame, side, [&](Point q) {
    return smooth_step(-0.25F, 0.25F, fractal_noise(lesion.seed + 61, 1.7F * q, 2));
  });
  for (int y = 0; y < side; ++y) {
    const float* covered = fields.coverage.row(y);
    const float* tones = fields.tone.row(y);
    for (int x = 0; x < side; ++x) {
      const Point q = frame.to_lesion({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
      const float cover = covered[x] * lesion.opacity;
      Colour colour{};
      if (cover < 0.995F) {  // skin: blotchy in the large, furrowed in the small
        const float mottle = mottles(x, y);
        const float furrow =
            std::fabs(noise(lesion.seed + 52, {11.0F * q.x + 5.0F * q.y, 9.0F * q.y - 4.0F * q.x}));
        const float light = 1 + 0.06F * mottle + 0.05F * (furrow - 0.4F);
        colour = {palette.skin.r * light, palette.skin.g * (light - 0.02F * mottle),
                  palette.skin.b * light};
        const float radius = std::sqrt(q.x * q.x + q.y * q.y) / lesion.outline.mean_radius;
        const float halo = lesion.halo * smooth_step(1.7F, 0.8F, radius);
        colour = colour * Colour{1 - 0.05F * halo, 1 - 0.30F * halo, 1 - 0.25F * halo};
      }
      if (cover > 0) {
        const Colour base = mix(palette.base, palette.second, zones(x, y));
        const float t = std::clamp(tones[x] / 1.5F, -1.0F, 1.0F);
        const Colour pigment = t < 0 ? mix(base, palette.dark, -t) : mix(base, palette.light, t);
        colour = mix(colour, pigment, cover < 0.995F ? cover : 1.0F);
      }
      planes.r.row(y)[x] = colour.r;
      planes.g.row(y)[x] = colour.g;
      planes.b.row(y)[x] = colour.b;
    }
  }
}

}  // namespace dermis::detail
