/// \file
/// The structures of each class: what a dermatologist looks for, drawn boldly enough to survive 64
/// pixels. They alone tell the classes apart, together with the outline.

#include <algorithm>
#include <cmath>

#include "phantom_lesion.hpp"

namespace dermis::detail {
namespace {

constexpr float pi = 3.14159265F;

/// Draws the structures of one lesion; members share the stream and the lesion.
class Sketch {
 public:
  Sketch(RandomStream& random, Lesion& lesion) : random_(random), lesion_(lesion) {}

  void draw() {
    switch (lesion_.kind) {
      case Kind::Mel:
        return melanoma();
      case Kind::Nv:
        return naevus();
      case Kind::Bcc:
        return basal_cell_carcinoma();
      case Kind::Ak:
        return actinic_keratosis();
      case Kind::Bkl:
        return benign_keratosis();
      case Kind::Df:
        return dermatofibroma();
      case Kind::Vasc:
        return vascular();
      case Kind::Scc:
        return squamous_cell_carcinoma();
    }
  }

 private:
  float uniform(float low, float high) { return static_cast<float>(random_.uniform(low, high)); }
  int between(int low, int high) {
    return low + static_cast<int>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  float edge(float angle) const { return Outline::at(lesion_.outline.radius, angle); }
  /// A place at `share` of the way to the edge.
  Point at(float share, float angle) const { return polar(share * edge(angle), angle); }

  void disc(Point centre, float radius, float tone, float soft, float strength = 1) {
    ellipse(centre, radius, radius, 0, tone, soft, strength);
  }
  void ellipse(Point centre, float rx, float ry, float angle, float tone, float soft,
               float strength = 1) {
    lesion_.marks.push_back({.a = centre,
                             .ra = rx,
                             .rb = ry,
                             .angle = angle,
                             .soft = soft,
                             .tone = tone,
                             .strength = strength});
  }
  void ring(Point centre, float radius, float half_width, float tone, float soft) {
    lesion_.marks.push_back({.shape = Mark::Shape::Ring,
                             .a = centre,
                             .ra = radius,
                             .rb = half_width,
                             .soft = soft,
                             .tone = tone});
  }
  void stroke(Point a, Point b, float ra, float rb, float tone, float soft,
              bool grows_mask = false) {
    lesion_.marks.push_back({.shape = Mark::Shape::Stroke,
                             .a = a,
                             .b = b,
                             .ra = ra,
                             .rb = rb,
                             .soft = soft,
                             .tone = tone,
                             .grows_mask = grows_mask});
  }

  /// Up to `count` places at least `distance` apart, from `from` to `to` of the way to the edge.
  std::vector<Point> scatter(int count, float distance, float from, float to) {
    std::vector<Point> places;
    for (int attempt = 0; attempt < 40 * count && static_cast<int>(places.size()) < count;
         ++attempt) {
      const float angle = uniform(0, 2 * pi);
      const float share = std::sqrt(uniform(from * from, to * to));  // even over the area
      const Point p = at(share, angle);
      const bool free = std::all_of(places.begin(), places.end(), [&](Point q) {
        const Point d = p - q;
        return d.x * d.x + d.y * d.y >= distance * distance;
      });
      if (free) places.push_back(p);
    }
    return places;
  }

  /// Asymmetric: an eccentric blotch, broken network in one part, streaks running out in another.
  void melanoma() {
    const float towards = uniform(0, 2 * pi);
    lesion_.texture = {.type = Texture::Type::Network,
                       .spacing = uniform(0.22F, 0.30F),
                       .width = 0.34F,
                       .jitter = 0.9F,
                       .dark = -1.0F,
                       .light = 0.5F,
                       .to = 0.95F,
                       .sector = true,
                       .angle = towards + uniform(2.2F, 4.0F),
                       .half_angle = uniform(1.1F, 1.7F),
                       .broken = 0.6F,
                       .turn = uniform(0, pi)};
    lesion_.truth.network = "atypical";

    const int streaks = between(8, 13);
    const float span = uniform(1.7F, 3.2F), middle = towards + uniform(-0.6F, 0.6F);
    for (int i = 0; i < streaks; ++i) {
      const float place =
          (static_cast<float>(i) + uniform(-0.3F, 0.3F)) / static_cast<float>(streaks - 1);
      const float angle = middle + span * (place - 0.5F);
      const Point foot = at(uniform(0.62F, 0.78F), angle);
      const Point tip =
          at(1.0F, angle + uniform(-0.1F, 0.1F)) + polar(uniform(0.04F, 0.18F), angle);
      stroke(foot, tip, uniform(0.04F, 0.055F), uniform(0.03F, 0.05F), uniform(-1.6F, -1.1F), 0.03F,
             true);
    }
    lesion_.truth.streaks = streaks;

    lesion_.truth.blotches = between(1, 2);
    for (int i = 0; i < lesion_.truth.blotches; ++i) {
      const float angle = towards + uniform(-0.9F, 0.9F);
      const Point centre = at(uniform(0.25F, 0.5F), angle);
      for (int lobe = 0; lobe < 3; ++lobe) {
        const float rx = uniform(0.13F, 0.20F);
        ellipse(centre + polar(uniform(0, 0.12F), uniform(0, 2 * pi)), rx, rx * uniform(0.6F, 0.9F),
                uniform(0, pi), -1.5F, 0.08F, 0.9F);
      }
    }
  }

  /// Symmetric: one pattern throughout, a network of even meshes or globules in rows.
  void naevus() {
    if (random_.chance(0.6)) {
      lesion_.texture = {.type = Texture::Type::Network,
                         .spacing = uniform(0.17F, 0.22F),
                         .width = 0.26F,
                         .jitter = uniform(0.3F, 0.5F),
                         .dark = -1,
                         .light = 0.7F,
                         .turn = uniform(0, pi)};
      lesion_.truth.network = "regular";
      return;
    }
    const float spacing = uniform(0.18F, 0.23F), turn = uniform(0, pi);
    const int reach = static_cast<int>(1.2F / spacing);
    for (int row = -reach; row <= reach; ++row) {
      for (int column = -reach; column <= reach; ++column) {
        Point p{spacing * (static_cast<float>(column) + ((row & 1) != 0 ? 0.5F : 0.0F)),
                spacing * 0.866F * static_cast<float>(row)};
        p = {std::cos(turn) * p.x - std::sin(turn) * p.y,
             std::sin(turn) * p.x + std::cos(turn) * p.y};
        p = p + polar(spacing * uniform(0, 0.16F), uniform(0, 2 * pi));
        if (std::hypot(p.x, p.y) > 0.95F * edge(std::atan2(p.y, p.x))) continue;
        const float radius = spacing * uniform(0.24F, 0.36F);
        ellipse(p, radius, radius * uniform(0.8F, 1.0F), uniform(0, pi), uniform(-1.3F, -0.8F),
                0.035F);
        ++lesion_.truth.globules;
      }
    }
  }

  /// One vessel and its branches.
  void vessel(Point from, float heading, float length, float width, int generation) {
    Point p = from;
    const int pieces = 5;
    const float bend = uniform(-0.7F, 0.7F);
    for (int i = 0; i < pieces; ++i) {
      const float turned =
          heading + bend * (static_cast<float>(i) / pieces - 0.5F) + uniform(-0.3F, 0.3F);
      const Point next = p + polar(length / pieces, turned);
      const float a = width * (1 - 0.07F * static_cast<float>(i)),
                  b = width * (0.93F - 0.07F * static_cast<float>(i));
      stroke(p, next, a, b, -1.3F, 0.025F);
      p = next;
      if (generation < 3 && (i == 1 || (i == 3 && generation == 1)))
        vessel(p, turned + (random_.chance(0.5) ? 1.0F : -1.0F) * uniform(0.6F, 1.1F),
               0.6F * length, 0.66F * width, generation + 1);
    }
    if (generation < 3)
      vessel(p, heading + bend * 0.5F + uniform(-0.6F, 0.6F), 0.6F * length, 0.7F * width,
             generation + 1);
  }

  /// Arborising vessels over a pale, structureless ground; ovoid nests by the edge.
  void basal_cell_carcinoma() {
    const float first = uniform(0, 2 * pi);
    for (int i = 0; i < 2; ++i) {
      const float angle = first + static_cast<float>(i) * (pi + uniform(-0.6F, 0.6F));
      vessel(at(uniform(0.9F, 1.0F), angle), angle + pi + uniform(-0.4F, 0.4F), 0.8F * edge(angle),
             0.045F, 1);
    }
    lesion_.truth.vessels = "arborising";
    for (const Point p : scatter(between(3, 5), 0.28F, 0.5F, 0.88F)) {
      const float rx = uniform(0.09F, 0.14F);
      ellipse(p, rx, rx * uniform(0.6F, 0.85F), uniform(0, pi), uniform(-1.4F, -1.0F), 0.06F);
      ++lesion_.truth.nests;
    }
  }

  /// Strawberry pattern: follicles with a plug and a pale halo in a dusky pseudo-network; scales.
  void actinic_keratosis() {
    lesion_.texture = {.type = Texture::Type::Network,
                       .spacing = uniform(0.13F, 0.17F),
                       .width = 0.5F,
                       .jitter = 1.0F,
                       .dark = -0.5F,
                       .light = 0.1F,
                       .broken = 0.7F,
                       .turn = uniform(0, pi)};
    for (const Point p : scatter(between(13, 20), 0.235F, 0, 0.92F)) {
      const float radius = uniform(0.08F, 0.115F);
      ellipse(p, radius, radius * uniform(0.8F, 1.0F), uniform(0, pi), uniform(1.0F, 1.5F), 0.045F);
      disc(p, uniform(0.028F, 0.04F), -1.3F, 0.03F, uniform(0.7F, 1.0F));
      ++lesion_.truth.follicles;
    }
    lesion_.truth.network = "pseudo";
    lesion_.truth.scale = true;
    for (const Point p : scatter(between(1, 3), 0.4F, 0.2F, 0.8F))
      ellipse(p, uniform(0.08F, 0.15F), uniform(0.025F, 0.05F), uniform(0, pi), 1.5F, 0.03F, 0.8F);
  }

  /// Stuck on: ridges and furrows like a brain's, bright cysts, dark plugs, a sharp edge.
  void benign_keratosis() {
    lesion_.texture = {.type = Texture::Type::Ridges,
                       .spacing = uniform(0.22F, 0.27F),
                       .warp = uniform(0.8F, 1.1F),
                       .dark = -0.8F,
                       .light = 0.6F,
                       .turn = uniform(0, pi)};
    lesion_.truth.ridges = true;
    const int cysts = between(4, 7), openings = between(3, 6);
    int drawn = 0;
    for (const Point p : scatter(cysts + openings, 0.19F, 0, 0.88F)) {
      if (drawn++ < cysts) {
        disc(p, uniform(0.05F, 0.07F), 1.8F, 0.04F);
        ++lesion_.truth.cysts;
      } else {
        const float radius = uniform(0.06F, 0.09F);
        ellipse(p, radius, radius * uniform(0.7F, 1.0F), uniform(0, pi), -1.6F, 0.035F);
        ++lesion_.truth.comedo_openings;
      }
    }
  }

  /// A white scar in the middle of a delicate network that fades outwards.
  void dermatofibroma() {
    lesion_.texture = {.type = Texture::Type::Network,
                       .spacing = uniform(0.13F, 0.16F),
                       .width = 0.3F,
                       .jitter = uniform(0.4F, 0.6F),
                       .dark = -1.0F,
                       .light = 0.2F,
                       .from = 0.4F,
                       .turn = uniform(0, pi)};
    lesion_.plateau = {.radius = uniform(0.40F, 0.52F),
                       .tone = 1.4F,
                       .soft = 0.18F,
                       .ragged = 0.3F,
                       .centre = polar(uniform(0, 0.10F), uniform(0, 2 * pi))};
    lesion_.truth.network = "delicate";
    lesion_.truth.scar = true;
  }

  /// Lacunae: round dark lakes packed between pale septa.
  void vascular() {
    lesion_.texture = {.type = Texture::Type::Lacunae,
                       .spacing = uniform(0.32F, 0.42F),
                       .width = 0.14F,
                       .jitter = 0.65F,
                       .dark = -1.2F,
                       .light = 0.8F,
                       .turn = uniform(0, pi)};
    // About as many lakes as cells of the lattice fit the area.
    const float cell = 0.866F * lesion_.texture.spacing * lesion_.texture.spacing;
    lesion_.truth.lacunae = static_cast<int>(
        std::lround(pi * lesion_.outline.mean_radius * lesion_.outline.mean_radius / cell));
  }

  /// A vessel that runs out, bows and comes back beside itself.
  void hairpin(float angle) {
    const Point foot = at(uniform(0.52F, 0.64F), angle);
    const Point head = at(uniform(0.86F, 1.0F), angle + uniform(-0.12F, 0.12F));
    const Point along = head - foot;
    const float half = uniform(0.035F, 0.055F), direction = std::atan2(along.y, along.x);
    const Point side = polar(half, direction + 0.5F * pi);
    std::vector<Point> path{foot + 0.6F * side, foot + 0.5F * along + 1.15F * side};
    for (int i = 0; i <= 4; ++i)
      path.push_back(head + polar(half, direction + pi * (0.5F - 0.25F * static_cast<float>(i))));
    path.push_back(foot + 0.5F * along - 1.15F * side);
    path.push_back(foot - 0.6F * side);
    for (std::size_t i = 1; i < path.size(); ++i)
      stroke(path[i - 1], path[i], 0.02F, 0.02F, -1.5F, 0.018F, true);
  }

  /// A ragged keratin mass, hairpin vessels standing around it, white circles in it.
  void squamous_cell_carcinoma() {
    lesion_.plateau = {.radius = uniform(0.38F, 0.48F),
                       .tone = 1.3F,
                       .soft = 0.06F,
                       .ragged = 0.6F,
                       .centre = polar(uniform(0, 0.10F), uniform(0, 2 * pi))};
    lesion_.truth.keratin = true;
    lesion_.truth.vessels = "hairpin";
    const int loops = between(8, 11);
    const float first = uniform(0, 2 * pi);
    for (int i = 0; i < loops; ++i)
      hairpin(first +
              2 * pi * (static_cast<float>(i) + uniform(-0.2F, 0.2F)) / static_cast<float>(loops));
    for (const Point p : scatter(between(2, 4), 0.2F, 0.05F, 0.42F)) {
      disc(p, 0.05F, -1.1F, 0.04F, 0.85F);
      ring(p, 0.075F, 0.02F, 1.6F, 0.03F);
      ++lesion_.truth.white_circles;
    }
  }

  RandomStream& random_;
  Lesion& lesion_;
};

}  // namespace

void draw_structures(RandomStream& random, Lesion& lesion) {
  Sketch(random, lesion).draw();
}

}  // namespace dermis::detail
