/// \file
/// Drawing: each artefact is a layer of coverage, blended towards one colour.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dermis/io/artefacts.hpp"

namespace dermis {
namespace {

constexpr double pi = 3.14159265358979323846;

struct Point {
  double x = 0, y = 0;
};

Point operator+(Point a, Point b) {
  return {a.x + b.x, a.y + b.y};
}
Point operator-(Point a, Point b) {
  return {a.x - b.x, a.y - b.y};
}
Point operator*(double s, Point a) {
  return {s * a.x, s * a.y};
}
Point towards(double angle) {
  return {std::cos(angle), std::sin(angle)};
}

double distance_to_segment(Point p, Point a, Point b) {
  const Point along = b - a, from = p - a;
  const double length = along.x * along.x + along.y * along.y;
  const double share =
      length > 0 ? std::clamp((from.x * along.x + from.y * along.y) / length, 0.0, 1.0) : 0;
  const Point rest = from - share * along;
  return std::hypot(rest.x, rest.y);
}

/// How much of each pixel is covered, 0 to 1. Places and lengths are in pixels.
class Layer {
 public:
  explicit Layer(const Image& image)
      : width_(image.width),
        height_(image.height),
        cover_(static_cast<std::size_t>(image.width * image.height)) {}

  void stroke(Point a, Point b, double thickness, double strength) {
    // A line thinner than a pixel covers only a part of each: as wide as a pixel, but paler.
    const double half = std::max(thickness, 1.0) / 2;
    const double opacity = strength * std::min(1.0, thickness);
    cover({std::min(a.x, b.x), std::min(a.y, b.y)}, {std::max(a.x, b.x), std::max(a.y, b.y)},
          half + 1, [&](Point p) { return opacity * edge(half - distance_to_segment(p, a, b)); });
  }

  void ring(Point centre, double radius, double thickness, double strength) {
    const double half = std::max(thickness, 1.0) / 2;
    const double opacity = strength * std::min(1.0, thickness);
    cover(centre, centre, radius + half + 1, [&](Point p) {
      return opacity * edge(half - std::abs(std::hypot(p.x - centre.x, p.y - centre.y) - radius));
    });
  }

  /// A disc that fades over `soft` pixels.
  void disc(Point centre, double radius, double soft, double strength) {
    cover(centre, centre, radius + soft + 1, [&](Point p) {
      const double inside = radius - std::hypot(p.x - centre.x, p.y - centre.y);
      return strength * std::clamp(0.5 + inside / std::max(soft, 1.0), 0.0, 1.0);
    });
  }

  Image blend(Image image, const std::array<double, 3>& colour) const {
    for (std::size_t i = 0; i < cover_.size(); ++i) {
      for (std::size_t c = 0; c < 3; ++c) {
        std::uint8_t& value = image.rgb[3 * i + c];
        value = static_cast<std::uint8_t>(std::lround(value + cover_[i] * (colour[c] - value)));
      }
    }
    return image;
  }

 private:
  static double edge(double inside) { return std::clamp(inside + 0.5, 0.0, 1.0); }

  template <class Coverage>
  void cover(Point low, Point high, double margin, Coverage&& coverage) {
    const auto clamped = [](double v, std::int64_t size) {
      return static_cast<std::int64_t>(std::clamp(v, 0.0, static_cast<double>(size)));
    };
    for (std::int64_t y = clamped(low.y - margin, height_); y < clamped(high.y + margin, height_);
         ++y) {
      for (std::int64_t x = clamped(low.x - margin, width_); x < clamped(high.x + margin, width_);
           ++x) {
        double& value = cover_[static_cast<std::size_t>(y * width_ + x)];
        value = std::max(
            value, coverage(Point{static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5}));
      }
    }
  }

