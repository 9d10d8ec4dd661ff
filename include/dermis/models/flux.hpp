#pragma once
/// \file
/// FLUX.1's transformer for rectified flow on latents (black-forest-labs/flux): the state dict has
/// its names. Text encoders are elsewhere; their outputs are inputs here.

#include <cmath>

#include <torch/nn/modules/container/moduledict.h>
#include <torch/nn/modules/container/modulelist.h>

#include "dermis/models/flux_blocks.hpp"
#include "dermis/models/flux_tokens.hpp"

namespace dermis {

/// Inputs of time_in and guidance_in.
inline constexpr std::int64_t kFluxTimeChannels = 256;

/// The frequencies 10000^(-k / 128) of Flux's sinusoids, fp32 [128], the same on every machine: at
/// a guidance of 3.5, 3500 radians, the last bit of a frequency shows in the answer, and torch's
/// exp gives other last bits on other processors. The exponents are rounded as in the original; the
/// results are the nearest floats, but for two that lie almost in the middle between their
/// neighbours (47 and 50 % of the way). The reference values of tests/parity (07, 15) were computed
/// with these rounded up, as the algorithms of Sleef, Cephes and FreeBSD's expf round them.
inline at::Tensor flux_frequencies() {
  constexpr std::int64_t count = kFluxTimeChannels / 2;
  const auto exponents = at::arange(count, at::kFloat) * -std::log(10000.0) / count;
  auto frequencies = exponents.to(at::kDouble).exp().to(at::kFloat);
  auto* values = frequencies.data_ptr<float>();
  for (const auto k : {13, 44}) values[k] = std::nextafter(values[k], 1.0F);
  return frequencies;
}

/// What a Flux is asked.
struct FluxInput {
  at::Tensor image;      ///< [B, N, in_channels], packed latents (see pack_latents)
  at::Tensor image_ids;  ///< [N, axes] or [B, N, axes], see flux_image_ids
  at::Tensor text;       ///< [B, T, text_dim], padding included: nothing masks it
  at::Tensor text_ids;   ///< [T, axes] or [B, T, axes]; undefined: zeros
  at::Tensor time;       ///< [B], 0 = data .. 1 = noise
  at::Tensor pooled;     ///< [B, pooled_dim]
  at::Tensor guidance;   ///< [B], the scale itself (3.5); only with FluxOptions::guidance
};

/// What runs through the blocks.
struct FluxState {
  at::Tensor x;       ///< [B, T + N, D], text first
  at::Tensor vector;  ///< [B, D]: time, guidance and pooled text, which steer every block
  Rotation rotation;
  std::int64_t text_tokens = 0;
};

/// Norm, shift and scale by the vector, projection to the velocity.
/// forward: x [B, N, D] -> [B, N, out].
class FluxFinalLayerImpl : public torch::nn::Cloneable<FluxFinalLayerImpl> {
 public:
  explicit FluxFinalLayerImpl(const FluxOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    linear =
        register_module("linear", Linear(options.dim, options.out(), true, parameter_options_));
    torch::OrderedDict<std::string, std::shared_ptr<torch::nn::Module>> second;
    second.insert("1", Linear(options.dim, 2 * options.dim, true, parameter_options_).ptr());
    adaLN_modulation = register_module("adaLN_modulation", torch::nn::ModuleDict(second));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& vector) {
    return observed(*this, linear->forward(modulated(x, vector)));
  }
  /// What the projection sees.
  at::Tensor modulated(const at::Tensor& x, const at::Tensor& vector) {
    const auto m = adaLN_modulation["1"]
                       ->as<Linear>()
                       ->forward(at::silu(vector))
                       .unsqueeze(1)
                       .chunk(2, -1);  // shift, scale
    return detail::flux_modulate(x, m[0], m[1]);
  }

  FluxOptions options;
  Linear linear = nullptr;
  torch::nn::ModuleDict adaLN_modulation = nullptr;  ///< "1": Linear D -> 2 D

