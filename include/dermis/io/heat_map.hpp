#pragma once
/// \file
/// A map of values over an image as colours, and the outline of a mask. LibTorch-free.

#include <array>
#include <cstdint>
#include <vector>

#include "dermis/io/image.hpp"

namespace dermis {

using Colour = std::array<std::uint8_t, 3>;  ///< R, G, B

/// The colour of `value` in 0..1 (clamped): Green's cubehelix (arXiv 1108.5083) from dark violet
/// over blue and green to nearly white. Its luminance rises evenly with the value, so that the
/// order of values is seen without a legend, in grey print and by the colour-blind.
Colour heat_colour(double value);

/// `image` in grey under the colours of `map`, row by row a value a pixel; 0 and below get the
/// darkest colour, the map's largest value the lightest. `opacity` of the colours, in 0..1. Throws
/// std::invalid_argument for another number of values, or one that is not finite.
Image overlay(const Image& image, const std::vector<float>& map, double opacity = 0.6);

/// `image` with a line of one pixel around the mask (a byte a pixel, not 0 inside), drawn on the
/// mask's own pixels. Throws std::invalid_argument for another number of pixels.
Image outlined(const Image& image, const std::vector<std::uint8_t>& mask,
               const Colour& colour = {255, 255, 255});

}  // namespace dermis
