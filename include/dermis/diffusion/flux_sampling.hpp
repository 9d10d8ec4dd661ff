#pragma once
/// \file
/// Latents from Flux: its times, which depend on the image's size, and its two kinds of guidance.

#include <functional>

#include "dermis/diffusion/flow_match_heun.hpp"
#include "dermis/diffusion/guidance.hpp"
#include "dermis/models/flux.hpp"

namespace dermis {

/// What the text encoders made of a prompt.
struct FluxPrompt {
  at::Tensor text;    ///< [B, T, text_dim] (T5)
  at::Tensor pooled;  ///< [B, pooled_dim] (CLIP)
};

/// A Flux, or anything that answers as one (StreamedFlux).
using FluxNetwork = std::function<at::Tensor(const FluxInput&)>;

/// Options of sample_flux. The defaults are for FLUX.1-dev; schnell: 4 steps, no shift.
struct FluxSamplingOptions {
  std::int64_t steps = 50;
  bool shift = true;         ///< move the times by dynamic_mu of the number of tokens
  bool heun = false;         ///< second order, two evaluations a step but the last
  double guidance = 3.5;     ///< given to a network that is distilled from guidance (dev)
  double true_guidance = 1;  ///< classifier-free guidance against a negative prompt, at twice the
                             ///< cost; 1: off
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, FluxSamplingOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("shift", o.shift);
  visit("heun", o.heun);
  visit("guidance", o.guidance);
  visit("true_guidance", o.true_guidance);
}

/// The network as a Denoiser of latents [B, C, h, w] (h, w even) with time 1 = noise .. 0 = data.
/// \param guidance  the scale to give to the network; none for one that takes none
inline Denoiser flux_denoiser(FluxNetwork network, FluxPrompt prompt,
                              std::optional<double> guidance) {
  return [network = std::move(network), prompt = std::move(prompt), guidance](const at::Tensor& x,
                                                                              const at::Tensor& t) {
    FluxInput input{.image = pack_latents(x),
                    .image_ids = flux_image_ids(x.size(2), x.size(3), x.device()),
                    .text = prompt.text,
                    .text_ids = {},
                    .time = t,
                    .pooled = prompt.pooled,
                    .guidance = {}};
    if (guidance) input.guidance = at::full_like(t, *guidance);
    return unpack_latents(network(input), x.size(2), x.size(3));
  };
}

/// The steps + 1 times of a run over images of `tokens` tokens, 1 down to 0; in fp32 as
/// black-forest-labs computes them, since the network sees their last bits.
inline std::vector<double> flux_schedule(const FluxSamplingOptions& options, std::int64_t tokens) {
  check_argument(options.steps >= 1, "[flux] expected at least 1 step, got ", options.steps);
  auto times = at::linspace(1.0, 0.0, options.steps + 1, at::kFloat);
  if (options.shift) {
    const double pull = std::exp(dynamic_mu(FlowMatchEulerOptions{}, tokens));
    times = pull / (pull + (1.0 / times - 1.0));  // 0 stays 0: pull / infinity
  }
  const auto* values = times.const_data_ptr<float>();
  return {values, values + times.numel()};
}

/// Latents [B, C, h, w] from noise of N(0, 1) in the same shape, to be unscaled and decoded. Runs
/// without gradients.
/// \param distilled  whether the network takes the guidance scale (FluxOptions::guidance)
/// \param negative   for true_guidance other than 1: what to move away from
inline at::Tensor sample_flux(const FluxNetwork& network, bool distilled, const FluxPrompt& prompt,
                              const at::Tensor& noise, const FluxSamplingOptions& options = {},
                              const FluxPrompt& negative = {},
                              const SamplerCallback& callback = {}) {
  const auto scale = distilled ? std::optional(options.guidance) : std::nullopt;
  auto denoiser = flux_denoiser(network, prompt, scale);
  if (options.true_guidance != 1) {
    check_argument(negative.text.defined() && negative.pooled.defined(),
                   "[flux] expected a negative prompt for a true_guidance of ",
                   options.true_guidance);
    denoiser =
        guided(std::move(denoiser), flux_denoiser(network, negative, scale), options.true_guidance);
  }
  auto times = flux_schedule(options, noise.size(2) * noise.size(3) / 4);
  times.pop_back();  // the samplers end at 0 by themselves
  const FlowMatchEulerOptions flow{.steps = options.steps, .training_steps = 1};
  return options.heun ? FlowMatchHeun(flow, times).sample(denoiser, noise, callback)
                      : FlowMatchEuler(flow, times).sample(denoiser, noise, {}, callback);
}

/// The same with a Flux.
inline at::Tensor sample_flux(Flux flux, const FluxPrompt& prompt, const at::Tensor& noise,
                              const FluxSamplingOptions& options = {},
                              const FluxPrompt& negative = {},
                              const SamplerCallback& callback = {}) {
  return sample_flux([flux](const FluxInput& input) mutable { return flux->forward(input); },
                     flux->options.guidance, prompt, noise, options, negative, callback);
}

}  // namespace dermis
