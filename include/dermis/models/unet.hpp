#pragma once
/// \file
/// The denoising UNet of latent diffusion (arXiv 2112.10752; arXiv 2006.11239), unconditional or
/// conditioned on a class, a given context or both. Structure and parameter names are diffusers'
/// UNet2DModel and, with a cross-attention context, UNet2DConditionModel.

#include "dermis/layers/timestep.hpp"
#include "dermis/models/unet_blocks.hpp"

namespace dermis {

/// Predicts noise, velocity or the clean sample, whatever it is trained for. The last layer, the
/// second convolution of each residual block and each attention's output start at zero, as in LDM
/// (diffusers leaves the latter two at their defaults). Inside, maps lie channels-last, which makes
/// convolutions and resampling quicker on a CPU; what comes out is contiguous.
///
///     UNet unet(UNetOptions{.num_classes = 8, .norm_groups = 8});
///     auto noise = unet->forward(x, t, labels);  // labels 0..7, or 8 for "any class"
class UNetImpl : public torch::nn::Cloneable<UNetImpl> {
 public:
  explicit UNetImpl(const UNetOptions& options_ = {}, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    validate(options);
    reset();
    detail::lay_out_channels_last(*this);
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    const auto convolution = [&](std::int64_t in, std::int64_t out) {
      return Conv2d(Conv2dOptions{.in_channels = in, .out_channels = out, .padding = 1},
                    parameter_options_);
    };
    conv_in = register_module("conv_in", convolution(o.in_channels, o.channels.front()));
    time_embedding = register_module(
        "time_embedding",
        TimestepEmbedding(o.channels.front(), o.time_channels(), parameter_options_));
    const bool token = o.cross_attention_dim > 0 && o.class_token;
    if (o.num_classes > 0 && !token)
      class_embedding = register_module(
          "class_embedding", Embedding(o.num_classes + 1, o.time_channels(), parameter_options_));
    if (o.num_classes > 0 && token)
      class_embedder =
          register_module("class_embedder",
                          Embedding(o.num_classes + 1, o.cross_attention_dim, parameter_options_));
    down_blocks = register_module("down_blocks", torch::nn::ModuleList());
    mid_block = register_module("mid_block", UNetMidBlock(o, parameter_options_));
    up_blocks = register_module("up_blocks", torch::nn::ModuleList());
    for (std::size_t level = 0; level < o.channels.size(); ++level) {
      down_blocks->push_back(UNetDownBlock(o, level, parameter_options_));
      up_blocks->push_back(UNetUpBlock(o, o.channels.size() - 1 - level, parameter_options_));
    }
    conv_norm_out = register_module("conv_norm_out", GroupNorm(o.norm_groups, o.channels.front(),
                                                               o.norm_eps, parameter_options_));
    conv_out = register_module("conv_out", convolution(o.channels.front(), o.out_channels));
    if (parameter_options_.draws()) {
      torch::NoGradGuard no_grad;
      conv_out->weight.zero_();
      conv_out->bias.zero_();
    }
  }

  /// The label that stands for "any class".
  std::int64_t null_class() const { return options.num_classes; }

