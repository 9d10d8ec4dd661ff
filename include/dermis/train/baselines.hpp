#pragma once
/// \file
/// Trivial baselines that a network has to beat: logistic regression on tiny pictures, on colours,
/// on the image's size.

#include "dermis/train/classifier.hpp"

namespace dermis {

/// Side x side RGB thumbnails, 0..1: [N, 3 side side].
Eigen::MatrixXd thumbnail_features(const PixelSet& set, std::int64_t side = 16);
/// Marginal histograms of R, G and B with `bins` bins each, as shares: [N, 3 bins].
Eigen::MatrixXd colour_features(const PixelSet& set, std::int64_t bins = 16);
/// Width, height, aspect ratio and area before any crop: [N, 4]. Where the data come from several
/// sources this alone can tell classes.
Eigen::MatrixXd size_features(const PixelSet& set);

/// A baseline with its regularisation chosen on the validation part.
struct Baseline {
  std::string name;       ///< thumbnail_16, colour_histogram or image_size
  double l2 = 0;          ///< chosen from 1e-3 .. 1
  Evaluation evaluation;  ///< on the test part
};

/// Fits class-balanced logistic regressions on `training`, picks l2 by balanced accuracy on
/// `validation`, evaluates on `test`. Where all images have one size, the size baseline is at
/// chance: that it is there says so.
std::vector<Baseline> trivial_baselines(const PixelSet& training, const PixelSet& validation,
                                        const PixelSet& test);

/// The one of the highest balanced accuracy, the first of equals. None is std::invalid_argument.
const Baseline& best_baseline(const std::vector<Baseline>& baselines);

}  // namespace dermis
