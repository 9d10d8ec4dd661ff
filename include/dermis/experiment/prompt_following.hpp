#pragma once
/// \file
/// Whether drawn images show what their prompts ask for: rank correlations between the attributes
/// that were asked for and those that are measured (io/lesion_measures.hpp).

#include <optional>
#include <vector>

#include "dermis/data/captions.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/io/lesion_measures.hpp"
#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

/// Measures of an image inside the lesion that lesion_mask() finds, or none if it finds none that
/// can be measured.
std::optional<LesionMeasures> measured_lesion(const Image& image);
/// The same of uint8 images [N, 3, S, S].
std::vector<std::optional<LesionMeasures>> measured_lesions(const at::Tensor& images);
/// The same inside given masks, uint8 [N, S, S], 1 in the lesion (see MaskedSet).
std::vector<std::optional<LesionMeasures>> measured_lesions(const at::Tensor& images,
                                                            const at::Tensor& masks);

/// What one colour's prompts do.
struct ColourFollowing {
  std::string colour;
  std::int64_t asked = 0;  ///< prompts with it
  Interval correlation;    ///< of being asked for with the measured share; NaN: all or none ask
};

/// Spearman's correlations, each with its bootstrap interval (95 %) over images. Images without a
/// lesion that can be measured are left out.
struct PromptFollowing {
  std::int64_t images = 0, measured = 0;
  Interval asymmetry;  ///< asked axes with the mean shape asymmetry
  Interval border;     ///< asked outline with the irregularity
  Interval colour;     ///< mean over the colours that some prompts ask for and some do not
  std::vector<ColourFollowing> colours;
};

/// `asked` and `measured` of the same images, in the same order. Throws std::invalid_argument for
/// other numbers or fewer than three images.
PromptFollowing prompt_following(const std::vector<LesionDescription>& asked,
                                 const std::vector<std::optional<LesionMeasures>>& measured,
                                 const BootstrapOptions& options = {});

/// The control, in which prompts and images have nothing to do with each other: the same where
/// prompts change places, mean and middle 95 % over `shuffles` orders that `seed` draws. What lies
/// outside is no chance (a permutation test).
PromptFollowing shuffled_following(const std::vector<LesionDescription>& asked,
                                   const std::vector<std::optional<LesionMeasures>>& measured,
                                   std::uint64_t seed, std::int64_t shuffles = 1000);

/// images, measured, asymmetry, border, colour, colours{<name>: {asked, mean, lo, hi}}.
Json to_json(const PromptFollowing& following);

}  // namespace dermis