 private:
  ParameterOptions parameter_options_;
};
TORCH_MODULE(FluxFinalLayer);

/// Flux's transformer. forward: FluxInput -> velocity noise - data [B, N, out], in the image's
/// type; the work is done in the type of the weights, norms of queries and keys, rotation and time
/// in fp32.
///
///     Flux flux(flux_tiny());
///     auto velocity = flux->forward({.image = pack_latents(latents), ...});
class FluxImpl : public torch::nn::Cloneable<FluxImpl> {
 public:
  explicit FluxImpl(const FluxOptions& options_, const ParameterOptions& parameters = {})
      : options(options_), parameter_options_(parameters) {
    validate(options);
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    const auto& o = options;
    const auto& p = parameter_options_;
    img_in = register_module("img_in", Linear(o.in_channels, o.dim, true, p));
    time_in = register_module("time_in", FluxEmbedder(kFluxTimeChannels, o.dim, p));
    vector_in = register_module("vector_in", FluxEmbedder(o.pooled_dim, o.dim, p));
    if (o.guidance)
      guidance_in = register_module("guidance_in", FluxEmbedder(kFluxTimeChannels, o.dim, p));
    txt_in = register_module("txt_in", Linear(o.text_dim, o.dim, true, p));
    double_blocks = register_module("double_blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < o.double_blocks; ++i)
      double_blocks->push_back(FluxDoubleBlock(o, p));
    single_blocks = register_module("single_blocks", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < o.single_blocks; ++i)
      single_blocks->push_back(FluxSingleBlock(o, p));
    final_layer = register_module("final_layer", FluxFinalLayer(o, p));
  }

  at::Tensor forward(const FluxInput& input) {
    auto state = embed(input);
    for (const auto& block : *double_blocks)
      state.x = block->as<FluxDoubleBlock>()->forward(state.x, state.vector, state.rotation,
                                                      state.text_tokens);
    for (const auto& block : *single_blocks)
      state.x = block->as<FluxSingleBlock>()->forward(state.x, state.vector, state.rotation);
    return finish(state).to(input.image.scalar_type());
  }

  /// Everything before the blocks.
  FluxState embed(const FluxInput& input) {
    check(input);
    const auto type = img_in->weight.scalar_type();
    auto vector =
        time_in->forward(sinusoid(input.time)) + vector_in->forward(input.pooled.to(type));
    if (options.guidance) vector = vector + guidance_in->forward(sinusoid(input.guidance));
    const auto image = img_in->forward(input.image.to(type));
    const auto text = txt_in->forward(input.text.to(type));
    return {at::cat({text, image}, 1), vector, rotation(input), text.size(1)};
  }
  /// Everything behind the blocks: the image tokens' velocity [B, N, out].
  at::Tensor finish(const FluxState& state) {
    return final_layer->forward(state.x.slice(1, state.text_tokens), state.vector);
  }

  FluxOptions options;
  Linear img_in = nullptr, txt_in = nullptr;
  FluxEmbedder time_in = nullptr, vector_in = nullptr;
  FluxEmbedder guidance_in = nullptr;             ///< empty without guidance
  torch::nn::ModuleList double_blocks = nullptr;  ///< FluxDoubleBlock
  torch::nn::ModuleList single_blocks = nullptr;  ///< FluxSingleBlock
  FluxFinalLayer final_layer = nullptr;

 private:
  void check(const FluxInput& in) const {
    const auto expect = [](const at::Tensor& x, std::int64_t rank, std::int64_t last,
                           const char* name, const char* shape) {
      check_argument(x.defined() && x.dim() == rank && (last == 0 || x.size(-1) == last),
                     "[flux] expected ", name, " of shape ", shape, last == 0 ? "" : " with ",
                     last == 0 ? "" : std::to_string(last), last == 0 ? "" : " channels", ", got ",
                     x.defined() ? shape_text(x) : "none");
    };
    expect(in.image, 3, options.in_channels, "image", "[B, N, in_channels]");
    expect(in.text, 3, options.text_dim, "text", "[B, T, text_dim]");
    expect(in.pooled, 2, options.pooled_dim, "pooled", "[B, pooled_dim]");
    expect(in.time, 1, 0, "time", "[B]");
    if (options.guidance) expect(in.guidance, 1, 0, "guidance", "[B]");
    check_argument(options.guidance || !in.guidance.defined(),
                   "[flux] expected no guidance: this model was not distilled from it");
    check_argument(in.image_ids.defined() && in.image_ids.size(-2) == in.image.size(1),
                   "[flux] expected image_ids of ", in.image.size(1), " tokens, got ",
                   in.image_ids.defined() ? shape_text(in.image_ids) : "none");
    check_argument(!in.text_ids.defined() || (in.text_ids.dim() == in.image_ids.dim() &&
                                              in.text_ids.size(-2) == in.text.size(1)),
                   "[flux] expected text_ids of ", in.text.size(1), " tokens, got ",
                   in.text_ids.defined() ? shape_text(in.text_ids) : "none");
  }

  /// [cos | sin] of 1000 t, [B, 256]. In fp32, whatever the weights' type: bf16 cannot tell
  /// neighbouring times apart.
  at::Tensor sinusoid(const at::Tensor& t) const {
    const auto angles =
        (t.to(at::kFloat) * 1000.0).unsqueeze(1) * flux_frequencies().to(t.device());
    return at::cat({angles.cos(), angles.sin()}, 1).to(img_in->weight.scalar_type());
  }

  Rotation rotation(const FluxInput& in) const {
    const auto axes = static_cast<std::int64_t>(options.axes.size());
    auto shape = in.image_ids.sizes().vec();
    shape[shape.size() - 2] = in.text.size(1);
    const auto text_ids = in.text_ids.defined()
                              ? in.text_ids
                              : at::zeros({in.text.size(1), axes}, in.image_ids.options());
    return rotary_embedding(at::cat({text_ids.expand(shape), in.image_ids}, -2), options.axes,
                            options.theta);
  }

  ParameterOptions parameter_options_;
};
TORCH_MODULE(Flux);

}  // namespace dermis
