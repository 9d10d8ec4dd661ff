#pragma once
/// \file
/// What the phantom knows of a lesion and of a view of it, before any pixel is drawn.

#include <array>
#include <cstdint>
#include <vector>

#include "dermis/core/random.hpp"
#include "dermis/data/phantom.hpp"
#include "phantom_canvas.hpp"

namespace dermis::detail {

enum class Kind { Mel, Nv, Bcc, Ak, Bkl, Df, Vasc, Scc };
constexpr int kinds = 8;

struct Colour {
  float r = 0, g = 0, b = 0;
};
inline Colour mix(Colour a, Colour b, float t) {
  return {mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t)};
}
inline Colour operator*(Colour a, Colour b) {
  return {a.r * b.r, a.g * b.g, a.b * b.b};
}

/// Colours of skin and lesion, drawn without regard to the class.
struct Palette {
  int skin_type = 0;
  Colour skin, base, second, dark, light;  ///< `base` and `second` share the lesion in zones
  std::vector<std::string> names;
};

/// Star-shaped outline: radius and softness of the edge by direction, in 256 steps.
struct Outline {
  static constexpr int steps = 256;
  std::array<float, steps> radius{}, softness{};
  float mean_radius = 0;   ///< of the circle of equal area
  float irregularity = 0;  ///< rms of radius / ellipse - 1
  float roughness = 0;     ///< noise added to the distance from the edge
  /// Linear between the steps; `angle` in radians, any.
  static float at(const std::array<float, steps>& table, float angle) {
    const float place = angle * (static_cast<float>(steps) / 6.2831853F);
    const int i = floor_int(place);
    return mix(table[static_cast<std::size_t>(i & (steps - 1))],
               table[static_cast<std::size_t>((i + 1) & (steps - 1))],
               place - static_cast<float>(i));
  }
};

/// A drawn structure. Tones: -1 the darkest pigment, 0 the lesion's base, 1 the lightest.
struct Mark {
  enum class Shape { Ellipse, Ring, Stroke };
  Shape shape = Shape::Ellipse;
  Point a{}, b{};        ///< centre, or the two ends of a stroke
  float ra = 0, rb = 0;  ///< radii; half widths of a stroke; radius and half width of a ring
  float angle = 0;
  float soft = 0.02F;
  float tone = -1;
  float strength = 1;
  bool grows_mask = false;  ///< reaches past the outline, as streaks do
};

/// Textures that fill an area, evaluated point by point.
struct Texture {
  enum class Type { None, Network, Ridges, Lacunae };
  Type type = Type::None;
  float spacing = 0.2F, width = 0.25F, jitter = 0.1F, warp = 0;  ///< width and jitter in spacings
  float dark = -1, light = 0.5F;
  float from = 0, to = 1.2F;  ///< span of radius / outline radius where it shows, soft at both ends
  bool sector = false;        ///< shows only around direction `angle`, within `half_angle`
  float angle = 0, half_angle = 0;
  float broken = 0;  ///< 0 everywhere .. 1 in patches only
  float turn = 0;    ///< rotation of the pattern, radians
};

/// A light plateau in the middle (scar, keratin).
struct Plateau {
  float radius = 0;  ///< relative to the outline; 0 = none
  float tone = 1, soft = 0.12F, ragged = 0;
  Point centre;
};

struct Lesion {
  Kind kind = Kind::Nv;
  std::uint32_t seed = 0;  ///< of its noises
  Palette palette;
  Outline outline;
  Texture texture;
  Plateau plateau;
  std::vector<Mark> marks;
  float tone_mean = 0, tone_spread = 1;  ///< of the finished lesion, whatever the structures
  float radial_tone = 0;                 ///< darker or lighter towards the middle
  float grain = 0.1F;                    ///< fine variation of the tone
  float cloud = 0;                       ///< coarse variation of the tone
  float wobble = 0;                      ///< displacement of all that is drawn, lesion units
  float unevenness = 0;  ///< how much the structures' contrast varies over the lesion
  float opacity = 1, halo = 0;
  PhantomAttributes truth;  ///< the lesion's half
};

/// How one picture of a lesion was taken.
struct View {
  float angle = 0, zoom = 1;
  bool mirrored = false;
  Point shift;
  std::array<float, 3> gain{1, 1, 1};  ///< exposure and white balance
  Point gradient;                      ///< uneven light
  float blur = 0, grain = 0;           ///< blur in half widths of the picture
  bool vignette = false, ruler = false;
  float vignette_radius = 2, vignette_soft = 0.1F, vignette_tone = 0;
  std::uint64_t artefact_seed = 0;
  int hairs = 0, bubbles = 0, reflections = 0;
};

/// The lesion number `number` of a data set: `seed` and `number` decide everything.
Lesion make_lesion(std::uint64_t seed, int label, std::int64_t number);
/// View `view` of that lesion.
View make_view(std::uint64_t seed, std::int64_t number, int view);
/// Colours, independent of the class.
Palette draw_palette(RandomStream& random);
/// Outline of the class with the given mean radius, and the truths about it.
Outline draw_outline(RandomStream& random, Kind kind, float mean_radius, PhantomAttributes& truth);
/// Texture, plateau and marks of the class, and the truths about them.
void draw_structures(RandomStream& random, Lesion& lesion);

/// Planes of a picture while it is drawn, values about 0-1.
struct Planes {
  Field r, g, b;
  explicit Planes(int side) : r(side, side), g(side, side), b(side, side) {}
};
/// How much of the lesion covers each sample (0-1) and its tone there.
struct LesionFields {
  Field coverage, tone;
};
LesionFields lesion_fields(const Lesion& lesion, const Frame& frame, int side);
/// Skin and lesion in colour.
void paint(Planes& planes, const Lesion& lesion, const Frame& frame, const LesionFields& fields);
/// Light, reflections, bubbles, hair, ruler and vignette.
void add_artefacts(Planes& planes, const View& view);
/// The finished picture, and the lesion's segmentation in it (white or black).
Image draw(const Lesion& lesion, const View& view, std::int64_t size);
Image draw_mask(const Lesion& lesion, const View& view, std::int64_t size);

}  // namespace dermis::detail
