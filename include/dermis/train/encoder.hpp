#pragma once
/// \file
/// A pre-trained ViT encoder to start a classifier from, wherever its weights came from.

#include <filesystem>
#include <memory>

#include "dermis/data/pixels.hpp"
#include "dermis/models/vit.hpp"

namespace dermis {

/// Weights under timm's names, and the pixels that they are used to.
struct Encoder {
  std::shared_ptr<torch::nn::Module> module;  ///< a MAE or a ViT; null = none
  ViTOptions options;
  Normalization normalization;
};

/// The encoder of
/// - a file that save_mae or save_classifier wrote;
/// - a folder of transformers (ViT, ViTMAE) or timm: config.json and model.safetensors; the pixels
///   it is used to come from preprocessor_config.json or pretrained_cfg, else 0.5 and 0.5, for
///   ViTMAE ImageNet's;
/// - a safetensors file of facebookresearch/mae, or of timm, without config: sizes from the
/// tensors,
///   64 channels a head (width 1280: 80), ImageNet's mean and deviation.
/// Throws std::runtime_error naming the file if it is none of these, or what of it does not fit.
Encoder load_encoder(const std::filesystem::path& path, at::Device device = at::kCPU);

}  // namespace dermis