  std::int64_t width_, height_;
  std::vector<double> cover_;
};

double shorter_side(const Image& image) {
  return static_cast<double>(std::min(image.width, image.height));
}

Point anywhere(const Image& image, RandomStream& random) {
  const double x = random.uniform();  // one draw a statement: the order of arguments is open
  const double y = random.uniform();
  return {x * static_cast<double>(image.width), y * static_cast<double>(image.height)};
}

}  // namespace

std::string name_of(Artefact artefact) {
  switch (artefact) {
    case Artefact::Hair:
      return "hair";
    case Artefact::Ruler:
      return "ruler";
    case Artefact::Vignette:
      return "vignette";
    case Artefact::Gel:
      break;
  }
  return "gel";
}

Image draw_hair(const Image& image, RandomStream random) {
  detail::check_image(image, "artefact");
  const double side = shorter_side(image);
  Layer layer(image);
  const double main = random.uniform(0, pi);
  const double brown = random.uniform(0, 0.6);
  const double thickness = side * random.uniform(0.008, 0.014);
  const auto count = static_cast<int>(6 + random.below(7));
  constexpr int pieces = 16;
  for (int i = 0; i < count; ++i) {
    const Point middle = anywhere(image, random);
    double heading = main + random.uniform(-0.5, 0.5);
    const double bend = random.uniform(-0.09, 0.09);
    const double length = side * random.uniform(0.5, 1.1);
    Point from = middle - (0.5 * length) * towards(heading);
    for (int k = 0; k < pieces; ++k) {
      const Point to = from + (length / pieces) * towards(heading);
      const double taper = k < pieces - 3 ? 1 : (pieces - k) / 4.0;  // the tip is finer
      layer.stroke(from, to, thickness * taper, 0.9);
      from = to;
      heading += bend;
    }
  }
  return layer.blend(image, {28 + 70 * brown, 22 + 45 * brown, 20 + 25 * brown});
}

Image draw_ruler(const Image& image, RandomStream random) {
  detail::check_image(image, "artefact");
  const double side = shorter_side(image);
  const auto width = static_cast<double>(image.width), height = static_cast<double>(image.height);
  Layer layer(image);
  const auto edge = random.below(4);
  const bool across = edge < 2;  // along the upper or lower side
  const double gap = side * random.uniform(0.055, 0.08);
  const double inset = side * random.uniform(0.01, 0.05);
  const double start = random.uniform(0, gap);
  const auto at = [&](double along, double depth) {
    const double far = across ? height : width;
    const double away = edge % 2 == 0 ? depth : far - depth;
    return across ? Point{along, away} : Point{away, along};
  };
  int mark = 0;
  for (double along = start; along < (across ? width : height); along += gap, ++mark) {
    const double length = side * (mark % 5 == 0 ? 0.10 : 0.06);
    layer.stroke(at(along, inset), at(along, inset + length), 0.012 * side, 0.85);
  }
  return layer.blend(image, {30, 30, 34});
}

Image draw_vignette(const Image& image, RandomStream random) {
  detail::check_image(image, "artefact");
  const double radius = random.uniform(1.0, 1.15);  // half sides: the corners lie at 1.41
  const double soft = random.uniform(0.04, 0.15);
  const double level = random.uniform(0, 0.12);
  Image result = image;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const double u = (2.0 * static_cast<double>(x) + 1) / static_cast<double>(image.width) - 1;
      const double v = (2.0 * static_cast<double>(y) + 1) / static_cast<double>(image.height) - 1;
      const double share = std::clamp((std::hypot(u, v) - radius) / soft + 0.5, 0.0, 1.0);
      const double light = 1 - (1 - level) * share * share * (3 - 2 * share);
      for (int c = 0; c < 3; ++c) {
        std::uint8_t& value = result.pixel(x, y)[c];
        value = static_cast<std::uint8_t>(std::lround(light * value));
      }
    }
  }
  return result;
}

Image draw_gel(const Image& image, RandomStream random) {
  detail::check_image(image, "artefact");
  const double side = shorter_side(image);
  Layer rims(image), shine(image);
  const auto bubbles = static_cast<int>(3 + random.below(4));
  for (int i = 0; i < bubbles; ++i) {
    const Point centre = anywhere(image, random);
    const double radius = side * random.uniform(0.03, 0.08);
    rims.ring(centre, radius, 0.015 * side, 0.6);
    shine.disc(centre - Point{0.35 * radius, 0.35 * radius}, 0.22 * radius, 0.2 * radius, 0.85);
  }
  const auto reflections = static_cast<int>(2 + random.below(4));
  for (int i = 0; i < reflections; ++i) {
    const Point centre = anywhere(image, random);
    const double radius = side * random.uniform(0.008, 0.02);
    shine.disc(centre, radius, 0.5 * radius, 0.9);
  }
  return shine.blend(rims.blend(image, {243, 236, 232}), {255, 255, 255});
}

Image draw(Artefact artefact, const Image& image, const RandomStream& random) {
  switch (artefact) {
    case Artefact::Hair:
      return draw_hair(image, random);
    case Artefact::Ruler:
      return draw_ruler(image, random);
    case Artefact::Vignette:
      return draw_vignette(image, random);
    case Artefact::Gel:
      break;
  }
  return draw_gel(image, random);
}

}  // namespace dermis
