#include "dermis/io/skin_tone.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/dermoscopy.hpp"
#include "dermis/io/resize.hpp"
#include "dermis/io/skin_mask.hpp"

namespace dermis {
namespace {

constexpr double degrees = 57.29577951308232;
constexpr std::int64_t working_side = 128;
constexpr std::int64_t blocks = 8;   // along a side
constexpr double neutral_cast = 14;  // degrees; skin alone is 5 to 12 degrees from grey
constexpr std::array<double, tone_groups - 1> limits{55, 41, 28, 10, -30};
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double linear(std::uint8_t value) {
  const double v = value / 255.0;
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

/// The cube root of CIELAB with its straight part near black.
double lab_root(double t) {
  constexpr double edge = 6.0 / 29;
  return t > edge * edge * edge ? std::cbrt(t) : t / (3 * edge * edge) + 4.0 / 29;
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Angles of the skin's pixels, one list for each block of the image that has some.
std::vector<std::vector<double>> angles_by_block(const Image& image, const SkinMask& mask) {
  std::vector<std::vector<double>> lists(static_cast<std::size_t>(blocks * blocks));
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      if (mask.skin[static_cast<std::size_t>(y * image.width + x)] == 0) continue;
      const std::int64_t block = y * blocks / image.height * blocks + x * blocks / image.width;
      lists[static_cast<std::size_t>(block)].push_back(
          typology_angle(lab_of_srgb(image.pixel(x, y))));
    }
  }
  lists.erase(std::remove_if(lists.begin(), lists.end(),
                             [](const std::vector<double>& list) { return list.empty(); }),
              lists.end());
  return lists;
}

double median_of(const std::vector<std::vector<double>>& lists) {
  std::vector<double> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return median(all);
}

/// Standard deviation of the median over resamples of blocks: pixels beside each other are no
/// independent measurements.
double spread_of(const std::vector<std::vector<double>>& lists, const ToneOptions& options) {
  RandomStream random(options.seed, "skin tone");
  std::vector<double> all;
  double sum = 0, squares = 0;
  for (int r = 0; r < options.resamples; ++r) {
    all.clear();
    for (std::size_t i = 0; i < lists.size(); ++i) {
      const auto& list = lists[random.below(lists.size())];
      all.insert(all.end(), list.begin(), list.end());
    }
    const double m = median(all);
    sum += m;
    squares += m * m;
  }
  const double mean = sum / options.resamples;
  return std::sqrt(std::max(0.0, squares / options.resamples - mean * mean));
}

Image shrunk(const Image& image) {
  const std::int64_t longer = std::max(image.width, image.height);
  if (longer <= working_side) return image;
  const auto side = [&](std::int64_t length) {
    return std::max<std::int64_t>(1, length * working_side / longer);
  };
  return resize(image, side(image.width), side(image.height), Filter::Bilinear);
}

}  // namespace

Lab lab_of_srgb(const std::uint8_t* rgb) {
  static const std::array<double, 256> table = [] {
    std::array<double, 256> values{};
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = linear(static_cast<std::uint8_t>(i));
    return values;
  }();
  const double r = table[rgb[0]], g = table[rgb[1]], b = table[rgb[2]];
  // IEC 61966-2-1 to XYZ, over the white point of D65 (2 degrees).
  const double x = lab_root((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const double y = lab_root(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
  const double z = lab_root((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

double typology_angle(const Lab& colour) {
  return degrees * std::atan2(colour.lightness - 50, colour.b);
}

const std::array<std::string, tone_groups>& tone_group_names() {
  static const std::array<std::string, tone_groups> names{"very light", "light", "intermediate",
                                                          "tan",        "brown", "dark"};
  return names;
}

std::array<double, tone_groups> tone_group_probabilities(double ita, double error) {
  check_argument(std::isfinite(ita) && error > 0 && std::isfinite(error),
                 "[tone] expected an angle with an error above 0, got ", ita, " and ", error);
  std::array<double, tone_groups> groups{};
  double above = 1;  // probability of lying below the upper limit of the group
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const double below = 0.5 * std::erfc((ita - limits[i]) / (error * std::sqrt(2.0)));
    groups[i] = above - below;
    above = below;
  }
  groups.back() = above;
  return groups;
}

ToneEstimate estimate_tone(const Image& image, const ToneOptions& options) {
  detail::check_image(image, "tone");
  check_argument(options.systematic_error >= 0 && std::isfinite(options.systematic_error),
                 "[tone] expected a systematic error of at least 0, got ",
                 options.systematic_error);
  check_argument(options.least_skin >= 0 && options.least_skin <= 1,
                 "[tone] expected a least share of skin in [0, 1], got ", options.least_skin);
  check_argument(options.resamples >= 2, "[tone] expected at least 2 resamples, got ",
                 options.resamples);
  const Image small = shrunk(image);
  const SkinMask mask = skin_mask(small);
  ToneEstimate estimate;
  estimate.skin_share = mask.skin_share();
  const std::array<double, 3> light = illuminant(crop_border(small));
  estimate.cast =
      degrees * std::acos(std::min(1.0, (light[0] + light[1] + light[2]) / std::sqrt(3.0)));
  estimate.colour_cast = estimate.cast > neutral_cast;
  const auto angles = angles_by_block(small, mask);
  if (angles.empty() || estimate.skin_share < options.least_skin) {
    estimate.ita = estimate.spread = estimate.error = estimate.constant_ita = nan;
    return estimate;
  }
  estimate.measured = true;
  estimate.ita = median_of(angles);
  estimate.spread = spread_of(angles, options);
  // Rounding to bytes alone leaves some tenths of a degree.
  estimate.error = std::max(0.1, std::hypot(estimate.spread, options.systematic_error));
  estimate.constant_ita = median_of(angles_by_block(colour_constancy(small), mask));
  estimate.groups = tone_group_probabilities(estimate.ita, estimate.error);
  return estimate;
}

Json to_json(const ToneEstimate& estimate) {
  Json groups = Json::object();
  for (std::size_t i = 0; i < tone_groups; ++i) groups[tone_group_names()[i]] = estimate.groups[i];
  return Json::object({{"measured", estimate.measured},
                       {"ita", estimate.ita},
                       {"spread", estimate.spread},
                       {"error", estimate.error},
                       {"skin_share", estimate.skin_share},
                       {"ita_after_colour_constancy", estimate.constant_ita},
                       {"cast", estimate.cast},
                       {"colour_cast", estimate.colour_cast},
                       {"groups", groups}});
}

}  // namespace dermis
