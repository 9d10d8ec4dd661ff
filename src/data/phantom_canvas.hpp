#pragma once
/// \file
/// Drawing tools of the phantom: scalar fields, noise that is a pure function of place and seed,
/// and soft-edged discs, rings and strokes. Lengths in lesion units: the half width of the picture
/// is 1 at zoom 1.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace dermis::detail {

struct Point {
  float x = 0, y = 0;
};
inline Point operator+(Point a, Point b) {
  return {a.x + b.x, a.y + b.y};
}
inline Point operator-(Point a, Point b) {
  return {a.x - b.x, a.y - b.y};
}
inline Point operator*(float s, Point a) {
  return {s * a.x, s * a.y};
}
/// The point at distance `radius` in direction `angle` (radians).
Point polar(float radius, float angle);

inline float mix(float a, float b, float t) {
  return a + (b - a) * t;
}
/// 0 below `low`, 1 above `high`, a smooth cubic between; `low` above `high` gives the falling
/// step.
inline float smooth_step(float low, float high, float value) {
  const float t = std::clamp((value - low) / (high - low), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

/// A scalar picture, row-major.
struct Field {
  int width = 0, height = 0;
  std::vector<float> values;
  Field(int w, int h, float fill = 0)
      : width(w),
        height(h),
        values(static_cast<std::size_t>(w) * static_cast<std::size_t>(h), fill) {}
  float* row(int y) {
    return values.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
  }
  const float* row(int y) const {
    return values.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
  }
};

/// Similarity from lesion coordinates to samples of a field (rotation, mirror, zoom, shift) and
/// back.
class Frame {
 public:
  /// `side`: samples along a side; `shift` in half widths of the picture; `angle` in radians.
  Frame(int side, float angle, bool mirrored, float zoom, Point shift);
  Point to_samples(Point q) const { return {a_ * q.x + b_ * q.y + tx_, c_ * q.x + d_ * q.y + ty_}; }
  Point to_lesion(Point s) const {
    const float x = s.x - tx_, y = s.y - ty_;
    return {(a_ * x + c_ * y) * inverse_, (b_ * x + d_ * y) * inverse_};
  }
  /// Samples in one lesion unit.
  float scale() const { return scale_; }

 private:
  float a_, b_, c_, d_, tx_, ty_, scale_, inverse_;
};

/// Largest integer not above `v`.
inline int floor_int(float v) {
  const int i = static_cast<int>(v);
  return v < static_cast<float>(i) ? i - 1 : i;
}
/// A well mixed 32-bit word for a point of the integer lattice.
inline std::uint32_t lattice_hash(std::uint32_t seed, int x, int y) {
  std::uint32_t h = seed ^ (static_cast<std::uint32_t>(x) * 0x9E3779B1U) ^
                    (static_cast<std::uint32_t>(y) * 0x85EBCA77U);
  h ^= h >> 15;
  h *= 0x2C1B3C6DU;
  h ^= h >> 12;
  h *= 0x297A2D39U;
  return h ^ (h >> 15);
}
/// Smooth value noise in [-1, 1] with features of size 1.
inline float noise(std::uint32_t seed, Point p) {
  const int ix = floor_int(p.x), iy = floor_int(p.y);
  const float fx = p.x - static_cast<float>(ix), fy = p.y - static_cast<float>(iy);
  const float ux = fx * fx * (3 - 2 * fx), uy = fy * fy * (3 - 2 * fy);
  const auto value = [&](int x, int y) {
    return static_cast<float>(static_cast<int>(lattice_hash(seed, x, y) >> 8)) *
               (2.0F / 16777216.0F) -
           1.0F;
  };
  return mix(mix(value(ix, iy), value(ix + 1, iy), ux),
             mix(value(ix, iy + 1), value(ix + 1, iy + 1), ux), uy);
}
/// Sum of `octaves` of noise, each at half the size and half the height, in about [-1, 1].
float fractal_noise(std::uint32_t seed, Point p, int octaves);

/// Bilinear value of a field at a place given in its samples; the border's value outside.
inline float value_at(const Field& field, Point s) {
  const float fx = std::clamp(s.x - 0.5F, 0.0F, static_cast<float>(field.width) - 1.001F);
  const float fy = std::clamp(s.y - 0.5F, 0.0F, static_cast<float>(field.height) - 1.001F);
  const int ix = static_cast<int>(fx), iy = static_cast<int>(fy);
  const float tx = fx - static_cast<float>(ix), ty = fy - static_cast<float>(iy);
  const float* above = field.row(iy) + ix;
  const float* below = above + field.width;
  return mix(mix(above[0], above[1], tx), mix(below[0], below[1], tx), ty);
}

/// A smooth function of lesion coordinates, evaluated on a coarse grid over the picture and
/// interpolated: what varies slowly need not be computed for every sample.
class SmoothField {
 public:
  template <class Function>
  SmoothField(const Frame& frame, int side, Function&& function)
      : grid_(nodes + 1, nodes + 1), step_(static_cast<float>(side) / nodes) {
    for (int y = 0; y <= nodes; ++y)
      for (int x = 0; x <= nodes; ++x)
        grid_.row(y)[x] = function(
            frame.to_lesion({static_cast<float>(x) * step_, static_cast<float>(y) * step_}));
  }
  /// Value at the centre of sample (x, y).
  float operator()(int x, int y) const {
    return value_at(grid_, {(static_cast<float>(x) + 0.5F) / step_ + 0.5F,
                            (static_cast<float>(y) + 0.5F) / step_ + 0.5F});
  }

 private:
  static constexpr int nodes = 32;
  Field grid_;
  float step_;
};

/// The cell that holds a point: distances to the nearest and second nearest centre, a number in [0,
/// 1) for the cell.
struct Cell {
  float first = 0, second = 0, id = 0;
};
/// Cells around the points of a triangular lattice of spacing 1, each point moved by up to `jitter`
/// / 2.
Cell cell_at(std::uint32_t seed, Point p, float jitter);

/// Moves `field` towards `value` by the coverage of an ellipse (radii in samples, edge `soft`
/// samples wide).
void blend_ellipse(Field& field, Point centre, float rx, float ry, float angle, float soft,
                   float value, float strength = 1);
/// The same for a circle line of half width `half_width`.
void blend_ring(Field& field, Point centre, float radius, float half_width, float soft, float value,
                float strength = 1);
/// The same for a stroke from `a` to `b` whose half width goes from `ra` to `rb`.
void blend_stroke(Field& field, Point a, Point b, float ra, float rb, float soft, float value,
                  float strength = 1);

}  // namespace dermis::detail
