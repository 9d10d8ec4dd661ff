#pragma once
/// \file
/// Linear probing: how much a pre-trained encoder knows, read off by one linear layer.

#include <torch/nn/modules/batchnorm.h>

#include "dermis/train/classifier.hpp"

namespace dermis {

struct LinearProbeOptions {
  StageSchedule training = {.weight_decay = 0};
  AugmentOptions augment;
  bool class_balanced = true;  ///< every class is drawn equally often
  bool mean_pooling = false;   ///< false: the class token, as MAE's authors probe
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, LinearProbeOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("training", o.training);
  visit("augment", o.augment);
  visit("class_balanced", o.class_balanced);
  visit("mean_pooling", o.mean_pooling);
}

/// Trains a batch norm without affine parameters (eps 1e-6) and a linear layer on the frozen
/// encoder's feature (MAE, arXiv 2111.06377 appendix A.1; AdamW here, LARS there, whose batches of
/// 16,384 have no use on small data). The norm is then folded into the layer, which changes no
/// answer, so that the result is a plain classifier.
Classifier train_linear_probe(const PixelSet& training, const Encoder& encoder,
                              const LinearProbeOptions& options, const StageContext& context,
                              const std::string& name = "linear_probe",
                              TrainResult* result = nullptr);

/// Changes `layer` so that alone it answers as layer(norm(x)) does in eval mode: W / s and
/// b - W m / s with the running mean m and deviation s. `norm` has no affine parameters.
void fold_batch_norm(const torch::nn::BatchNorm1d& norm, Linear layer);

}  // namespace dermis
