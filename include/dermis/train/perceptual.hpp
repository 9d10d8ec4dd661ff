#pragma once
/// \file
/// How far apart two images are in the eyes of a network: the perceptual term of the first stage.

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <vector>

#include "dermis/train/encoder.hpp"

namespace dermis {

/// Feature maps of any network: images [B, 3, H, W] in -1..1 -> one [B, C, h, w] a layer. Gradients
/// flow through it into the images, but into no weight of the network's.
using FeatureMaps = std::function<std::vector<at::Tensor>(const at::Tensor& images)>;

/// Feature maps, and how much each of their channels counts.
struct PerceptualFeatures {
  PerceptualFeatures(FeatureMaps maps_ = {}, std::vector<at::Tensor> weights_ = {})
      : maps(std::move(maps_)), weights(std::move(weights_)) {}

  FeatureMaps maps;                 ///< empty: none
  std::vector<at::Tensor> weights;  ///< of each map [C]; empty: all 1
};

/// LPIPS' form (arXiv 1801.03924 eq. 1) between maps of the same images: each place's vector over
/// the channels is scaled to unit length, then squared differences, times `weights`, are summed
/// over channels, averaged over places and summed over layers: [B], float.
/// \throws std::invalid_argument unless the maps agree in number and shape, and the weights, if
///         any, with the maps
at::Tensor perceptual_distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b,
                               const std::vector<at::Tensor>& weights = {});

/// The same between images [B, 3, H, W] in -1..1. No gradient flows into `target`.
at::Tensor perceptual_distance(const PerceptualFeatures& features, const at::Tensor& images,
                               const at::Tensor& target);

/// Hidden states of an encoder (a MAE without a mask, or a ViT), put on the grid of its patches.
/// The maps keep a frozen copy of the encoder on its device; images of another size than the
/// encoder's are resized (bilinear, antialiased).
/// \param blocks  whose outputs, counted from 1, ascending; empty: those after a quarter, half,
///                three quarters and all of the depth
/// \throws std::invalid_argument for an empty encoder or a block that it does not have
FeatureMaps feature_maps(const Encoder& encoder, std::vector<std::int64_t> blocks = {});

/// LPIPS with VGG-16 (arXiv 1801.03924, version 0.1) from a safetensors file that holds the
/// network, as torchvision ("features.0.weight") or lpips ("net.slice1.0.weight") name it, and the
/// channel weights as lpips names them ("lin0.model.1.weight" .. "lin4.model.1.weight").
/// \throws std::runtime_error naming the file and what is missing, unexpected or of another shape
PerceptualFeatures load_lpips(const std::filesystem::path& path, at::Device device = at::kCPU);

}  // namespace dermis
