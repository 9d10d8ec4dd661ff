#pragma once
/// \file
/// One training among several that are compared.

#include "dermis/train/classifier.hpp"

namespace dermis::detail {

/// Trains a classifier as a stage below context.out/`arm`. The stage has the same name in every
/// arm, and hence the same first weights and the same random streams: what differs is the data.
inline Classifier train_arm(const PixelSet& training, const Normalization& normalization,
                            const ClassifierOptions& options, StageContext context,
                            const std::string& arm, const Encoder& encoder) {
  if (!context.out.empty()) context.out /= arm;
  return train_classifier(training, normalization, options, context, "classifier", nullptr,
                          encoder);
}

}  // namespace dermis::detail
