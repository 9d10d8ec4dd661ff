#include "dermis/io/skin_mask.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dermis/io/dermoscopy.hpp"
#include "dermis/io/resize.hpp"
#include "dermis/io/skin_tone.hpp"
#include "segmentation.hpp"

namespace dermis {
namespace {

constexpr std::int64_t working_side = 128;
constexpr double least_distance = 6;  // what the eye takes for another colour at a glance: 2 to 3
constexpr double frame = 0.75;        // of the half sides: beyond it is periphery
constexpr double dim = 0.8;           // of the periphery's lightness: a corner below is vignette
constexpr int glare = 245;            // of 255, all channels

using detail::keep_central_piece;
using detail::otsu;
using detail::Plane;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Mean of the pixels within `radius` in both directions, of each channel.
std::vector<Lab> blurred(const Image& image, std::int64_t radius) {
  const auto pass = [radius](const std::vector<Lab>& in, std::int64_t width, std::int64_t height,
                             std::int64_t dx, std::int64_t dy) {
    std::vector<Lab> out(in.size());
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        Lab sum;
        double count = 0;
        for (std::int64_t i = -radius; i <= radius; ++i) {
          const std::int64_t u = x + i * dx, v = y + i * dy;
          if (u < 0 || v < 0 || u >= width || v >= height) continue;
          const Lab& c = in[static_cast<std::size_t>(v * width + u)];
          sum = {sum.lightness + c.lightness, sum.a + c.a, sum.b + c.b};
          ++count;
        }
        out[static_cast<std::size_t>(y * width + x)] = {sum.lightness / count, sum.a / count,
                                                        sum.b / count};
      }
    }
    return out;
  };
  std::vector<Lab> colours(image.rgb.size() / 3);
  for (std::size_t i = 0; i < colours.size(); ++i)
    colours[i] = lab_of_srgb(image.rgb.data() + 3 * i);
  return pass(pass(colours, image.width, image.height, 1, 0), image.width, image.height, 0, 1);
}

/// Whether a pixel with `mask` set lies within `radius` in both directions.
bool near(const Plane& mask, std::int64_t width, std::int64_t height, std::int64_t x,
          std::int64_t y, std::int64_t radius) {
  for (std::int64_t v = std::max<std::int64_t>(0, y - radius);
       v <= std::min(height - 1, y + radius); ++v) {
    for (std::int64_t u = std::max<std::int64_t>(0, x - radius);
         u <= std::min(width - 1, x + radius); ++u)
      if (mask[static_cast<std::size_t>(v * width + u)] != 0) return true;
  }
  return false;
}

/// Place in the image as seen from its middle: -1 to 1 from side to side.
struct Place {
  double u, v;
  bool in_frame() const { return std::max(std::abs(u), std::abs(v)) > frame; }
  bool in_corner() const { return std::hypot(u, v) > 0.95; }
};

Place place_of(std::size_t i, const Box& field, std::int64_t width) {
  const auto x = static_cast<double>(static_cast<std::int64_t>(i) % width - field.x);
  const auto y = static_cast<double>(static_cast<std::int64_t>(i) / width - field.y);
  return {(2 * x + 1) / static_cast<double>(field.width) - 1,
          (2 * y + 1) / static_cast<double>(field.height) - 1};
}

