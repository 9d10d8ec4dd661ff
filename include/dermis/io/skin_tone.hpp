#pragma once
/// \file
/// Skin tone of a dermoscopic image as the individual typology angle (ITA; Chardon et al. 1991) of
/// the skin beside the lesion, with its error. Light, exposure and the camera move the angle as
/// much as skin does, and from the angle to Fitzpatrick's types there is no reliable way (arXiv
/// 2207.02942): so an estimate is an angle with an error and a probability of each group, never one
/// group alone. LibTorch-free.

#include <array>
#include <cstdint>
#include <string>

#include "dermis/core/json.hpp"
#include "dermis/io/image.hpp"

namespace dermis {

/// CIELAB under D65: lightness 0 .. 100, a towards red, b towards yellow.
struct Lab {
  double lightness = 0, a = 0, b = 0;
};

/// Of an sRGB pixel (IEC 61966-2-1).
Lab lab_of_srgb(const std::uint8_t* rgb);

/// arctan((L - 50) / b) in degrees, high for light skin. Taken by quadrant, so that it grows past
/// 90 instead of jumping to -90 where a blue light makes b negative.
double typology_angle(const Lab& colour);

/// The six usual groups, lightest first.
constexpr int tone_groups = 6;
/// very light (above 55 degrees), light (above 41), intermediate (above 28), tan (above 10), brown
/// (above -30), dark.
const std::array<std::string, tone_groups>& tone_group_names();

struct ToneOptions {
  /// Standard deviation of the angle, in degrees, by what one image does not tell: light, exposure,
  /// white balance, and the segmentation. The default was measured on the phantom (see
  /// ToneEstimate); give your camera's own if you know it.
  double systematic_error = 9;
  double least_skin = 0.1;  ///< share of the image's pixels below which nothing is measured
  int resamples = 50;       ///< of blocks, for the spread
  std::uint64_t seed = 0;
};

/// What an image says of the skin's tone.
///
/// Measured on the phantom, 800 test images of 64 pixels whose cameras vary by +-6 % in warmth and
/// from 0.82 to 1.08 in exposure: the angle lies 4.4 degrees below that of the patient's skin under
/// white light (the exposures are dark on the average), standard deviation 8.2, 95 % within 18.6;
/// rank correlation with it 0.89, with the five skin types -0.88. Neighbouring types, 10 to 14
/// degrees apart, are often confused, those two steps apart rarely. Hair, ruler and bubbles do not
/// move the angle by more than 1 degree, a vignette lowers it by 2.5. What an image of a real
/// camera misses by is not known from this: no measured skin colours came with the images at hand.
struct ToneEstimate {
  bool measured = false;     ///< false: too little skin was found; the rest is NaN or 0
  double ita = 0;            ///< degrees, median over skin pixels
  double spread = 0;         ///< its standard error within the image, from blocks of pixels
  double error = 0;          ///< spread and ToneOptions::systematic_error together
  double skin_share = 0;     ///< skin pixels over all pixels
  double constant_ita = 0;   ///< the same after colour_constancy(): how much hangs on the light
  double cast = 0;           ///< degrees between the light (illuminant()) and grey
  bool colour_cast = false;  ///< the cast is stronger than that of skin under neutral light
  /// Probability of each group if the true angle is normal around `ita` with `error`.
  std::array<double, tone_groups> groups{};
};

/// Median ITA over skin_mask()'s skin (of the image at most 128 pixels a side). Throws
/// std::invalid_argument for an empty image, a negative error, a share outside [0, 1] or fewer than
/// 2 resamples.
ToneEstimate estimate_tone(const Image& image, const ToneOptions& options = {});

/// The probability of each group of an angle that is normal around `ita`; `error` above 0.
std::array<double, tone_groups> tone_group_probabilities(double ita, double error);

Json to_json(const ToneEstimate& estimate);

}  // namespace dermis
