#pragma once
/// \file
/// Residual convolution block and the two resamplers, shared by the KL autoencoder and the UNet.
/// Parameter names are diffusers'.

#include "dermis/layers/conv.hpp"
#include "dermis/layers/linear.hpp"
#include "dermis/layers/norm.hpp"

namespace dermis {

namespace detail {

/// Lays convolution weights out channels-last, to match the maps of the UNet and the autoencoder:
/// otherwise every call reorders them. Values, shapes and files stay the same.
inline void lay_out_channels_last(torch::nn::Module& module) {
  for (auto& parameter : module.parameters())
    if (parameter.dim() == 4)
      parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast));
}

/// Nearest-neighbour enlargement to `size`, or to twice the height and width.
inline at::Tensor repeat_pixels(const at::Tensor& x, at::OptionalIntArrayRef size) {
  const std::vector<std::int64_t> doubled = {2 * x.size(2), 2 * x.size(3)};
  return at::upsample_nearest2d(x, size ? *size : at::IntArrayRef(doubled));
}

}  // namespace detail

/// How a block of the UNet or the autoencoder changes height and width.
enum class Resample { None, Down, Up };

/// Sizes of a ResnetBlock.
struct ResnetOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t time_channels = 0;  ///< width of the time embedding; 0: none is used
  std::int64_t norm_groups = 32;
  double norm_eps = 1e-5;
  bool scale_shift = false;  ///< the embedding scales and shifts after norm2 instead of being added
  bool zero_init = false;    ///< conv2 starts at zero, so that the block starts as its shortcut
  Resample resample = Resample::None;  ///< by averaging 2 x 2 or repeating pixels, before conv1
};

/// GroupNorm, SiLU, conv, (+ time), GroupNorm, SiLU, conv, + shortcut. With scale_shift the
/// embedding enters as norm(h) (1 + scale) + shift (adaptive group norm, arXiv 2105.05233 §3). A
/// block that resamples does so to both branches, behind the first SiLU and before the shortcut.
/// forward: x [B, in, H, W], embedding [B, time_channels] -> [B, out, H', W'], of the given `size`
/// or twice as large when it resamples up.
class ResnetBlockImpl : public torch::nn::Cloneable<ResnetBlockImpl> {
 public:
  explicit ResnetBlockImpl(const ResnetOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    const auto convolution = [&](std::int64_t in, std::int64_t kernel) {
      return Conv2d(Conv2dOptions{.in_channels = in,
                                  .out_channels = o.out_channels,
                                  .kernel = kernel,
                                  .padding = kernel / 2},
                    parameter_options_);
    };
    norm1 = register_module(
        "norm1", GroupNorm(o.norm_groups, o.in_channels, o.norm_eps, parameter_options_));
    conv1 = register_module("conv1", convolution(o.in_channels, 3));
    if (o.time_channels > 0) {
      const auto out = o.scale_shift ? 2 * o.out_channels : o.out_channels;
      time_emb_proj =
          register_module("time_emb_proj", Linear(o.time_channels, out, true, parameter_options_));
    }
    norm2 = register_module(
        "norm2", GroupNorm(o.norm_groups, o.out_channels, o.norm_eps, parameter_options_));
    conv2 = register_module("conv2", convolution(o.out_channels, 3));
    if (o.in_channels != o.out_channels)
      conv_shortcut = register_module("conv_shortcut", convolution(o.in_channels, 1));
    if (o.zero_init && parameter_options_.draws()) {
      torch::NoGradGuard no_grad;
      conv2->weight.zero_();
      conv2->bias.zero_();
    }
  }

  at::Tensor forward(const at::Tensor& input, const at::Tensor& embedding = {},
                     at::OptionalIntArrayRef size = {}) {
    check_argument(embedding.defined() == (options.time_channels > 0),
                   "[resnet] expected a time embedding of width ", options.time_channels, ", got ",
                   embedding.defined() ? shape_text(embedding) : "none");
    const auto resample = [&](const at::Tensor& x) {
      switch (options.resample) {
        case Resample::Down:
          return at::avg_pool2d(x, 2);
        case Resample::Up:
          return detail::repeat_pixels(x, size);
        default:
          return x;
      }
    };
    const auto x = resample(input);
    auto h = conv1->forward(resample(at::silu(norm1->forward(input))));  // [B, out, H', W']
    if (!embedding.defined()) {
      h = norm2->forward(h);
    } else {
      const auto e = time_emb_proj->forward(at::silu(embedding)).unsqueeze(-1).unsqueeze(-1);
      if (options.scale_shift) {
        const auto scale_and_shift = e.chunk(2, 1);  // 2 x [B, out, 1, 1]
        h = norm2->forward(h) * (1 + scale_and_shift[0]) + scale_and_shift[1];
      } else {
        h = norm2->forward(h + e);
      }
    }
    h = conv2->forward(at::silu(h));
    return observed(*this, (conv_shortcut.is_empty() ? x : conv_shortcut->forward(x)) + h);
  }

  ResnetOptions options;
  GroupNorm norm1 = nullptr, norm2 = nullptr;
  Conv2d conv1 = nullptr, conv2 = nullptr;
  Conv2d conv_shortcut = nullptr;  ///< 1x1; empty when in_channels == out_channels
  Linear time_emb_proj = nullptr;  ///< empty without time_channels

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(ResnetBlock);

/// Halves height and width with a 3x3 convolution of stride 2. The UNet pads by one on each side;
/// the KL autoencoder pads right and bottom only ("asymmetric"), so that an even size stays exact.
/// forward: x [B, C, H, W] -> [B, C, H/2, W/2], rounded up, or down if asymmetric.
class DownsampleImpl : public torch::nn::Cloneable<DownsampleImpl> {
 public:
  explicit DownsampleImpl(std::int64_t channels, bool asymmetric,
                          const ParameterOptions& parameters = {})
      : channels_(channels), asymmetric_(asymmetric), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    conv = register_module("conv", Conv2d(Conv2dOptions{.in_channels = channels_,
                                                        .out_channels = channels_,
                                                        .stride = 2,
                                                        .padding = asymmetric_ ? 0 : 1},
                                          parameter_options_));
  }

  at::Tensor forward(const at::Tensor& x) {
    return observed(*this, conv->forward(asymmetric_ ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x));
  }

  Conv2d conv = nullptr;

 private:
  std::int64_t channels_;
  bool asymmetric_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(Downsample);

/// Repeats each pixel (nearest neighbour), then a 3x3 convolution.
/// forward: x [B, C, H, W] -> [B, C, 2H, 2W], or [B, C, *size] when a size is given.
class UpsampleImpl : public torch::nn::Cloneable<UpsampleImpl> {
 public:
  explicit UpsampleImpl(std::int64_t channels, const ParameterOptions& parameters = {})
      : channels_(channels), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    conv = register_module(
        "conv",
        Conv2d(Conv2dOptions{.in_channels = channels_, .out_channels = channels_, .padding = 1},
               parameter_options_));
  }

  at::Tensor forward(const at::Tensor& x, at::OptionalIntArrayRef size = {}) {
    return observed(*this, conv->forward(detail::repeat_pixels(x, size)));
  }

  Conv2d conv = nullptr;

 private:
  std::int64_t channels_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(Upsample);

}  // namespace dermis