SkinMask masks_of(const Image& image) {
  const std::size_t pixels = image.rgb.size() / 3;
  SkinMask result{image.width, image.height, Plane(pixels), Plane(pixels)};
  const Box field = lit_field(image);
  const HairRemoval hairless = remove_hair(image);
  const std::int64_t side = std::min(image.width, image.height);
  const std::vector<Lab> colours = blurred(hairless.image, std::max<std::int64_t>(1, side / 40));

  std::vector<std::size_t> lit, periphery;
  std::vector<double> lightness;
  for (std::size_t i = 0; i < pixels; ++i) {
    const Place place = place_of(i, field, image.width);
    if (std::abs(place.u) > 1 || std::abs(place.v) > 1) continue;
    lit.push_back(i);
    if (place.in_frame() && !place.in_corner()) lightness.push_back(colours[i].lightness);
  }
  if (lightness.empty()) return result;
  const double least = dim * median(lightness);
  lit.erase(std::remove_if(lit.begin(), lit.end(),
                           [&](std::size_t i) {
                             return place_of(i, field, image.width).in_corner() &&
                                    colours[i].lightness < least;
                           }),
            lit.end());
  std::array<std::vector<double>, 3> frame_colours;
  for (const std::size_t i : lit) {
    if (!place_of(i, field, image.width).in_frame()) continue;
    frame_colours[0].push_back(colours[i].lightness);
    frame_colours[1].push_back(colours[i].a);
    frame_colours[2].push_back(colours[i].b);
  }
  if (frame_colours[0].empty()) return result;
  const Lab skin{median(frame_colours[0]), median(frame_colours[1]), median(frame_colours[2])};
  std::vector<double> distance;
  for (const std::size_t i : lit) {
    const Lab& c = colours[i];
    distance.push_back(std::hypot(c.lightness - skin.lightness, c.a - skin.a, c.b - skin.b));
  }
  const double threshold = std::max(least_distance, otsu(distance));

  Plane other(pixels);
  for (std::size_t k = 0; k < lit.size(); ++k) other[lit[k]] = distance[k] > threshold;
  result.lesion = other;
  keep_central_piece(result.lesion, image.width, image.height);
  const std::int64_t margin = std::max<std::int64_t>(1, side / 32);
  for (const std::size_t i : lit) {
    const std::uint8_t* p = image.rgb.data() + 3 * i;
    if (hairless.mask[i] != 0 || std::min({p[0], p[1], p[2]}) >= glare) continue;
    const auto x = static_cast<std::int64_t>(i) % image.width;
    const auto y = static_cast<std::int64_t>(i) / image.width;
    result.skin[i] = !near(other, image.width, image.height, x, y, margin);
  }
  return result;
}

}  // namespace

double SkinMask::skin_share() const {
  return skin.empty() ? 0
                      : static_cast<double>(std::count(skin.begin(), skin.end(), 1)) /
                            static_cast<double>(skin.size());
}

Box SkinMask::lesion_box(double margin) const {
  std::int64_t left = width, right = -1, top = height, bottom = -1;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      if (lesion[static_cast<std::size_t>(y * width + x)] == 0) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = std::max(bottom, y);
    }
  }
  if (right < 0) return {};
  const auto dx = static_cast<std::int64_t>(std::ceil(margin * static_cast<double>(right - left)));
  const auto dy = static_cast<std::int64_t>(std::ceil(margin * static_cast<double>(bottom - top)));
  left = std::max<std::int64_t>(0, left - dx);
  top = std::max<std::int64_t>(0, top - dy);
  return {left, top, std::min(width, right + dx + 1) - left,
          std::min(height, bottom + dy + 1) - top};
}

SkinMask skin_mask(const Image& image) {
  detail::check_image(image, "skin");
  const std::int64_t longer = std::max(image.width, image.height);
  if (longer <= working_side) return masks_of(image);
  const auto shrunk = [&](std::int64_t side) {
    return std::max<std::int64_t>(1, side * working_side / longer);
  };
  const SkinMask small =
      masks_of(resize(image, shrunk(image.width), shrunk(image.height), Filter::Bilinear));
  SkinMask result{image.width, image.height, Plane(image.rgb.size() / 3),
                  Plane(image.rgb.size() / 3)};
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const auto to = static_cast<std::size_t>(y * image.width + x);
      const auto from = static_cast<std::size_t>(y * small.height / image.height * small.width +
                                                 x * small.width / image.width);
      result.skin[to] = small.skin[from];
      result.lesion[to] = small.lesion[from];
    }
  }
  return result;
}

}  // namespace dermis
