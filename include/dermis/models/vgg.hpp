#pragma once
/// \file
/// The convolutions of VGG-16 (arXiv 1409.1556, configuration D) for perceptual distances; the
/// state dict has torchvision's names.

#include <array>
#include <vector>

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/pooling.h>

#include "dermis/layers/conv.hpp"

namespace dermis {

/// Widths of a VGG16Features. The published network's are the default: 14,714,688 parameters.
struct VGG16Options {
  std::array<std::int64_t, 5> channels = {64, 128, 256, 512, 512};  ///< of each stage
};

/// 3x3 convolutions with ReLU in five stages of 2, 2, 3, 3, 3, each stage at half the resolution of
/// the one before. What follows the last ReLU in torchvision (pooling, classifier) is left out.
/// forward: images [B, 3, H, W] -> five maps [B, channels[i], H / 2^i, W / 2^i], each after the
/// last ReLU of its stage (relu1_2, relu2_2, relu3_3, relu4_3, relu5_3).
class VGG16FeaturesImpl : public torch::nn::Cloneable<VGG16FeaturesImpl> {
 public:
  explicit VGG16FeaturesImpl(const VGG16Options& options_ = {},
                             const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  /// Convolutions of each stage.
  static constexpr std::array<std::int64_t, 5> stages = {2, 2, 3, 3, 3};

  void reset() override {
    features = register_module("features", torch::nn::ModuleList());
    std::int64_t width = 3;
    for (std::size_t stage = 0; stage < stages.size(); ++stage) {
      if (stage > 0)
        features->push_back(torch::nn::MaxPool2d(torch::nn::MaxPool2dOptions(2).stride(2)));
      for (std::int64_t i = 0; i < stages[stage]; ++i) {
        features->push_back(Conv2d(Conv2dOptions{.in_channels = width,
                                                 .out_channels = options.channels[stage],
                                                 .kernel = 3,
                                                 .padding = 1},
                                   parameter_options_));
        features->push_back(torch::nn::ReLU());
        width = options.channels[stage];
      }
    }
  }

  std::vector<at::Tensor> forward(const at::Tensor& images) {
    check_argument(
        images.dim() == 4 && images.size(1) == 3 && images.size(2) >= 16 && images.size(3) >= 16,
        "[vgg] expected images of shape [B, 3, H, W] with H and W of at least 16, got ",
        shape_text(images));
    std::vector<at::Tensor> maps;
    auto x = images;
    for (const auto& module : *features) {
      if (auto* conv = module->as<Conv2dImpl>()) {
        x = conv->forward(x);
      } else if (auto* pool = module->as<torch::nn::MaxPool2dImpl>()) {
        maps.push_back(x);
        x = pool->forward(x);
      } else {
        x = module->as<torch::nn::ReLUImpl>()->forward(x);
      }
    }
    maps.push_back(x);
    return maps;
  }

  VGG16Options options;
  torch::nn::ModuleList features = nullptr;  ///< Conv2d, ReLU and MaxPool2d

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(VGG16Features);

}  // namespace dermis
