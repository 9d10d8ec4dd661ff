#include "dermis/io/lesion_measures.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dermis/core/check.hpp"
#include "dermis/io/resize.hpp"
#include "dermis/io/skin_tone.hpp"
#include "lesion_shape.hpp"

namespace dermis {
namespace {

using detail::Coverage;
using detail::Moments;

constexpr std::int64_t working_side = 256;
constexpr std::int64_t colour_side = 48;  // coarse: texture is no asymmetry
constexpr double pi = 3.14159265358979;
constexpr double least_area = 32;
constexpr double least_contrast = 8;  // CIELAB; below, a border is too faint to be called abrupt

/// Centres of the colours in CIELAB, chosen by eye on dermoscopic images.
constexpr std::array<Lab, dermoscopic_colours> centres{
    {{86, 2, 4}, {50, 38, 20}, {60, 16, 26}, {34, 18, 20}, {46, 1, -5}, {14, 4, 4}}};

double distance(const Lab& a, const Lab& b) {
  return std::sqrt((a.lightness - b.lightness) * (a.lightness - b.lightness) +
                   (a.a - b.a) * (a.a - b.a) + (a.b - b.b) * (a.b - b.b));
}

/// Image and lesion at the size they are looked at.
struct Scene {
  Coverage lesion;
  std::vector<Lab> colours;
  Moments moments;

