#pragma once
/// \file
/// Preparing dermoscopic photographs: the black border of the optics, the colour of the light, hair
/// and ruler marks in front of the lesion. Everything is off unless asked for: a network may be
/// better without. Images must not be empty, otherwise std::invalid_argument. LibTorch-free.

#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "dermis/io/image.hpp"

namespace dermis {

/// Bounding box of the lit field. A pixel is lit when its largest channel is above a fifth of the
/// image's 95th percentile, a row or column when 5 % of its pixels are; the field is the run of
/// rows and columns that holds most lit pixels. So single bright pixels and text in the border are
/// no field. The whole image if the field has less than a quarter of a side or the image is dark
/// (95th percentile below 24).
Box lit_field(const Image& image);

/// The image cut to lit_field(): the dark corners of a round field stay.
Image crop_border(const Image& image);

struct ColourConstancyOptions {
  double p = 6;           ///< Minkowski norm, at least 1: 1 is gray world, infinity max-RGB
  double gamma = 1;       ///< above 0; the light is estimated from (value / 255)^gamma
  bool truncate = false;  ///< cut to whole values (numpy's astype) instead of rounding
};

/// Colour of the light by Shades of Gray (Finlayson and Trezzi 2004): the Minkowski mean
/// (mean v^p)^(1/p) of each channel, scaled to a vector of length 1. A black image has none: grey
/// light, 1 / sqrt(3) each.
std::array<double, 3> illuminant(const Image& image, const ColourConstancyOptions& options = {});

/// What each channel is multiplied by under that light: 1 / (sqrt(3) light), 1 where it is 0.
std::array<double, 3> colour_gains(const std::array<double, 3>& light);

/// The image as under grey light, before rounding: each channel times its gain, at most 255; in the
/// order of Image::rgb.
std::vector<double> colour_constant_values(const Image& image,
                                           const ColourConstancyOptions& options = {});

/// The image as under grey light: each channel times its gain, rounded half to even, at most 255
/// (Barata et al. 2015 use it so on dermoscopic images, with p = 6). p below 1 or gamma not above 0
/// are std::invalid_argument.
Image colour_constancy(const Image& image, const ColourConstancyOptions& options = {});

/// What is taken for hair: dark, thin, long. Lengths are shares of the image's shorter side.
struct HairOptions {
  double width = 0.025;  ///< no hair is wider
  double length = 0.08;  ///< of a straight piece; a hair is at least twice as long
  double contrast = 15;  ///< grey levels darker than beside it, 0 to 255
};

struct HairRemoval {
  Image image;
  std::vector<std::uint8_t> mask;  ///< a byte a pixel, row by row: 1 where the image was changed
};

/// Paints over dark hair, in the way of DullRazor (Lee et al. 1997): morphological closing of the
/// grey image along short lines fills what is thin and dark; of that remains what long lines fit
/// into and what hangs together for twice their length; each such pixel is interpolated from the
/// skin on both sides, and the filling is smoothed. Departs from it in the long lines, which spare
/// dots and most of a pigment network. Ruler marks and the weave of stickers count as hair; fair
/// hair is not found. Options
/// outside 0 < width < length <= 1 or 0 < contrast <= 255 are std::invalid_argument.
HairRemoval remove_hair(const Image& image, const HairOptions& options = {});

/// Which steps preprocess() takes.
struct DermoscopyOptions {
  bool crop_border = false;
  bool colour_constancy = false;
  bool remove_hair = false;
};

template <class Self, class Visitor,
          std::enable_if_t<std::is_same_v<std::remove_const_t<Self>, DermoscopyOptions>, int> = 0>
void visit_fields(Self& o, Visitor&& visit) {
  visit("crop_border", o.crop_border);
  visit("colour_constancy", o.colour_constancy);
  visit("remove_hair", o.remove_hair);
}

/// Border, then hair, then colour: a black border and hair would shift the estimate of the light.
Image preprocess(Image image, const DermoscopyOptions& options);

}  // namespace dermis
