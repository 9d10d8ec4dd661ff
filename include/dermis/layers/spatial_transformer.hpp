#pragma once
/// \file
/// The spatial transformer of latent diffusion (arXiv 2112.10752, appendix E.2.1): pixels attend to
/// each other, then to a context (here: a class token). Parameter names are diffusers'.

#include "dermis/layers/conv.hpp"
#include "dermis/layers/spatial_attention.hpp"

namespace dermis {

/// Multi-head attention of x to a context, without bias in q, k and v.
/// forward: x [B, N, dim], context [B, M, context_dim], bias of the scores that broadcasts to
/// [B, heads, N, M] or none -> [B, N, dim].
class CrossAttentionImpl : public torch::nn::Cloneable<CrossAttentionImpl> {
 public:
  CrossAttentionImpl(std::int64_t dim, std::int64_t context_dim, std::int64_t heads,
                     const ParameterOptions& parameters = {})
      : dim_(dim), context_dim_(context_dim), heads_(heads), parameter_options_(parameters) {
    check_argument(heads_ > 0 && dim_ % heads_ == 0,
                   "[cross_attention] expected a width divisible by the heads, got ", dim_, " and ",
                   heads_);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    to_q = register_module("to_q", Linear(dim_, dim_, false, parameter_options_));
    to_k = register_module("to_k", Linear(context_dim_, dim_, false, parameter_options_));
    to_v = register_module("to_v", Linear(context_dim_, dim_, false, parameter_options_));
    to_out = register_module("to_out",
                             torch::nn::ModuleList(Linear(dim_, dim_, true, parameter_options_)));
  }

  at::Tensor forward(const at::Tensor& x, const at::Tensor& context,
                     const std::optional<at::Tensor>& bias = {}) {
    const auto mixed = detail::multi_head_attention(to_q->forward(x), to_k->forward(context),
                                                    to_v->forward(context), heads_, bias);
    return observed(*this, to_out[0]->as<Linear>()->forward(mixed));
  }

  Linear to_q = nullptr, to_k = nullptr, to_v = nullptr;
  torch::nn::ModuleList to_out = nullptr;  ///< one Linear

 private:
  std::int64_t dim_, context_dim_, heads_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(CrossAttention);

/// a * gelu(b) with [a, b] = Linear(x), exact (erf) GELU. forward: x [*, dim] -> [*, hidden].
class GEGLUImpl : public torch::nn::Cloneable<GEGLUImpl> {
 public:
  GEGLUImpl(std::int64_t dim, std::int64_t hidden, const ParameterOptions& parameters = {})
      : dim_(dim), hidden_(hidden), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    proj = register_module("proj", Linear(dim_, 2 * hidden_, true, parameter_options_));
  }

  at::Tensor forward(const at::Tensor& x) {
    const auto value_and_gate = proj->forward(x).chunk(2, -1);  // 2 x [*, hidden]
    return observed(*this, value_and_gate[0] * at::gelu(value_and_gate[1]));
  }

  Linear proj = nullptr;

 private:
  std::int64_t dim_, hidden_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(GEGLU);

/// GEGLU, Linear, four times as wide inside. The children of `net` are numbered 0 and 2: in
/// diffusers number 1 is a dropout. forward: x [*, dim] -> [*, dim].
class GatedFeedForwardImpl : public torch::nn::Cloneable<GatedFeedForwardImpl> {
 public:
  /// The numbered children.
  class NetImpl : public torch::nn::Cloneable<NetImpl> {
   public:
    NetImpl(std::int64_t dim, const ParameterOptions& parameters)
        : dim_(dim), parameter_options_(parameters) {
      reset();
      parameter_options_ = parameter_options_.without_init();
    }
    void reset() override {
      gate = register_module("0", GEGLU(dim_, 4 * dim_, parameter_options_));
      out = register_module("2", Linear(4 * dim_, dim_, true, parameter_options_));
    }

    GEGLU gate = nullptr;
    Linear out = nullptr;

   private:
    std::int64_t dim_;
    ParameterOptions parameter_options_;
  };
  TORCH_MODULE(Net);

  explicit GatedFeedForwardImpl(std::int64_t dim, const ParameterOptions& parameters = {})
      : dim_(dim), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override { net = register_module("net", Net(dim_, parameter_options_)); }

  at::Tensor forward(const at::Tensor& x) {
    return observed(*this, net->out->forward(net->gate->forward(x)));
  }

  Net net = nullptr;

