/// \file
/// Looking for artefacts: one simple score each.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "dermis/io/artefacts.hpp"
#include "dermis/io/dermoscopy.hpp"
#include "dermis/io/resize.hpp"
#include "dermis/io/skin_mask.hpp"

namespace dermis {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t working_side = 128;
constexpr double strip = 0.12;    // of the shorter side: a ruler lies within it
constexpr double lighter = 10.0;  // grey levels above the skin
constexpr double bright = 14.0;   // grey levels above the opened image

/// Grey values 0 to 255.
struct Grey {
  std::int64_t width, height;
  std::vector<double> values;
  double at(std::int64_t x, std::int64_t y) const {
    return values[static_cast<std::size_t>(y * width + x)];
  }
};

Grey grey_of(const Image& image) {
  Grey grey{image.width, image.height, {}};
  for (std::size_t i = 0; i < image.rgb.size(); i += 3)
    grey.values.push_back(0.299 * image.rgb[i] + 0.587 * image.rgb[i + 1] +
                          0.114 * image.rgb[i + 2]);
  return grey;
}

double median(std::vector<double> values) {
  if (values.empty()) return nan;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Extreme of the square of `radius` around each pixel.
template <class Extreme>
Grey filtered(const Grey& grey, std::int64_t radius, Extreme extreme) {
  Grey rows = grey, result = grey;
  for (std::int64_t y = 0; y < grey.height; ++y) {
    for (std::int64_t x = 0; x < grey.width; ++x) {
      double& value = rows.values[static_cast<std::size_t>(y * grey.width + x)];
      for (std::int64_t u = std::max<std::int64_t>(0, x - radius);
           u <= std::min(grey.width - 1, x + radius); ++u)
        value = extreme(value, grey.at(u, y));
    }
  }
  for (std::int64_t y = 0; y < grey.height; ++y) {
    for (std::int64_t x = 0; x < grey.width; ++x) {
      double& value = result.values[static_cast<std::size_t>(y * grey.width + x)];
      value = rows.at(x, y);
      for (std::int64_t v = std::max<std::int64_t>(0, y - radius);
           v <= std::min(grey.height - 1, y + radius); ++v)
        value = extreme(value, rows.at(x, v));
    }
  }
  return result;
}

bool contains(const Box& box, std::int64_t x, std::int64_t y) {
  return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
}

/// Share of the pixels outside `box` that `found` says yes to.
template <class Found>
double share_outside(const Grey& grey, const Box& box, Found&& found) {
  double hits = 0, pixels = 0;
  for (std::int64_t y = 0; y < grey.height; ++y) {
    for (std::int64_t x = 0; x < grey.width; ++x) {
      if (contains(box, x, y)) continue;
      hits += found(x, y);
      ++pixels;
    }
  }
  return pixels > 0 ? hits / pixels : nan;
}

double hair_score(const Image& image, const Grey& grey, const Box& lesion) {
  HairOptions options;
  options.length = 0.15;  // longer than a ruler's marks
  const HairRemoval found = remove_hair(image, options);
  return share_outside(grey, lesion, [&](std::int64_t x, std::int64_t y) {
    return found.mask[static_cast<std::size_t>(y * image.width + x)] != 0;
  });
}

/// Largest share of one frequency in the alternation of dark and light along a strip, 8 to 25 marks
/// to a side, times its root mean square in units of 16 grey levels (at most 1).
double periodicity(std::vector<double> profile) {
  // What varies slower than the marks is light and skin.
  const auto n = static_cast<std::int64_t>(profile.size());
  constexpr std::int64_t radius = working_side / 16;
  std::vector<double> detail(profile.size());
  double power = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0, count = 0;
    for (std::int64_t k = std::max<std::int64_t>(0, i - radius); k <= std::min(n - 1, i + radius);
         ++k, ++count)
      sum += profile[static_cast<std::size_t>(k)];
    const auto at = static_cast<std::size_t>(i);
    detail[at] = profile[at] - sum / count;
    power += detail[at] * detail[at] / static_cast<double>(n);
  }
  if (n < working_side / 4 || power < 1e-9) return 0;  // too little is left, or it is even
  double best = 0;
  for (double marks = 8; marks <= 25; marks += 0.25) {  // to a side of the image
    double c = 0, s = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const double angle = 2 * pi * marks * static_cast<double>(i) / working_side;
      c += detail[static_cast<std::size_t>(i)] * std::cos(angle);
      s += detail[static_cast<std::size_t>(i)] * std::sin(angle);
    }
    best = std::max(best, 2 * (c * c + s * s) / static_cast<double>(n * n));
  }
  return best / power * std::min(1.0, std::sqrt(best) / 16);
}

