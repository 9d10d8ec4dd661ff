#include "phantom_canvas.hpp"

#include <algorithm>
#include <cmath>

namespace dermis::detail {
namespace {

/// Visits the samples of a box around a shape: draw(x, y, pixel centre).
template <class Draw>
void for_box(Field& field, float left, float top, float right, float bottom, Draw&& draw) {
  const int x0 = std::max(0, floor_int(left)), x1 = std::min(field.width - 1, floor_int(right));
  const int y0 = std::max(0, floor_int(top)), y1 = std::min(field.height - 1, floor_int(bottom));
  for (int y = y0; y <= y1; ++y) {
    float* row = field.row(y);
    for (int x = x0; x <= x1; ++x)
      draw(row[x], Point{static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
  }
}

void blend(float& target, float value, float coverage) {
  target += (value - target) * coverage;
}

}  // namespace

Point polar(float radius, float angle) {
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

Frame::Frame(int side, float angle, bool mirrored, float zoom, Point shift) {
  const float half = 0.5F * static_cast<float>(side);
  scale_ = half * zoom;
  const float c = scale_ * std::cos(angle), s = scale_ * std::sin(angle),
              m = mirrored ? -1.0F : 1.0F;
  a_ = c * m;
  b_ = -s;
  c_ = s * m;
  d_ = c;
  tx_ = half * (1 + shift.x);
  ty_ = half * (1 + shift.y);
  inverse_ = 1 / (scale_ * scale_);
}

float fractal_noise(std::uint32_t seed, Point p, int octaves) {
  float sum = 0, height = 0.6F;
  for (int o = 0; o < octaves; ++o) {
    sum += height * noise(seed + static_cast<std::uint32_t>(o) * 7919U, p);
    // The turn between octaves keeps the axes of the lattice from showing.
    p = {1.6F * p.x - 1.2F * p.y + 3.7F, 1.2F * p.x + 1.6F * p.y - 1.3F};
    height *= 0.5F;
  }
  return sum;
}

Cell cell_at(std::uint32_t seed, Point p, float jitter) {
  constexpr float row_height = 0.8660254F;
  const int iy = floor_int(p.y / row_height);
  float first = 1e9F, second = 1e9F;
  std::uint32_t nearest = 0;
  for (int y = iy - 1; y <= iy + 2; ++y) {
    const float offset = (y & 1) != 0 ? 0.5F : 0.0F;
    const int ix = floor_int(p.x - offset);
    for (int x = ix - 1; x <= ix + 2; ++x) {
      const std::uint32_t h = lattice_hash(seed, x, y);
      const float jx = (static_cast<float>(h & 0xFFFFU) / 65536.0F - 0.5F) * jitter;
      const float jy = (static_cast<float>(h >> 16) / 65536.0F - 0.5F) * jitter;
      const float dx = static_cast<float>(x) + offset + jx - p.x;
      const float dy = static_cast<float>(y) * row_height + jy - p.y;
      const float distance = dx * dx + dy * dy;
      if (distance < first) {
        second = first;
        first = distance;
        nearest = h;
      } else if (distance < second) {
        second = distance;
      }
    }
  }
  nearest *= 0x9E3779B1U;
  return {std::sqrt(first), std::sqrt(second), static_cast<float>(nearest >> 8) / 16777216.0F};
}

void blend_ellipse(Field& field, Point centre, float rx, float ry, float angle, float soft,
                   float value, float strength) {
  const float reach = std::max(rx, ry) + soft + 1;
  const float c = std::cos(angle), s = std::sin(angle), mean = std::sqrt(rx * ry);
  for_box(field, centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach,
          [&](float& target, Point p) {
            const float dx = p.x - centre.x, dy = p.y - centre.y;
            const float u = (c * dx + s * dy) / rx, v = (-s * dx + c * dy) / ry;
            const float distance = (std::sqrt(u * u + v * v) - 1) * mean;
            blend(target, value, strength * smooth_step(soft, -soft, distance));
          });
}

void blend_ring(Field& field, Point centre, float radius, float half_width, float soft, float value,
                float strength) {
  const float reach = radius + half_width + soft + 1;
  for_box(field, centre.x - reach, centre.y - reach, centre.x + reach, centre.y + reach,
          [&](float& target, Point p) {
            const float dx = p.x - centre.x, dy = p.y - centre.y;
            const float distance = std::fabs(std::sqrt(dx * dx + dy * dy) - radius) - half_width;
            blend(target, value, strength * smooth_step(soft, -soft, distance));
          });
}

void blend_stroke(Field& field, Point a, Point b, float ra, float rb, float soft, float value,
                  float strength) {
  const float reach = std::max(ra, rb) + soft + 1;
  const Point along = b - a;
  const float length2 = std::max(along.x * along.x + along.y * along.y, 1e-6F);
  for_box(field, std::min(a.x, b.x) - reach, std::min(a.y, b.y) - reach, std::max(a.x, b.x) + reach,
          std::max(a.y, b.y) + reach, [&](float& target, Point p) {
            const float t =
                std::clamp(((p.x - a.x) * along.x + (p.y - a.y) * along.y) / length2, 0.0F, 1.0F);
            const float dx = p.x - a.x - t * along.x, dy = p.y - a.y - t * along.y;
            const float distance = std::sqrt(dx * dx + dy * dy) - mix(ra, rb, t);
            blend(target, value, strength * smooth_step(soft, -soft, distance));
          });
}

}  // namespace dermis::detail
