#pragma once
/// \file
/// Masked-autoencoder pre-training, and how well the hidden patches are filled in.

#include "dermis/models/mae.hpp"
#include "dermis/train/encoder.hpp"
#include "dermis/train/stage.hpp"

namespace dermis {

struct PretrainingOptions {
  MAEOptions model;  ///< encoder.image_size is taken from the data
  StageSchedule training;
  AugmentOptions augment;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, PretrainingOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("training", o.training);
  visit("augment", o.augment);
}

/// A pre-trained MAE with the normalisation of its input.
struct PretrainedMAE {
  MAE model{nullptr};
  Normalization normalization;

  Encoder encoder() const { return {model.ptr(), model->options.encoder, normalization}; }
};

/// Pre-trains on images alone; labels are not read.
PretrainedMAE pretrain(const PixelSet& training, const Normalization& normalization,
                       PretrainingOptions options, const StageContext& context,
                       const std::string& name = "mae", TrainResult* result = nullptr);

/// Mean squared error on hidden patches, pixels in 0..1.
struct MaskedError {
  double model = 0;      ///< the decoder's prediction
  double mean_fill = 0;  ///< filling with the mean colour of the visible patches
  double reduction() const {
    return 1 - model / mean_fill;
  }  ///< share of the error of mean_fill that the model removes
};

/// Fills hidden patches of every image once (masks keyed by `seed`). A model with norm_pix_loss
/// predicts no brightness, so what is known of it, the visible patches' mean and deviation, is put
/// in.
MaskedError masked_error(const PretrainedMAE& mae, const at::Tensor& images, std::uint64_t seed);

/// What a person sees of an MAE: float images 0..1.
struct MaskedPictures {
  at::Tensor masked, reconstructed,
      original;  ///< [B, 3, S, S]; hidden patches are grey in `masked`
};
MaskedPictures masked_pictures(const PretrainedMAE& mae, const at::Tensor& images,
                               std::uint64_t seed);

void save_mae(const std::filesystem::path& path, const PretrainedMAE& mae);
PretrainedMAE load_mae(const std::filesystem::path& path, at::Device device = at::kCPU);

}  // namespace dermis
