#pragma once
/// \file
/// Residual network (arXiv 1512.03385) as torchvision and timm build it, with the stride of a
/// bottleneck in its 3x3 convolution ("v1.5"). The state dict has their names, so that published
/// files load. Not to be confused with the residual blocks of the UNet (layers/resnet.hpp).

#include <torch/nn/modules/container/modulelist.h>

#include <cmath>
#include <concepts>
#include <cstdlib>
#include <type_traits>
#include <vector>

#include "dermis/layers/batch_norm.hpp"
#include "dermis/layers/conv.hpp"
#include "dermis/layers/linear.hpp"

namespace dermis {

/// Sizes of a ResNet.
struct ResNetOptions {
  std::int64_t image_size = 224;  ///< side of the images it is meant for; forward takes others too
  std::int64_t in_channels = 3;
  std::vector<std::int64_t> widths = {64, 128, 256, 512};  ///< channels of each stage's 3x3
                                                           ///< convolutions; the map halves between
  std::vector<std::int64_t> depths = {2, 2, 2, 2};         ///< blocks of each stage
  bool bottleneck = false;  ///< 1x1, 3x3, 1x1 with four times the width outside; else 3x3, 3x3
  bool small_stem = false;  ///< a 3x3 convolution of stride 1 without pooling, for small images
                            ///< (section 4.2); else 7x7 of stride 2 and pooling: a quarter the side
  bool zero_init = true;    ///< blocks start as their shortcut (arXiv 1706.02677 section 5.1)
  std::int64_t num_classes = 0;  ///< logits; 0: no head, forward() returns the pooled feature

  std::int64_t expansion() const { return bottleneck ? 4 : 1; }
  std::int64_t features() const { return widths.back() * expansion(); }  ///< channels at the end
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ResNetOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("image_size", o.image_size);
  visit("in_channels", o.in_channels);
  visit("widths", o.widths);
  visit("depths", o.depths);
  visit("bottleneck", o.bottleneck);
  visit("small_stem", o.small_stem);
  visit("zero_init", o.zero_init);
  visit("num_classes", o.num_classes);
}

/// Throws std::invalid_argument naming the first option that cannot be.
inline void validate(const ResNetOptions& o) {
  check_argument(o.image_size > 0 && o.in_channels > 0 && o.num_classes >= 0,
                 "[resnet] expected positive image_size and in_channels and num_classes of at "
                 "least 0, got ",
                 o.image_size, ", ", o.in_channels, " and ", o.num_classes);
  check_argument(!o.widths.empty() && o.widths.size() == o.depths.size(),
                 "[resnet] expected as many widths as depths and at least 1, got ", o.widths.size(),
                 " and ", o.depths.size());
  for (std::size_t i = 0; i < o.widths.size(); ++i)
    check_argument(o.widths[i] > 0 && o.depths[i] > 0,
                   "[resnet] expected positive widths and depths, got ", o.widths[i], " and ",
                   o.depths[i], " in stage ", i + 1);
}

inline ResNetOptions resnet18() {
  return {};
}
inline ResNetOptions resnet34() {
  return {.depths = {3, 4, 6, 3}};
}
inline ResNetOptions resnet50() {
  return {.depths = {3, 4, 6, 3}, .bottleneck = true};
}

/// A block: relu(shortcut(x) + f(x)), f two or (bottleneck) three convolutions, each with its batch
/// norm, ReLU between. The shortcut is x, or where the shape changes a 1x1 convolution and a batch
/// norm. forward: x [B, in, H, W] -> [B, width * expansion, H / stride, W / stride].
class ResNetBlockImpl : public torch::nn::Cloneable<ResNetBlockImpl> {
 public:
  ResNetBlockImpl(std::int64_t in, std::int64_t width, std::int64_t stride,
                  const ResNetOptions& options, const ParameterOptions& parameters = {})
      : in_(in), width_(width), stride_(stride), options_(options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const bool three = options_.bottleneck;
    const auto out = width_ * options_.expansion();
    conv1 = register_module("conv1", convolution(in_, width_, three ? 1 : 3, three ? 1 : stride_));
    bn1 = register_module("bn1", norm(width_));
    conv2 = register_module("conv2", convolution(width_, width_, 3, three ? stride_ : 1));
    bn2 = register_module("bn2", norm(width_));
    if (three) {
      conv3 = register_module("conv3", convolution(width_, out, 1, 1));
      bn3 = register_module("bn3", norm(out));
    }
    if (stride_ != 1 || in_ != out) {
      downsample = register_module("downsample", torch::nn::ModuleList());
      downsample->push_back(convolution(in_, out, 1, stride_));
      downsample->push_back(norm(out));
    }
    if (!parameter_options_.draws() || !options_.zero_init) return;
    torch::NoGradGuard no_grad;
    (three ? bn3 : bn2)->weight.zero_();
  }

  at::Tensor forward(const at::Tensor& x) {
    auto y = at::relu(bn1->forward(conv1->forward(x)));
    y = bn2->forward(conv2->forward(y));
    if (conv3) y = bn3->forward(conv3->forward(at::relu(y)));
    auto shortcut = x;
    if (downsample)
      shortcut =
          downsample[1]->as<BatchNormImpl>()->forward(downsample[0]->as<Conv2dImpl>()->forward(x));
    return observed(*this, at::relu(y + shortcut));
  }

