#pragma once
/// \file
/// The drawing board for one lesion's structures: marks, places and ranges that the classes share.

#include <cmath>
#include <vector>

#include "phantom_lesion.hpp"

namespace dermis::detail {

constexpr float pi = 3.14159265F;

/// Draws the structures of one lesion; members share the stream and the lesion. One member a class.
/// At most one random draw stands in the arguments of a call: their order of evaluation is the
/// compiler's, and the phantom must not be.
class Sketch {
 public:
  Sketch(RandomStream& random, Lesion& lesion) : random_(random), lesion_(lesion) {}
  void draw();

 private:
  /// Asymmetric: an eccentric blotch, broken network in one part, streaks running out in another.
  void melanoma();
  /// Symmetric: one pattern throughout, a network of even meshes or globules in rows.
  void naevus();
  /// Arborising vessels over a pale, structureless ground; ovoid nests by the edge.
  void basal_cell_carcinoma();
  /// Strawberry pattern: follicles with a plug and a pale halo in a dusky pseudo-network; scales.
  void actinic_keratosis();
  /// Stuck on: ridges and furrows like a brain's, bright cysts, dark plugs, a sharp edge.
  void benign_keratosis();
  /// A white scar in the middle of a delicate network that fades outwards.
  void dermatofibroma();
  /// Lacunae: round dark lakes packed between pale septa.
  void vascular();
  /// A ragged keratin mass, hairpin vessels standing around it, white circles in it.
  void squamous_cell_carcinoma();
  /// One vessel and its branches.
  void vessel(Point from, float heading, float length, float width, int generation);
  /// A vessel that runs out, bows and comes back beside itself.
  void hairpin(float angle);

  float uniform(float low, float high) { return static_cast<float>(random_.uniform(low, high)); }
  int between(int low, int high) {
    return low + static_cast<int>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  /// A displacement of at most `radius`, any direction.
  Point anywhere_within(float radius) {
    const float distance = uniform(0, radius);
    return polar(distance, uniform(0, 2 * pi));
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
  std::vector<Point> scatter(int count, float distance, float from, float to);

  RandomStream& random_;
  Lesion& lesion_;
};

}  // namespace dermis::detail