 private:
  std::int64_t dim_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(GatedFeedForward);

/// Self-attention, attention to the context, feed-forward; each pre-norm and residual.
/// forward: x [B, N, dim], context [B, M, context_dim], bias as CrossAttention's -> [B, N, dim].
class CrossAttentionBlockImpl : public torch::nn::Cloneable<CrossAttentionBlockImpl> {
 public:
  CrossAttentionBlockImpl(std::int64_t dim, std::int64_t context_dim, std::int64_t heads,
                          const ParameterOptions& parameters = {})
      : dim_(dim), context_dim_(context_dim), heads_(heads), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    constexpr double eps = 1e-5;  // LDM's LayerNorms; its GroupNorm around them has 1e-6
    norm1 = register_module("norm1", LayerNorm(dim_, eps, parameter_options_));
    attn1 = register_module("attn1", CrossAttention(dim_, dim_, heads_, parameter_options_));
    norm2 = register_module("norm2", LayerNorm(dim_, eps, parameter_options_));
    attn2 =
        register_module("attn2", CrossAttention(dim_, context_dim_, heads_, parameter_options_));
    norm3 = register_module("norm3", LayerNorm(dim_, eps, parameter_options_));
    ff = register_module("ff", GatedFeedForward(dim_, parameter_options_));
  }

  at::Tensor forward(at::Tensor x, const at::Tensor& context,
                     const std::optional<at::Tensor>& bias = {}) {
    const auto normed = norm1->forward(x);
    x = x + attn1->forward(normed, normed);
    x = x + attn2->forward(norm2->forward(x), context, bias);
    return observed(*this, x + ff->forward(norm3->forward(x)));
  }

  LayerNorm norm1 = nullptr, norm2 = nullptr, norm3 = nullptr;
  CrossAttention attn1 = nullptr, attn2 = nullptr;
  GatedFeedForward ff = nullptr;

 private:
  std::int64_t dim_, context_dim_, heads_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(CrossAttentionBlock);

/// Sizes of a SpatialTransformer.
struct SpatialTransformerOptions {
  std::int64_t channels = 0;
  std::int64_t context_dim = 0;
  std::int64_t heads = 1;
  std::int64_t depth = 1;  ///< number of blocks
  std::int64_t norm_groups = 32;
  bool linear_projection = false;  ///< proj_in and proj_out are Linear, not 1x1 convolutions
};

/// x + proj_out(blocks(proj_in(GroupNorm(x)), context)); proj_out starts at zero, as in LDM.
/// forward: x [B, C, H, W], context [B, M, context_dim], bias as CrossAttention's -> [B, C, H, W].
class SpatialTransformerImpl : public torch::nn::Cloneable<SpatialTransformerImpl> {
 public:
  explicit SpatialTransformerImpl(const SpatialTransformerOptions& options_,
                                  const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    norm = register_module("norm", GroupNorm(o.norm_groups, o.channels, 1e-6, parameter_options_));
    add_projection("proj_in", proj_in, linear_in);
    transformer_blocks = register_module("transformer_blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < o.depth; ++i)
      transformer_blocks->push_back(
          CrossAttentionBlock(o.channels, o.context_dim, o.heads, parameter_options_));
    add_projection("proj_out", proj_out, linear_out);
    if (parameter_options_.draws()) {
      torch::NoGradGuard no_grad;
      for (auto& parameter : (*named_children().find("proj_out"))->parameters()) parameter.zero_();
    }
  }

  at::Tensor forward(const at::Tensor& x, const at::Tensor& context,
                     const std::optional<at::Tensor>& bias = {}) {
    const auto sizes = x.sizes().vec();
    auto h = norm->forward(x);  // [B, C, H, W]
    if (!options.linear_projection) h = proj_in->forward(h);
    h = h.flatten(2).transpose(1, 2);  // [B, HW, C]
    if (options.linear_projection) h = linear_in->forward(h);
    for (const auto& block : *transformer_blocks)
      h = block->as<CrossAttentionBlock>()->forward(h, context, bias);
    if (options.linear_projection) h = linear_out->forward(h);
    h = h.transpose(1, 2).reshape(sizes);  // [B, C, H, W]
    if (!options.linear_projection) h = proj_out->forward(h);
    return observed(*this, x + h);
  }

  SpatialTransformerOptions options;
  GroupNorm norm = nullptr;
  Conv2d proj_in = nullptr, proj_out = nullptr;        ///< empty with linear_projection
  Linear linear_in = nullptr, linear_out = nullptr;    ///< the same layers by name, as Linear
  torch::nn::ModuleList transformer_blocks = nullptr;  ///< CrossAttentionBlock

 private:
  void add_projection(const char* name, Conv2d& convolution, Linear& linear) {
    const auto c = options.channels;
    if (options.linear_projection)
      linear = register_module(name, Linear(c, c, true, parameter_options_));
    else
      convolution = register_module(
          name, Conv2d(Conv2dOptions{.in_channels = c, .out_channels = c, .kernel = 1},
                       parameter_options_));
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(SpatialTransformer);

}  // namespace dermis