double ruler_score(const Grey& grey, const Box& lesion) {
  const auto depth = static_cast<std::int64_t>(
      std::ceil(strip / 2 * static_cast<double>(std::min(grey.width, grey.height))));
  double best = 0;
  // Two strips beside each side, for a ruler close to it or a little inside.
  for (int side = 0; side < 4; ++side) {
    const bool across = side < 2;
    const std::int64_t length = across ? grey.width : grey.height;
    const std::int64_t far = across ? grey.height : grey.width;
    for (const std::int64_t inset : {std::int64_t{0}, depth / 2}) {
      if (inset + depth > far) continue;
      std::vector<double> profile;
      for (std::int64_t along = 0; along < length; ++along) {
        double sum = 0, count = 0;
        for (std::int64_t d = inset; d < inset + depth; ++d) {
          const std::int64_t away = side % 2 == 0 ? d : far - 1 - d;
          const std::int64_t x = across ? along : away, y = across ? away : along;
          if (contains(lesion, x, y)) continue;
          sum += grey.at(x, y);
          ++count;
        }
        if (count > 0) profile.push_back(sum / count);  // a lesion that reaches the side is cut out
      }
      best = std::max(best, periodicity(std::move(profile)));
    }
  }
  return best;
}

double vignette_score(const Grey& grey) {
  std::vector<double> corners, sides;
  for (std::int64_t y = 0; y < grey.height; ++y) {
    for (std::int64_t x = 0; x < grey.width; ++x) {
      const double u =
          std::abs((2.0 * static_cast<double>(x) + 1) / static_cast<double>(grey.width) - 1);
      const double v =
          std::abs((2.0 * static_cast<double>(y) + 1) / static_cast<double>(grey.height) - 1);
      if (std::hypot(u, v) > 1.25) corners.push_back(grey.at(x, y));
      if (std::max(u, v) > 0.75 && std::hypot(u, v) < 1) sides.push_back(grey.at(x, y));
    }
  }
  if (corners.empty() || sides.empty()) return nan;
  const double middle = median(std::move(sides));
  return middle > 0 ? std::clamp(1 - median(std::move(corners)) / middle, 0.0, 1.0) : 0;
}

double gel_score(const Grey& grey, const SkinMask& mask, const Box& lesion) {
  constexpr std::int64_t radius = working_side * 3 / 100;
  const auto least = [](double a, double b) { return std::min(a, b); };
  const auto most = [](double a, double b) { return std::max(a, b); };
  const Grey opened = filtered(filtered(grey, radius, least), radius, most);
  std::vector<double> skin;
  for (std::size_t i = 0; i < mask.skin.size(); ++i)
    if (mask.skin[i] != 0) skin.push_back(grey.values[i]);
  if (skin.empty()) return nan;
  // Skin between two dark marks stands out from these, but not from skin.
  const double level = median(std::move(skin));
  return share_outside(grey, lesion, [&](std::int64_t x, std::int64_t y) {
    return grey.at(x, y) - opened.at(x, y) > bright && grey.at(x, y) > level + lighter;
  });
}

/// The image with a longer side of working_side: smaller ones grow, so that lengths in pixels mean
/// the same in all.
Image at_working_size(const Image& image) {
  const std::int64_t longer = std::max(image.width, image.height);
  const auto side = [&](std::int64_t length) {
    return std::max<std::int64_t>(1, length * working_side / longer);
  };
  return longer == working_side
             ? image
             : resize(image, side(image.width), side(image.height), Filter::Bilinear);
}

}  // namespace

std::array<double, 4> artefact_scores(const Image& image) {
  detail::check_image(image, "artefact");
  const Image sized = at_working_size(image);
  const SkinMask mask = skin_mask(sized);
  const Box lesion = mask.lesion_box(0.05);
  const Grey grey = grey_of(sized);
  return {hair_score(sized, grey, lesion), ruler_score(grey, lesion), vignette_score(grey),
          gel_score(grey, mask, lesion)};
}

}  // namespace dermis
