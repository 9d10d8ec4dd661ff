/// \file
/// Structures of the classes of vessels and keratin (basal cell carcinoma, actinic keratosis,
/// vascular lesion, squamous cell carcinoma), drawn boldly enough to survive 64 pixels.

#include <algorithm>
#include <cmath>

#include "phantom_sketch.hpp"

namespace dermis::detail {

void Sketch::vessel(Point from, float heading, float length, float width, int generation) {
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
    if (generation < 3 && (i == 1 || (i == 3 && generation == 1))) {
      const float side = random_.chance(0.5) ? 1.0F : -1.0F;
      vessel(p, turned + side * uniform(0.6F, 1.1F), 0.6F * length, 0.66F * width, generation + 1);
    }
  }
  if (generation < 3)
    vessel(p, heading + bend * 0.5F + uniform(-0.6F, 0.6F), 0.6F * length, 0.7F * width,
           generation + 1);
}

void Sketch::basal_cell_carcinoma() {
  const float first = uniform(0, 2 * pi);
  for (int i = 0; i < 2; ++i) {
    const float angle = first + static_cast<float>(i) * (pi + uniform(-0.6F, 0.6F));
    const Point root = at(uniform(0.9F, 1.0F), angle);
    vessel(root, angle + pi + uniform(-0.4F, 0.4F), 0.8F * edge(angle), 0.045F, 1);
  }
  lesion_.truth.vessels = "arborising";
  for (const Point p : scatter(between(3, 5), 0.28F, 0.5F, 0.88F)) {
    const float rx = uniform(0.09F, 0.14F), ry = rx * uniform(0.6F, 0.85F), angle = uniform(0, pi);
    ellipse(p, rx, ry, angle, uniform(-1.4F, -1.0F), 0.06F);
    ++lesion_.truth.nests;
  }
}

void Sketch::actinic_keratosis() {
  lesion_.texture = {.type = Texture::Type::Network,
                     .spacing = uniform(0.13F, 0.17F),
                     .width = 0.5F,
                     .jitter = 1.0F,
                     .dark = -0.5F,
                     .light = 0.1F,
                     .broken = 0.7F,
                     .turn = uniform(0, pi)};
  for (const Point p : scatter(between(13, 20), 0.235F, 0, 0.92F)) {
    const float rx = uniform(0.08F, 0.115F), ry = rx * uniform(0.8F, 1.0F), angle = uniform(0, pi);
    ellipse(p, rx, ry, angle, uniform(1.0F, 1.5F), 0.045F);
    const float plug = uniform(0.028F, 0.04F);
    disc(p, plug, -1.3F, 0.03F, uniform(0.7F, 1.0F));
    ++lesion_.truth.follicles;
  }
  lesion_.truth.network = "pseudo";
  lesion_.truth.scale = true;
  for (const Point p : scatter(between(1, 3), 0.4F, 0.2F, 0.8F)) {
    const float rx = uniform(0.08F, 0.15F), ry = uniform(0.025F, 0.05F);
    ellipse(p, rx, ry, uniform(0, pi), 1.5F, 0.03F, 0.8F);
  }
}

void Sketch::vascular() {
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

void Sketch::hairpin(float angle) {
  const Point foot = at(uniform(0.52F, 0.64F), angle);
  const float reach = uniform(0.86F, 1.0F);
  const Point head = at(reach, angle + uniform(-0.12F, 0.12F));
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

void Sketch::squamous_cell_carcinoma() {
  lesion_.plateau = {.radius = uniform(0.38F, 0.48F),
                     .tone = 1.3F,
                     .soft = 0.06F,
                     .ragged = 0.6F,
                     .centre = anywhere_within(0.10F)};
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

}  // namespace dermis::detail
