#pragma once
/// \file
/// Shortcuts: what says nothing of the lesion and yet moves a classifier (hair, ruler, vignette,
/// gel; Bissoto et al., arXiv 2004.11457), and data sets in which such a thing goes with a class.

#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/data/pixels.hpp"
#include "dermis/io/artefacts.hpp"
#include "dermis/metrics/bootstrap.hpp"
#include "dermis/train/predict_function.hpp"

namespace dermis {

struct ShortcutOptions {
  BootstrapOptions bootstrap;
  std::uint64_t seed = 0;  ///< of what is drawn
  double alpha = 0.05;     ///< chance of any false pull over all artefacts and classes
  /// A smaller mean rise of a probability is reported but not found: any network is moved a little
  /// by what it has seldom seen.
  double least_pull = 0.1;
};

/// How much an artefact raises the probability of a class.
struct ClassPull {
  std::string name;    ///< of the class
  Interval drift;      ///< mean probability with less without; corrected for all pulls of a probe
  bool found = false;  ///< the drift is at least ShortcutOptions::least_pull, surely above 0
};

/// The same images with an artefact drawn onto each.
struct ArtefactEffect {
  Artefact artefact = Artefact::Hair;
  Interval balanced_accuracy;    ///< with it
  Interval change;               ///< of balanced accuracy, with less without; paired, by lesion
  double flips = 0;              ///< share of images whose prediction changes
  std::vector<ClassPull> pulls;  ///< of each class
};

struct ShortcutProbe {
  Interval balanced_accuracy;             ///< on the images as they are
  std::vector<ArtefactEffect> artefacts;  ///< as all_artefacts
  /// Images with the lesion painted over by skin (without_lesion): what is predicted then comes
  /// from around it.
  std::int64_t masked_images = 0;    ///< a lesion was found in so many
  Interval masked_accuracy;          ///< balanced, on these
  double chance = 0;                 ///< 1 / classes that these have
  bool masked_above_chance = false;  ///< the interval lies above chance
  bool found = false;                ///< any pull was
};

/// Probes a classifier with held-out images. An artefact that is in an image already adds little
/// there, so that a shortcut in data full of it shows as a smaller pull. Throws
/// std::invalid_argument without images, for probabilities of another shape, alpha outside (0, 0.5)
/// or a least pull below 0.
///
///     ShortcutProbe probe = shortcut_probe(predict_with(classifier), held_out);
ShortcutProbe shortcut_probe(const PredictFunction& predict, const PixelSet& held_out,
                             const ShortcutOptions& options = {});

/// The image with a box around its lesion (skin_mask, a tenth wider on each side) painted in the
/// skin's median colour; unchanged where no lesion, no skin or nothing but lesion is found. The
/// box's size and place remain to be seen.
Image without_lesion(const Image& image);

/// Whether an artefact goes with a class in a data set; no classifier is asked.
struct ArtefactLink {
  Artefact artefact = Artefact::Hair;
  std::string name;  ///< of the class
  /// Chance that the artefact's score is higher in a lesion of the class than in one of another
  /// (Mann-Whitney, ties count half): 0.5 no link, 1 in the class alone, 0 in all others. NaN for a
  /// class that is not tested.
  double auc = 0;
  double p = 1;        ///< by permutation of lesions, corrected for all links (max-statistic)
  bool found = false;  ///< p is below alpha and the effect large enough
};

struct ArtefactLinkOptions {
  double alpha = 0.05;
  double least_effect = 0.18;  ///< of |auc - 0.5|: lesions' own structures make smaller ones
  std::int64_t permutations = 1000;
  std::int64_t least_lesions = 8;  ///< a class is tested with so many
  std::uint64_t seed = 0;
};

/// artefact_scores() of every image: [N, 4], columns as all_artefacts.
Eigen::MatrixXd artefact_scores(const PixelSet& set);

/// All pairs of an artefact and a class. Views of a lesion count once, by their mean score (NaN
/// left out). Throws std::invalid_argument for unequal lengths, labels outside `classes`, a matrix
/// without 4 columns, alpha outside (0, 1).
std::vector<ArtefactLink> artefact_links(const Eigen::MatrixXd& scores,
                                         const std::vector<int>& labels,
                                         const std::vector<std::string>& lesions,
                                         const std::vector<std::string>& classes,
                                         const ArtefactLinkOptions& options = {});
std::vector<ArtefactLink> artefact_links(const PixelSet& set,
                                         const ArtefactLinkOptions& options = {});

Json to_json(const ShortcutProbe& probe);
Json to_json(const std::vector<ArtefactLink>& links);

}  // namespace dermis
