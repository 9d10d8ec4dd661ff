/// \file
/// What lies between the lesion and the picture: light, gel, hair, ruler, the dermatoscope's dark
/// rim. Nothing here knows the class.

#include <algorithm>
#include <cmath>

#include "phantom_lesion.hpp"

namespace dermis::detail {
namespace {

constexpr float pi = 3.14159265F;

/// Towards one colour by the coverage in `layer`.
void composite(Planes& planes, const Field& layer, Colour colour) {
  for (std::size_t i = 0; i < layer.values.size(); ++i) {
    const float cover = layer.values[i];
    if (cover <= 0) continue;
    planes.r.values[i] = mix(planes.r.values[i], colour.r, cover);
    planes.g.values[i] = mix(planes.g.values[i], colour.g, cover);
    planes.b.values[i] = mix(planes.b.values[i], colour.b, cover);
  }
}

/// Draws artefacts in picture coordinates: -1 to 1 from edge to edge.
class Gel {
 public:
  Gel(Planes& planes, std::uint64_t seed)
      : planes_(planes),
        side_(planes.r.width),
        half_(0.5F * static_cast<float>(side_)),
        random_(seed, "phantom artefacts") {}

  void reflections(int count) {
    if (count == 0) return;
    Field layer(side_, side_);
    for (int i = 0; i < count; ++i) {
      const float radius = half_ * uniform(0.015F, 0.045F);
      const Point centre = anywhere();
      const float other = radius * uniform(0.5F, 1.0F), angle = uniform(0, pi);
      blend_ellipse(layer, centre, radius, other, angle, 0.8F + 0.3F * radius, 1,
                    uniform(0.5F, 0.95F));
    }
    composite(planes_, layer, {0.98F, 0.98F, 1.0F});
  }

  void bubbles(int count) {
    if (count == 0) return;
    Field rim(side_, side_), shine(side_, side_);
    for (int i = 0; i < count; ++i) {
      const Point centre = anywhere();
      const float radius = half_ * uniform(0.06F, 0.14F);
      blend_ring(rim, centre, radius, 0.008F * half_, 0.8F + 0.015F * half_, 1, 0.45F);
      blend_ellipse(shine, centre - Point{0.35F * radius, 0.35F * radius}, 0.25F * radius,
                    0.15F * radius, -pi / 4, 0.8F + 0.01F * half_, 1, 0.7F);
    }
    composite(planes_, rim, {0.95F, 0.92F, 0.90F});
    composite(planes_, shine, {1, 1, 1});
  }

  void hairs(int count) {
    if (count == 0) return;
    Field layer(side_, side_);
    const float main = uniform(0, pi);  // hair of one patch of skin lies roughly one way
    const Colour colour = mix(Colour{0.10F, 0.08F, 0.07F}, Colour{0.45F, 0.33F, 0.22F},
                              uniform(0, 1) * uniform(0, 1));
    const float thickness = half_ * uniform(0.005F, 0.014F);
    for (int i = 0; i < count; ++i) {
      float heading = main + uniform(-0.6F, 0.6F);
      const float bend = uniform(-0.16F, 0.16F);
      const int pieces = 10;
      const float length = half_ * uniform(0.8F, 2.2F) / pieces;
      Point p = anywhere() - polar(0.5F * length * pieces, heading);
      for (int k = 0; k < pieces; ++k) {
        const Point next = p + polar(length, heading);
        // Thinner than a sample: keep the width drawable and fade instead.
        const float width = std::max(thickness, 0.45F);
        blend_stroke(layer, p, next, width, width, 0.6F, 1,
                     0.9F * std::min(1.0F, thickness / width + 0.2F));
        p = next;
        heading += bend;
      }
    }
    composite(planes_, layer, colour);
  }

  void ruler() {
    Field layer(side_, side_);
    const int edge = static_cast<int>(random_.below(4));
    const float gap = uniform(0.10F, 0.16F), inset = uniform(0.02F, 0.12F),
                offset = uniform(0, gap);
    int count = 0;
    for (float along = -1 + offset; along < 1; along += gap, ++count) {
      const float length = count % 5 == 0 ? 0.16F : 0.09F;
      const Point from = side_point(edge, along, inset),
                  to = side_point(edge, along, inset + length);
      blend_stroke(layer, from, to, 0.008F * half_ + 0.2F, 0.008F * half_ + 0.2F, 0.6F, 1, 0.85F);
    }
    composite(planes_, layer, {0.13F, 0.13F, 0.15F});
  }

 private:
  float uniform(float low, float high) { return static_cast<float>(random_.uniform(low, high)); }
  Point picture(float x, float y) const { return {half_ * (1 + x), half_ * (1 + y)}; }
  Point anywhere() {
    const float x = uniform(-1, 1);
    return picture(x, uniform(-1, 1));
  }
  Point side_point(int edge, float along, float inset) const {
    switch (edge) {
      case 0:
        return picture(along, -1 + inset);
      case 1:
        return picture(along, 1 - inset);
      case 2:
        return picture(-1 + inset, along);
      default:
        return picture(1 - inset, along);
    }
  }

  Planes& planes_;
  int side_;
  float half_;
  RandomStream random_;
};

}  // namespace

void add_artefacts(Planes& planes, const View& view) {
  Gel gel(planes, view.artefact_seed);
  gel.bubbles(view.bubbles);
  gel.hairs(view.hairs);
  gel.reflections(view.reflections);
  if (view.ruler) gel.ruler();

  const int side = planes.r.width;
  const float inverse = 2 / static_cast<float>(side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const float px = (static_cast<float>(x) + 0.5F) * inverse - 1,
                  py = (static_cast<float>(y) + 0.5F) * inverse - 1;
      float light = 1 + view.gradient.x * px + view.gradient.y * py;
      if (view.vignette)
        light *= mix(
            view.vignette_tone, 1.0F,
            smooth_step(view.vignette_radius + view.vignette_soft,
                        view.vignette_radius - view.vignette_soft, std::sqrt(px * px + py * py)));
      planes.r.row(y)[x] *= light * view.gain[0];
      planes.g.row(y)[x] *= light * view.gain[1];
      planes.b.row(y)[x] *= light * view.gain[2];
    }
  }
}

}  // namespace dermis::detail
