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

/// The encoder of a file that save_mae or save_classifier wrote, or that was converted as
/// docs/weights.md shows. Throws std::runtime_error naming the file if it is neither.
Encoder load_encoder(const std::filesystem::path& path, at::Device device = at::kCPU);

}  // namespace dermis
