#pragma once
/// \file
/// Captions for training a text-to-image model: what an image shows, in the order in which
/// dermatologists look (asymmetry, border, colours, structures), from the phantom's truth or from
/// measurements. Wording for a model to learn from, not a finding.

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/data/phantom.hpp"
#include "dermis/io/lesion_measures.hpp"

namespace dermis {

/// Whether actinic keratosis, a precursor of cancer, counts as malignant: the challenges that have
/// it put it on either side.
struct MalignancyOptions {
  bool actinic_keratosis = false;
};

/// Whether a class of ISIC's lists is malignant: MEL, BCC, SCC and AK as the options say; not NV,
/// BKL, DF, VASC. Also by HAM10000's codes, in words ("basal cell carcinoma",
/// "seborrheic_keratosis") and "benign" or "malignant" themselves; upper and lower case are the
/// same. Another class is std::runtime_error that lists those known.
bool is_malignant(const std::string& class_name, const MalignancyOptions& options = {});

enum class BorderOutline { Even, SlightlyUneven, Uneven };
enum class BorderEdge { Fading, Partial, Abrupt };

/// What a caption says.
struct LesionDescription {
  bool malignant = false;
  int asymmetric_axes = 0;  ///< of the two principal axes, 0 .. 2
  BorderOutline outline = BorderOutline::Even;
  BorderEdge edge = BorderEdge::Partial;
  std::vector<std::string> colours;     ///< "dark brown", most of it first
  double diameter_mm = 0;               ///< 0 = unknown
  double area_share = 0;                ///< of the image; 0 = unknown
  std::vector<std::string> structures;  ///< "a regular pigment network"; none: nothing is said
};

/// From the phantom's truth: all of it is known but the area.
LesionDescription describe(const PhantomAttributes& truth, bool malignant);

/// Where measurements become words. The defaults lie between the phantom's lesions whose truth
/// differs (0, 1 and 2 asymmetric axes, even and uneven outlines) and what 93 masks of ISIC 2017,
/// drawn by hand, have.
struct DescriptionOptions {
  double shape_asymmetry = 0.07;   ///< an axis above is asymmetric
  double colour_asymmetry = 18;    ///< or above this, CIELAB
  double slightly_uneven = 0.045;  ///< LesionMeasures::irregularity
  double uneven = 0.09;
  double partial_edge = 0.45;  ///< LesionMeasures::abruptness
  double abrupt_edge = 0.62;
};

/// From measurements; structures are not measured.
LesionDescription describe(const LesionMeasures& measures, bool malignant,
                           const DescriptionOptions& options = {});

struct CaptionOptions {
  std::uint64_t seed = 0;  ///< of the wordings
  /// The opening of DermaFlux's prompts (arXiv 2603.16392); off: the description alone.
  bool opening = true;
};

/// "This photo depicts a benign lesion. Here's a description of the mole: ..." and three to five
/// sentences, some 50 to 90 words. The wording is one of several, by (seed, index) alone. Throws
/// std::invalid_argument for axes outside 0 .. 2 or no colours.
std::string caption(const LesionDescription& description, std::uint64_t index,
                    const CaptionOptions& options = {});

}  // namespace dermis
