#pragma once
/// \file
/// What a classifier learns from synthetic images alone that holds for real ones (train on
/// synthetic, test on real: Esteban et al., arXiv 1706.02633), and the reverse.

#include <cstdint>
#include <vector>

#include "dermis/train/classifier.hpp"

namespace dermis {

struct TransferAudit {
  Evaluation real_to_real;       ///< trained on real, tested on real images
  Evaluation synthetic_to_real;  ///< TSTR
  Evaluation real_to_synthetic;  ///< TRTS: the first arm's classifier on the synthetic images
  Interval loss;  ///< balanced accuracy on the real test part, real less synthetic training; paired
                  ///< by lesion
  std::vector<std::int64_t> real_images, synthetic_images;  ///< of each class, trained on
};

/// Trains both arms with the same options, steps, first weights and order of draws, as stages below
/// out/transfer_real and out/transfer_synthetic (finished ones are loaded on resume). Pixels are
/// normalised by the real training images in both; `real_share` plays no part, since an arm holds
/// one kind of image. For a comparison at equal numbers give sets of equal numbers
/// (equal_class_rows). \param test  real images that neither generator nor `encoder` has seen
///
/// Throws std::invalid_argument where a set holds the wrong kind of image, classes differ, or a
/// class of `real` has no image in `synthetic`.
TransferAudit transfer_audit(const PixelSet& real, const PixelSet& synthetic, const PixelSet& test,
                             const ClassifierOptions& options, const StageContext& context,
                             const Encoder& encoder = {});

/// real_to_real, synthetic_to_real, real_to_synthetic (Evaluations), loss{mean, lo, hi},
/// images{real, synthetic} by class.
Json to_json(const TransferAudit& audit);

}  // namespace dermis
