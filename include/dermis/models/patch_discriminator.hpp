#pragma once
/// \file
/// The patch discriminator of adversarial autoencoders (pix2pix, arXiv 1611.07004 section 3.2; as
/// latent diffusion uses it) and its hinge loss (arXiv 1705.02894).

#include <algorithm>
#include <concepts>
#include <type_traits>

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>

#include "dermis/layers/conv.hpp"

namespace dermis {

/// Sizes of a PatchDiscriminator.
struct PatchDiscriminatorOptions {
  std::int64_t in_channels = 3;  ///< colours of the image
  std::int64_t channels = 64;    ///< of the first convolution; doubled by each layer, up to 8 times
  std::int64_t layers = 3;       ///< convolutions that halve the grid; 3: patches of 70 pixels

  /// Smallest side of an image, pixels.
  std::int64_t minimum_side() const { return std::int64_t{3} << layers; }
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, PatchDiscriminatorOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("in_channels", o.in_channels);
  visit("channels", o.channels);
  visit("layers", o.layers);
}

/// Judges overlapping patches of an image; float, on a device with storage (LibTorch's batch norm
/// cannot be made on the meta device). Names, layers and first values are taming-transformers'
/// NLayerDiscriminator: convolutions N(0, 0.02), batch norms N(1, 0.02) and 0.
/// forward: images [B, C, H, W] in -1..1 -> logits [B, 1, H / 2^layers - 2, W / 2^layers - 2],
/// above 0 for what looks real.
class PatchDiscriminatorImpl : public torch::nn::Cloneable<PatchDiscriminatorImpl> {
 public:
  explicit PatchDiscriminatorImpl(const PatchDiscriminatorOptions& options_ = {},
                                  const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    check_argument(options.in_channels > 0 && options.channels > 0 && options.layers > 0 &&
                       options.layers < 16,
                   "[discriminator] expected positive channels and 1 to 15 layers, got ",
                   options.in_channels, " -> ", options.channels, " channels and ", options.layers,
                   " layers");
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    main = register_module("main", torch::nn::ModuleList());
    auto width = options.channels;
    convolution(options.in_channels, width, /*stride=*/2, /*bias=*/true);
    main->push_back(rectifier());
    for (std::int64_t layer = 1; layer <= options.layers; ++layer) {
      const auto next = options.channels * std::min<std::int64_t>(std::int64_t{1} << layer, 8);
      convolution(width, next, layer < options.layers ? 2 : 1, /*bias=*/false);  // the norm has one
      batch_norm(next);
      main->push_back(rectifier());
      width = next;
    }
    convolution(width, 1, /*stride=*/1, /*bias=*/true);
  }

  at::Tensor forward(const at::Tensor& images) {
    const auto least = options.minimum_side();
    check_argument(images.dim() == 4 && images.size(1) == options.in_channels &&
                       images.size(2) >= least && images.size(3) >= least,
                   "[discriminator] expected images of shape [B, ", options.in_channels,
                   ", H, W] with H and W of at least ", least, " for ", options.layers,
                   " layers, got ", shape_text(images));
    auto x = images;
    for (const auto& module : *main) {
      if (auto* conv = module->as<Conv2dImpl>()) {
        x = conv->forward(x);
      } else if (auto* norm = module->as<torch::nn::BatchNorm2dImpl>()) {
        x = norm->forward(x);
      } else {
        x = module->as<torch::nn::LeakyReLUImpl>()->forward(x);
      }
    }
    return x;
  }

  PatchDiscriminatorOptions options;
  torch::nn::ModuleList main = nullptr;  ///< Conv2d, BatchNorm2d and LeakyReLU

 private:
  static torch::nn::LeakyReLU rectifier() {
    return torch::nn::LeakyReLU(torch::nn::LeakyReLUOptions().negative_slope(0.2));
  }
  void convolution(std::int64_t in, std::int64_t out, std::int64_t stride, bool bias) {
    const Conv2d conv(Conv2dOptions{.in_channels = in,
                                    .out_channels = out,
                                    .kernel = 4,
                                    .stride = stride,
                                    .padding = 1,
                                    .bias = bias},
                      parameter_options_);
    main->push_back(conv);
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    conv->weight.normal_(0, 0.02, parameter_options_.generator);
  }
  void batch_norm(std::int64_t channels) {
    torch::nn::BatchNorm2d norm(channels);
    norm->to(parameter_options_.device);
    main->push_back(norm);
    if (!parameter_options_.draws()) return;
    torch::NoGradGuard no_grad;
    norm->weight.normal_(1, 0.02, parameter_options_.generator);
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(PatchDiscriminator);

/// What the discriminator minimises: 0.5 (mean max(0, 1 - real) + mean max(0, 1 + fake)), in float.
inline at::Tensor hinge_discriminator_loss(const at::Tensor& real_logits,
                                           const at::Tensor& fake_logits) {
  return 0.5 * (at::relu(1 - real_logits.to(at::kFloat)).mean() +
                at::relu(1 + fake_logits.to(at::kFloat)).mean());
}

/// What the autoencoder minimises: -mean fake.
inline at::Tensor hinge_generator_loss(const at::Tensor& fake_logits) {
  return -fake_logits.to(at::kFloat).mean();
}

}  // namespace dermis
