/// \file
/// From a lesion and a view to pixels: samples are drawn, shrunk, blurred, given sensor noise and
/// rounded to bytes.

#include <algorithm>
#include <cmath>

#include "phantom_lesion.hpp"

namespace dermis::detail {
namespace {

/// Box-filters `factor` x `factor` samples into a pixel.
Field shrink(const Field& field, int factor) {
  Field small(field.width / factor, field.height / factor);
  const float weight = 1.0F / static_cast<float>(factor * factor);
  for (int y = 0; y < small.height; ++y) {
    float* out = small.row(y);
    for (int dy = 0; dy < factor; ++dy) {
      const float* in = field.row(y * factor + dy);
      for (int x = 0; x < small.width; ++x)
        for (int dx = 0; dx < factor; ++dx) out[x] += weight * in[x * factor + dx];
    }
  }
  return small;
}

/// Gaussian blur, `sigma` in samples.
void blur(Field& field, float sigma) {
  const int reach = static_cast<int>(std::ceil(2.5F * sigma));
  if (sigma < 0.2F || reach < 1) return;
  std::vector<float> kernel;
  float sum = 0;
  for (int i = -reach; i <= reach; ++i) {
    kernel.push_back(std::exp(-0.5F * static_cast<float>(i * i) / (sigma * sigma)));
    sum += kernel.back();
  }
  for (float& k : kernel) k /= sum;
  Field pass(field.width, field.height);
  for (int y = 0; y < field.height; ++y)
    for (int x = 0; x < field.width; ++x)
      for (int i = -reach; i <= reach; ++i)
        pass.row(y)[x] += kernel[static_cast<std::size_t>(i + reach)] *
                          field.row(y)[std::clamp(x + i, 0, field.width - 1)];
  std::fill(field.values.begin(), field.values.end(), 0.0F);
  for (int y = 0; y < field.height; ++y)
    for (int i = -reach; i <= reach; ++i) {
      const float* in = pass.row(std::clamp(y + i, 0, field.height - 1));
      for (int x = 0; x < field.width; ++x)
        field.row(y)[x] += kernel[static_cast<std::size_t>(i + reach)] * in[x];
    }
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255.0F));
}

/// Samples along a pixel's side: fine lines need more of them in small pictures.
int supersampling(std::int64_t size) {
  return size < 48 ? 4 : 2;
}

}  // namespace

Image draw(const Lesion& lesion, const View& view, std::int64_t size) {
  const int factor = supersampling(size), side = static_cast<int>(size) * factor;
  const Frame frame(side, view.angle, view.mirrored, view.zoom, view.shift);
  Planes planes(side);
  paint(planes, lesion, frame, lesion_fields(lesion, frame, side));
  add_artefacts(planes, view);

  std::array<Field, 3> channels{shrink(planes.r, factor), shrink(planes.g, factor),
                                shrink(planes.b, factor)};
  RandomStream random(view.artefact_seed, "phantom grain");
  Image image{.width = size,
              .height = size,
              .rgb = std::vector<std::uint8_t>(static_cast<std::size_t>(3 * size * size))};
  for (Field& channel : channels) blur(channel, 0.5F * static_cast<float>(size) * view.blur);
  for (std::size_t i = 0; i < channels[0].values.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      // A sum of uniforms is normal enough for sensor noise, and one word serves it.
      const std::uint32_t word = random();
      const float sum = static_cast<float>((word & 0xFFU) + (word >> 8 & 0xFFU) +
                                           (word >> 16 & 0xFFU) + (word >> 24));
      image.rgb[3 * i + c] = to_byte(channels[c].values[i] + view.grain * (sum - 510.0F) / 147.8F);
    }
  return image;
}

Image draw_mask(const Lesion& lesion, const View& view, std::int64_t size) {
  const int factor = supersampling(size), side = static_cast<int>(size) * factor;
  const Frame frame(side, view.angle, view.mirrored, view.zoom, view.shift);
  const Field coverage = shrink(lesion_fields(lesion, frame, side).coverage, factor);
  Image image{.width = size, .height = size, .rgb = {}};
  image.rgb.reserve(3 * coverage.values.size());
  for (const float covered : coverage.values)
    image.rgb.insert(image.rgb.end(), 3, static_cast<std::uint8_t>(covered >= 0.5F ? 255 : 0));
  return image;
}

}  // namespace dermis::detail
