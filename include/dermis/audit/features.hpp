#pragma once
/// \file
/// What images are compared by: what a network makes of them, or statistics that a codec or a
/// decoder leaves its mark in.

#include <ATen/core/Tensor.h>

#include <Eigen/Core>
#include <functional>

#include "dermis/train/classifier.hpp"

namespace dermis {

/// Features [N, D] of uint8 images [N, 3, S, S].
using FeatureFunction = std::function<Eigen::MatrixXd(const at::Tensor& images)>;

/// What the classifier's head sees.
FeatureFunction classifier_features(const Classifier& classifier);

/// The mean of the patch tokens behind the encoder's last norm. For a masked autoencoder, whose
/// class token no loss has trained. Images must have the encoder's size. Throws
/// std::invalid_argument without a module.
FeatureFunction patch_features(const Encoder& encoder);

/// `features` less their mean over `reference`, over their deviation there: distances then weigh
/// every feature alike. A feature that is constant over `reference` becomes 0. Give it real
/// training images, the same for all sets to be compared. Throws std::invalid_argument for fewer
/// than 2 images.
FeatureFunction standardised(FeatureFunction features, const at::Tensor& reference);

/// 20 statistics that compression and upsampling change and that hardly know a lesion: the log
/// shares of four octave-like bands of luma and of chroma in the spectrum, the steps across the
/// edges of 8 x 8 blocks (JPEG's, counted from the corner) over those elsewhere along rows and
/// columns, the mean, deviation and skewness of R, G and B, and the share of clipped values. Throws
/// std::invalid_argument unless the images are uint8 [N, 3, S, S] of at least 16 pixels a side.
Eigen::MatrixXd codec_features(const at::Tensor& images);

}  // namespace dermis
