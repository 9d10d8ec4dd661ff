#pragma once
/// \file
/// A classifier as a function from images to probabilities: what asks a model without knowing what
/// it is made of.

#include <Eigen/Core>
#include <functional>

#include "dermis/train/resnet_classifier.hpp"

namespace dermis {

/// Class probabilities [N, C] of uint8 images [N, 3, S, S].
using PredictFunction = std::function<Eigen::MatrixXd(const at::Tensor& images)>;

/// predict_probabilities() of `classifier`, which must outlive the function.
PredictFunction predict_with(const Classifier& classifier);
PredictFunction predict_with(const ResNetClassifier& classifier);

}  // namespace dermis