  Conv2d conv1{nullptr}, conv2{nullptr}, conv3{nullptr};  ///< conv3: bottleneck only
  BatchNorm bn1{nullptr}, bn2{nullptr}, bn3{nullptr};
  torch::nn::ModuleList downsample{nullptr};  ///< Conv2d, BatchNorm; empty where x passes unchanged

 private:
  Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    return Conv2d(Conv2dOptions{.in_channels = in,
                                .out_channels = out,
                                .kernel = kernel,
                                .stride = stride,
                                .padding = kernel / 2,
                                .bias = false},
                  parameter_options_);
  }
  BatchNorm norm(std::int64_t channels) {
    return BatchNorm(channels, 1e-5, 0.1, parameter_options_);
  }

  std::int64_t in_, width_, stride_;
  ResNetOptions options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(ResNetBlock);

/// Residual network.
/// forward: images [B, C, H, W] -> logits [B, num_classes], or the pooled feature [B, features()]
/// without a head. In evaluation it writes to no member.
///
///     ResNet resnet(ResNetOptions{.image_size = 64, .widths = {16, 32, 64, 128},
///                                 .small_stem = true, .num_classes = 8});
class ResNetImpl : public torch::nn::Cloneable<ResNetImpl> {
 public:
  explicit ResNetImpl(const ResNetOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    validate(options);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    const std::int64_t kernel = o.small_stem ? 3 : 7;
    conv1 = register_module("conv1", Conv2d(Conv2dOptions{.in_channels = o.in_channels,
                                                          .out_channels = o.widths[0],
                                                          .kernel = kernel,
                                                          .stride = o.small_stem ? 1 : 2,
                                                          .padding = kernel / 2,
                                                          .bias = false},
                                            parameter_options_));
    bn1 = register_module("bn1", BatchNorm(o.widths[0], 1e-5, 0.1, parameter_options_));
    stages.clear();
    auto in = o.widths[0];
    for (std::size_t s = 0; s < o.widths.size(); ++s) {
      stages.push_back(register_module(text("layer", s + 1), torch::nn::ModuleList()));
      for (std::int64_t i = 0; i < o.depths[s]; ++i) {
        stages.back()->push_back(
            ResNetBlock(in, o.widths[s], s > 0 && i == 0 ? 2 : 1, o, parameter_options_));
        in = o.widths[s] * o.expansion();
      }
    }
    if (o.num_classes > 0)
      fc = register_module("fc", Linear(in, o.num_classes, true, parameter_options_));
    if (parameter_options_.draws()) initialise();
  }

  at::Tensor forward(const at::Tensor& images) { return classify(forward_maps(images)); }

  /// The last stage's maps: [B, C, H, W] -> [B, features(), h, w].
  at::Tensor forward_maps(const at::Tensor& images) {
    check_argument(images.dim() == 4 && images.size(1) == options.in_channels,
                   "[resnet] expected images of shape [B, ", options.in_channels, ", H, W], got ",
                   shape_text(images));
    auto x = at::relu(bn1->forward(conv1->forward(images)));
    if (!options.small_stem) x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
    for (const auto& stage : stages)
      for (const auto& block : *stage) x = block->as<ResNetBlockImpl>()->forward(x);
    return x;
  }

  /// Maps [B, features(), h, w] -> logits [B, num_classes]; their mean over positions without a
  /// head.
  at::Tensor classify(const at::Tensor& maps) {
    const auto pooled = maps.mean({2, 3});  // [B, features]
    return fc ? fc->forward(pooled) : pooled;
  }

  ResNetOptions options;
  Conv2d conv1{nullptr};
  BatchNorm bn1{nullptr};
  std::vector<torch::nn::ModuleList> stages;  ///< layer1, layer2, ...: ResNetBlock x depth
  Linear fc{nullptr};                         ///< empty without classes

 private:
  /// He et al.'s normal over what leaves a convolution (arXiv 1502.01852), as both libraries draw.
  void initialise() {
    torch::NoGradGuard no_grad;
    for (const auto& module : modules(false))
      if (auto* conv = module->as<Conv2dImpl>()) {
        const auto& o = conv->options;
        const auto fan_out = static_cast<double>(o.out_channels * o.kernel * o.kernel);
        conv->weight.normal_(0, std::sqrt(2 / fan_out), parameter_options_.generator);
      }
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(ResNet);

/// `shape` with the widths w, 2w, 4w, ... whose number of parameters is nearest to `parameters`: a
/// convolutional control of the size of another network. Throws std::invalid_argument unless
/// `parameters` is above 0.
inline ResNetOptions resnet_of_size(std::int64_t parameters, ResNetOptions shape) {
  check_argument(parameters > 0, "[resnet] expected a positive number of parameters, got ",
                 parameters);
  const auto widened = [&shape](std::int64_t width) {
    auto options = shape;
    for (std::size_t s = 0; s < options.widths.size(); ++s) options.widths[s] = width << s;
    return options;
  };
  const auto distance = [&](std::int64_t width) {
    const ResNet network(widened(width), ParameterOptions{.device = at::kMeta});
    return std::abs(parameter_count(*network) - parameters);
  };
  std::int64_t width = 1;
  for (auto nearest = distance(1); distance(width + 1) < nearest; ++width)
    nearest = distance(width + 1);
  return widened(width);
}

}  // namespace dermis
