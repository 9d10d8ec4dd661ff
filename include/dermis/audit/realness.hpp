#pragma once
/// \file
/// Whether anything gives synthetic images away. What a linear probe finds, a classifier that is
/// trained on both can find too, and where classes hold unequal shares of synthetic images it will
/// take that for the class.

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/audit/features.hpp"
#include "dermis/metrics/bootstrap.hpp"

namespace dermis {

struct RealnessOptions {
  std::int64_t folds = 5;
  std::int64_t minimum_images = 20;  ///< of a class on either side; below it the class is left out
  double l2 = 1e-2;                  ///< of the logistic regression
  BootstrapOptions bootstrap = {};
  std::uint64_t seed = 0;  ///< of which images are compared, and of the folds
};

/// A set of features to probe, and what it is called.
struct NamedFeatures {
  std::string name;
  FeatureFunction features;
};

/// What one set of features tells.
struct RealnessProbe {
  std::string name;
  Interval auc;  ///< mean over classes of the AUC within a class; 0.5 = nothing tells, 1 = always
  std::vector<double> class_auc;  ///< [C]; NaN for a class that was left out

  /// The interval lies above chance.
  bool tells() const { return auc.lo > 0.5; }
};

struct RealnessAudit {
  std::vector<std::string> classes;
  std::vector<std::int64_t> n;  ///< images of each class on either side; 0: left out
  std::vector<RealnessProbe> probes;
};

/// For each set of features: a logistic regression of "synthetic" on equally many real and
/// synthetic images of each class, cross-validated so that no lesion or patient is in two folds,
/// judged by the AUC within classes (pairs of a real and a synthetic image of the same class), so
/// that class cannot give it away. The interval is bootstrapped by lesion over the out-of-fold
/// scores and widened by sqrt(1 + k / (k - 1)) for k folds, since their classifiers share training
/// images (Nadeau and Bengio, "Inference for the generalization error", 2003, whose variance is
/// 1 / k + 1 / (k - 1) in place of 1 / k): without it, 95 % intervals missed 0.5 in 15 % of 600
/// comparisons of equal distributions, with it in 4 % of 900.
///
///     realness_probe(train, synthetic, {{"encoder", classifier_features(judge)},
///                                       {"codec", codec_features}});
///
/// Throws std::invalid_argument for folds below 2, unequal classes, the wrong kind of images, no
/// features, or no class with enough images and lesions.
RealnessAudit realness_probe(const PixelSet& real, const PixelSet& synthetic,
                             const std::vector<NamedFeatures>& features,
                             const RealnessOptions& options = {});

/// images_a_side{<class>}, probes{<name>: auc{mean, lo, hi}, auc_by_class{<class>}, tells},
/// told_by: the names of the probes that tell.
Json to_json(const RealnessAudit& audit);

}  // namespace dermis
