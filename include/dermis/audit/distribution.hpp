#pragma once
/// \file
/// How near synthetic images are to real ones that no training saw, class by class, and how near
/// real ones are to each other.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dermis/audit/features.hpp"
#include "dermis/metrics/generation.hpp"
#include "dermis/metrics/manifold.hpp"

namespace dermis {

struct DistributionOptions {
  std::int64_t minimum_images = 20;   ///< a side; below it a class has no figures
  std::int64_t minimum_for_fid = 0;   ///< a side; 0: more than the features are wide, below which a
                                      ///< covariance has no full rank
  std::int64_t neighbours = 5;        ///< k of precision, recall, density and coverage
  KernelDistanceOptions kernel = {};  ///< KID: subsets, level and seed
  std::uint64_t seed = 0;             ///< of which images are compared
};

/// Distance of one set from the held-out real images. A figure that too few images allow is absent.
struct DistributionFigures {
  std::optional<Interval> kid;
  std::optional<double> fid;
  std::optional<ManifoldMetrics> manifold;
};

/// One class, or all of them together.
struct ClassDistribution {
  std::string name;                                               ///< of the class; "all"
  std::int64_t real_train = 0, real_held_out = 0, synthetic = 0;  ///< images there are
  std::int64_t n = 0;                     ///< images compared, equally many of each set
  DistributionFigures synthetic_figures;  ///< synthetic against held-out real
  DistributionFigures floor;  ///< training real against held-out real: what a perfect generator
                              ///< would reach at this n
  std::string missing;        ///< why figures are absent; empty if none is
};

struct DistributionAudit {
  std::int64_t neighbours = 0;
  std::int64_t feature_width = 0;
  ClassDistribution all;  ///< equally many images of each class in every set
  std::vector<ClassDistribution> classes;
};

/// Compares on equally many images of each class in all three sets, because FID, precision, recall,
/// density and coverage depend on their number. `features` are standardised by the real training
/// images. They should come from an encoder that was not trained on one of the sets alone: one that
/// knows the training images well tells them from held-out ones, and the floor shows it. Throws
/// std::invalid_argument unless the classes agree, images are of the kind they should be,
/// minimum_images is above `neighbours` and at least 4, and some class is in all three sets.
DistributionAudit distribution_audit(const PixelSet& real_train, const PixelSet& real_held_out,
                                     const PixelSet& synthetic, const FeatureFunction& features,
                                     const DistributionOptions& options = {});

/// neighbours, feature_width, all{...}, classes{<name>: images{real_train, real_held_out,
/// synthetic}, n, synthetic{kid, fid, precision, recall, density, coverage}, floor{the same},
/// missing}; what is absent is null.
Json to_json(const DistributionAudit& audit);

}  // namespace dermis