  /// x [B, in, H, W], t [B] (steps, integer or real), labels int64 [B] in 0..num_classes (none when
  /// unconditional) -> [B, out, H, W]. Without class_token cross-attention also needs the context
  /// [B, M, cross_attention_dim] and takes a mask [B, M] of it, 1 (true) for tokens to attend to,
  /// 0 (false) for padding.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels = {},
                     const at::Tensor& context = {}, const at::Tensor& context_mask = {}) {
    check_inputs(x, t, labels);
    check_context(x.size(0), context, context_mask);
    const auto sinusoid = timestep_embedding(t, options.channels.front(), 10000.0,
                                             options.flip_sin_to_cos, options.freq_shift);  // fp32
    const auto compute_condition = [this, sinusoid, labels, context, context_mask] {
      UNetCondition condition;
      condition.embedding =
          time_embedding->forward(sinusoid.to(time_embedding->linear_1->weight.scalar_type()));
      if (!class_embedding.is_empty())
        condition.embedding = condition.embedding + class_embedding->forward(labels);
      if (!class_embedder.is_empty())
        condition.context = class_embedder->forward(labels).unsqueeze(1);  // [B, 1, context]
      if (context.defined()) condition.context = context;
      // A large number, as in diffusers, not infinity: a row without any token stays finite.
      if (context_mask.defined())
        condition.context_bias = ((1 - context_mask.to(context.scalar_type())) * -10000.0)
                                     .unsqueeze(1)
                                     .unsqueeze(1);  // [B, 1, 1, M]
      return condition;
    };
    auto condition = compute_condition();
    if (checkpoint_activations && at::GradMode::is_enabled()) condition.again = compute_condition;

    auto h = conv_in->forward(x.contiguous(at::MemoryFormat::ChannelsLast));  // see class doc
    std::vector<at::Tensor> skips = {h};
    for (const auto& block : *down_blocks)
      h = block->as<UNetDownBlock>()->forward(h, condition, skips);
    h = mid_block->forward(h, condition);
    for (const auto& block : *up_blocks) h = block->as<UNetUpBlock>()->forward(h, condition, skips);
    return observed(*this, conv_out->forward(at::silu(conv_norm_out->forward(h))).contiguous());
  }

  UNetOptions options;
  Conv2d conv_in = nullptr, conv_out = nullptr;
  TimestepEmbedding time_embedding = nullptr;
  Embedding class_embedding = nullptr;  ///< added to the time embedding; or empty
  Embedding class_embedder = nullptr;   ///< the context token (LDM's ClassEmbedder); or empty
  torch::nn::ModuleList down_blocks = nullptr, up_blocks = nullptr;
  UNetMidBlock mid_block = nullptr;
  GroupNorm conv_norm_out = nullptr;
  /// Train with less memory; same gradients but for rounding, as those of the embeddings are added
  /// up block by block. The module must outlive the backward pass.
  bool checkpoint_activations = false;

 private:
  void check_inputs(const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels) const {
    check_argument(x.dim() == 4 && x.size(1) == options.in_channels,
                   "[unet] expected x of shape [B, ", options.in_channels, ", H, W], got ",
                   shape_text(x));
    const auto batch = x.size(0);
    check_argument(t.dim() == 1 && t.size(0) == batch, "[unet] expected one time an image, [",
                   batch, "], got ", shape_text(t));
    if (options.num_classes == 0) {
      check_argument(!labels.defined(), "[unet] expected no labels: this model is unconditional");
      return;
    }
    check_argument(labels.defined() && labels.scalar_type() == at::kLong && labels.dim() == 1 &&
                       labels.size(0) == batch,
                   "[unet] expected int64 labels of shape [", batch, "], got ",
                   labels.defined() ? shape_text(labels) : "none");
    if (!labels.is_cpu() || batch == 0) return;  // reading values back would stall an accelerator
    const auto low = labels.min().item<std::int64_t>(), high = labels.max().item<std::int64_t>();
    check_argument(low >= 0 && high <= options.num_classes, "[unet] expected labels in 0..",
                   options.num_classes, " (the last is the null class), got ", low, "..", high);
  }

  void check_context(std::int64_t batch, const at::Tensor& context, const at::Tensor& mask) const {
    const auto shape = [](const at::Tensor& x) { return x.defined() ? shape_text(x) : "none"; };
    const auto dim = options.cross_attention_dim;
    if (dim == 0 || options.class_token) {
      check_argument(!context.defined() && !mask.defined(),
                     "[unet] expected no context: this model attends to ",
                     dim == 0 ? "none" : "the class");
      return;
    }
    check_argument(context.defined() && context.dim() == 3 && context.size(0) == batch &&
                       context.size(2) == dim,
                   "[unet] expected a context of shape [", batch, ", M, ", dim, "], got ",
                   shape(context));
    check_argument(!checkpoint_activations || !context.grad_fn(),
                   "[unet] expected no checkpoint_activations with a context that has a graph");
    check_argument(!mask.defined() || (mask.dim() == 2 && mask.size(0) == batch &&
                                       mask.size(1) == context.size(1)),
                   "[unet] expected a context mask of shape [", batch, ", ", context.size(1),
                   "], got ", shape(mask));
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(UNet);

}  // namespace dermis
