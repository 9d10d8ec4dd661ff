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

/// Throws std::invalid_argument, naming the first image, unless all images of `set` are synthetic,
/// or none is.
inline void check_synthetic(const PixelSet& set, bool synthetic, const char* tag,
                            const char* what) {
  for (const auto& sample : set.samples)
    check_argument(sample.synthetic == synthetic, "[", tag, "] expected ", what, " of ",
                   synthetic ? "synthetic" : "real", " images only, got ",
                   synthetic ? "real " : "synthetic ", sample.id);
}

}  // namespace dermis::detail
