/// \file
/// Structures of the pigmented classes (melanoma, naevus, benign keratosis, dermatofibroma): what a
/// dermatologist looks for, drawn boldly enough to survive 64 pixels. With the outline, they alone
/// tell the classes apart.

#include <algorithm>
#include <cmath>

#include "phantom_sketch.hpp"

namespace dermis::detail {

std::vector<Point> Sketch::scatter(int count, float distance, float from, float to) {
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

void Sketch::draw() {
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

void draw_structures(RandomStream& random, Lesion& lesion) {
  Sketch(random, lesion).draw();
}

void Sketch::melanoma() {
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
    const Point rim = at(1.0F, angle + uniform(-0.1F, 0.1F));
    const Point tip = rim + polar(uniform(0.04F, 0.18F), angle);
    const float wide = uniform(0.04F, 0.055F), narrow = uniform(0.03F, 0.05F);
    stroke(foot, tip, wide, narrow, uniform(-1.6F, -1.1F), 0.03F, true);
  }
  lesion_.truth.streaks = streaks;

  lesion_.truth.blotches = between(1, 2);
  for (int i = 0; i < lesion_.truth.blotches; ++i) {
    const float angle = towards + uniform(-0.9F, 0.9F);
    const Point centre = at(uniform(0.25F, 0.5F), angle);
    for (int lobe = 0; lobe < 3; ++lobe) {
      const Point middle_of_lobe = centre + anywhere_within(0.12F);
      const float rx = uniform(0.13F, 0.20F), ry = rx * uniform(0.6F, 0.9F);
      ellipse(middle_of_lobe, rx, ry, uniform(0, pi), -1.5F, 0.08F, 0.9F);
    }
  }
}

void Sketch::naevus() {
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
      p = p + anywhere_within(0.16F * spacing);
      if (std::hypot(p.x, p.y) > 0.95F * edge(std::atan2(p.y, p.x))) continue;
      const float rx = spacing * uniform(0.24F, 0.36F), ry = rx * uniform(0.8F, 1.0F);
      const float angle = uniform(0, pi);
      ellipse(p, rx, ry, angle, uniform(-1.3F, -0.8F), 0.035F);
      ++lesion_.truth.globules;
    }
  }
}

void Sketch::benign_keratosis() {
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
      const float rx = uniform(0.06F, 0.09F), ry = rx * uniform(0.7F, 1.0F);
      ellipse(p, rx, ry, uniform(0, pi), -1.6F, 0.035F);
      ++lesion_.truth.comedo_openings;
    }
  }
}

void Sketch::dermatofibroma() {
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
                     .centre = anywhere_within(0.10F)};
  lesion_.truth.network = "delicate";
  lesion_.truth.scar = true;
}

}  // namespace dermis::detail