  const Lab& colour(std::int64_t x, std::int64_t y) const {
    return colours[static_cast<std::size_t>(y * lesion.width + x)];
  }
};

Image shrunk(const Image& image, std::int64_t side) {
  const std::int64_t longest = std::max(image.width, image.height);
  if (longest <= side) return image;
  const auto part = [&](std::int64_t n) { return std::max<std::int64_t>(1, n * side / longest); };
  return resize(image, part(image.width), part(image.height), Filter::Box);
}

Scene scene_of(const Image& image, const Image& mask, std::int64_t side) {
  Scene scene{detail::coverage_of(shrunk(mask, side)), {}, {}};
  const Image small = shrunk(image, side);
  for (std::size_t i = 0; i < small.rgb.size(); i += 3)
    scene.colours.push_back(lab_of_srgb(small.rgb.data() + i));
  scene.moments = detail::moments_of(scene.lesion);
  return scene;
}

/// Calls `use(x, y)` for the lesion's pixels.
template <class Use>
void each_inside(const Coverage& lesion, const Use& use) {
  for (std::int64_t y = 0; y < lesion.height; ++y)
    for (std::int64_t x = 0; x < lesion.width; ++x)
      if (lesion.inside(x, y)) use(x, y);
}

void measure_asymmetry(LesionMeasures& m, const Scene& fine, const Scene& coarse) {
  for (int axis = 0; axis < 2; ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    double count = 0, outside = 0, pairs = 0, apart = 0;
    each_inside(fine.lesion, [&](std::int64_t x, std::int64_t y) {
      const auto [u, v] = detail::opposite(fine.moments, axis, x, y);
      ++count;
      outside += !fine.lesion.inside(u, v);
    });
    each_inside(coarse.lesion, [&](std::int64_t x, std::int64_t y) {
      const auto [u, v] = detail::opposite(coarse.moments, axis, x, y);
      if (!coarse.lesion.inside(u, v)) return;
      ++pairs;
      apart += distance(coarse.colour(x, y), coarse.colour(u, v));
    });
    m.shape_asymmetry[at] = outside / count;
    m.colour_asymmetry[at] = pairs > 0 ? apart / pairs : 0;
  }
}

using Radii = std::array<double, detail::border_directions>;

void measure_outline(LesionMeasures& m, const Scene& scene, const Radii& radii) {
  const Moments& moments = scene.moments;
  const double length = detail::border_length(scene.lesion);
  m.compactness = length * length / (4 * pi * moments.area);
  double sum = 0, squares = 0, deviation = 0;
  for (int i = 0; i < detail::border_directions; ++i) {
    const double radius = radii[static_cast<std::size_t>(i)];
    sum += radius, squares += radius * radius;
    const auto [c, s] = detail::border_direction(i);
    const double along = (c * moments.axis[0] + s * moments.axis[1]) / moments.long_radius;
    const double across = (s * moments.axis[0] - c * moments.axis[1]) / moments.short_radius;
    const double relative = radius * std::hypot(along, across) - 1;
    deviation += relative * relative;
  }
  const double mean = sum / detail::border_directions;
  m.radial_variance = squares / detail::border_directions / (mean * mean) - 1;
  m.irregularity = std::sqrt(deviation / detail::border_directions);
}

void measure_abruptness(LesionMeasures& m, const Scene& scene, const Radii& radii) {
  double sum = 0, weight = 0;
  for (int i = 0; i < detail::border_directions; ++i) {
    const double radius = radii[static_cast<std::size_t>(i)];
    const auto [c, s] = detail::border_direction(i);
    const auto at = [&, c = c, s = s](double share) -> const Lab* {
      const auto x = std::lround(scene.moments.x + radius * share * c);
      const auto y = std::lround(scene.moments.y + radius * share * s);
      if (x < 0 || y < 0 || x >= scene.lesion.width || y >= scene.lesion.height) return nullptr;
      return &scene.colour(x, y);
    };
    const Lab *inner = at(0.7), *outer = at(1.3);
    if (inner == nullptr || outer == nullptr) continue;
    const double all = distance(*inner, *outer);
    if (all < least_contrast) continue;
    double steepest = 0;
    for (int step = -3; step <= 3; ++step)
      steepest = std::max(steepest, distance(*at(0.95 + 0.05 * step), *at(1.05 + 0.05 * step)));
    sum += std::min(steepest, all);
    weight += all;
  }
  m.abruptness = weight > 0 ? sum / weight : 0;
}

/// Median colour of what is not lesion.
Lab skin_around(const Scene& scene) {
  std::vector<double> lightness, a, b;
  for (std::size_t i = 0; i < scene.colours.size(); ++i) {
    const Lab& colour = scene.colours[i];
    if (scene.lesion.values[i] > 0 || colour.lightness < 10) continue;  // dark: the optics' border
    lightness.push_back(colour.lightness), a.push_back(colour.a), b.push_back(colour.b);
  }
  check_argument(!lightness.empty(), "[lesion] expected skin around the lesion, got none");
  const auto median = [](std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  };
  return {median(lightness), median(a), median(b)};
}

void measure_colours(LesionMeasures& m, const Scene& scene, double least_share) {
  const Lab skin = skin_around(scene);
  double count = 0;
  each_inside(scene.lesion, [&](std::int64_t x, std::int64_t y) {
    ++count;
    double nearest = distance(scene.colour(x, y), skin);
    int best = -1;
    for (int i = 0; i < dermoscopic_colours; ++i) {
      const double apart = distance(scene.colour(x, y), centres[static_cast<std::size_t>(i)]);
      if (apart >= nearest) continue;
      nearest = apart;
      best = i;
    }
    if (best >= 0) ++m.colour_shares[static_cast<std::size_t>(best)];
  });
  for (std::size_t i = 0; i < dermoscopic_colours; ++i) {
    m.colour_shares[i] /= count;
    m.colours[i] = m.colour_shares[i] >= least_share;
  }
}

bool reaches_side(const Coverage& lesion) {
  for (std::int64_t x = 0; x < lesion.width; ++x)
    if (lesion.inside(x, 0) || lesion.inside(x, lesion.height - 1)) return true;
  for (std::int64_t y = 0; y < lesion.height; ++y)
    if (lesion.inside(0, y) || lesion.inside(lesion.width - 1, y)) return true;
  return false;
}

}  // namespace

const std::array<std::string, dermoscopic_colours>& dermoscopic_colour_names() {
  static const std::array<std::string, dermoscopic_colours> names{
      "white", "red", "light brown", "dark brown", "blue-grey", "black"};
  return names;
}

int LesionMeasures::colour_count() const {
  return static_cast<int>(std::count(colours.begin(), colours.end(), true));
}

LesionMeasures measure_lesion(const Image& image, const Image& mask,
                              const LesionMeasureOptions& options) {
  detail::check_image(image, "lesion");
  detail::check_image(mask, "lesion");
  check_argument(image.width == mask.width && image.height == mask.height,
                 "[lesion] expected a mask of ", image.width, " x ", image.height, ", got ",
                 mask.width, " x ", mask.height);
  check_argument(options.mm_per_pixel >= 0 && std::isfinite(options.mm_per_pixel),
                 "[lesion] expected mm_per_pixel of at least 0, got ", options.mm_per_pixel);
  check_argument(options.least_colour_share > 0 && options.least_colour_share < 1,
                 "[lesion] expected least_colour_share in (0, 1), got ",
                 options.least_colour_share);
  const Scene fine = scene_of(image, mask, working_side);
  double area = 0;
  each_inside(fine.lesion, [&](std::int64_t, std::int64_t) { ++area; });
  check_argument(area >= least_area, "[lesion] expected a lesion of at least ", least_area,
                 " pixels, got ", area);
  LesionMeasures m;
  m.area_share = area / static_cast<double>(fine.lesion.width * fine.lesion.height);
  m.cut_off = reaches_side(fine.lesion);
  const double diameter = 2 * std::sqrt(area / pi);
  m.diameter = diameter / static_cast<double>(std::min(fine.lesion.width, fine.lesion.height));
  m.diameter_mm = diameter * options.mm_per_pixel * static_cast<double>(image.width) /
                  static_cast<double>(fine.lesion.width);
  measure_colours(m, fine, options.least_colour_share);
  measure_asymmetry(m, fine, scene_of(image, mask, colour_side));
  const Radii radii = detail::border_radii(fine.lesion, fine.moments);
  measure_outline(m, fine, radii);
  measure_abruptness(m, fine, radii);
  return m;
}

Json to_json(const LesionMeasures& m) {
  const auto both = [](const std::array<double, 2>& values) {
    return Json(std::vector<double>(values.begin(), values.end()));
  };
  auto shares = Json::object();
  for (std::size_t i = 0; i < dermoscopic_colours; ++i)
    shares[dermoscopic_colour_names()[i]] = m.colour_shares[i];
  return Json::object({{"area_share", m.area_share},
                       {"cut_off", m.cut_off},
                       {"diameter", m.diameter},
                       {"diameter_mm", m.diameter_mm > 0 ? Json(m.diameter_mm) : Json()},
                       {"shape_asymmetry", both(m.shape_asymmetry)},
                       {"colour_asymmetry", both(m.colour_asymmetry)},
                       {"compactness", m.compactness},
                       {"radial_variance", m.radial_variance},
                       {"irregularity", m.irregularity},
                       {"abruptness", m.abruptness},
                       {"colour_shares", shares}});
}

}  // namespace dermis
