#pragma once
/// \file
/// Whether synthetic images show the class they were asked for, by a classifier that has seen real
/// images alone.

#include <vector>

#include "dermis/train/classifier.hpp"

namespace dermis {

/// What the judge says of images against the class they are meant to be.
struct ClassFidelity {
  Evaluation evaluation;           ///< labels are the intended classes
  std::vector<Interval> accuracy;  ///< of each class, bootstrapped; NaN without images
  std::vector<double> intended;    ///< mean probability of the intended class; NaN likewise
  double confidence = 0;           ///< mean probability of whatever the judge names
};

/// Judges `synthetic`; call it on held-out real images too, for what the judge can do at all: a
/// class that it misses there says nothing about the generator. \param judge  trained on real
/// images only, with the set's classes in the set's order (else std::invalid_argument)
ClassFidelity class_fidelity(const Classifier& judge, const PixelSet& synthetic,
                             const BootstrapOptions& bootstrap = {});

/// to_json(Evaluation) with images{<class>}, accuracy_by_class{<class>: mean, lo, hi},
/// intended_probability{<class>} and mean_confidence.
Json to_json(const ClassFidelity& fidelity);

}  // namespace dermis
