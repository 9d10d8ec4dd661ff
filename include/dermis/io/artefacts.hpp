#pragma once
/// \file
/// What lies between lesion and camera and says nothing of the lesion: hair, ruler, dark rim, gel.
/// Drawn onto an image, to see whether a model cares; and looked for in an image, to see whether a
/// data set ties one to a class. LibTorch-free.

#include <array>
#include <string>

#include "dermis/core/random.hpp"
#include "dermis/io/image.hpp"

namespace dermis {

enum class Artefact { Hair, Ruler, Vignette, Gel };

inline constexpr std::array<Artefact, 4> all_artefacts{Artefact::Hair, Artefact::Ruler,
                                                       Artefact::Vignette, Artefact::Gel};

/// hair, ruler, vignette or gel.
std::string name_of(Artefact artefact);

/// 6 to 12 dark curved hairs that lie roughly one way.
Image draw_hair(const Image& image, RandomStream random);
/// A scale of dark marks along one side, each fifth one longer.
Image draw_ruler(const Image& image, RandomStream random);
/// The dark surround of round optics: black corners, soft or sharp, wholly in the image's corners.
Image draw_vignette(const Image& image, RandomStream random);
/// 3 to 6 bubbles of immersion gel, each a pale rim with a bright spot, and a few reflections.
Image draw_gel(const Image& image, RandomStream random);

/// One of these. Plausible from 32 pixels a side; the same stream draws the same thing at any size.
///
///     Image hairy = draw(Artefact::Hair, image, RandomStream(seed, "artefact", 0, index));
Image draw(Artefact artefact, const Image& image, const RandomStream& random);

/// How much of each of all_artefacts seems to be there, 0 for none; a measurement no better than
/// its simple rule: for ranks over many images, not for a decision on one.
///
/// Hair: share of pixels that remove_hair() takes for long hair. Ruler: the strongest regular
/// alternation of dark and light in a strip beside one of the sides, 0 to 1. Vignette: how much
/// darker the corners are than the middle of the sides, 0 to 1. Gel: share of pixels that are
/// brighter than the skin and than what morphological opening leaves of them. Hair and gel are
/// looked for outside a box around the lesion (skin_mask) alone, so that the lesion's own
/// structures count little; NaN where nothing lies outside.
std::array<double, 4> artefact_scores(const Image& image);

}  // namespace dermis
