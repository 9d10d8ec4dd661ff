#pragma once
/// \file
/// Training of a Flux on cached latents and cached outputs of its text encoders: the whole network,
/// or low-rank adapters alone.

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/diffusion/flow_training.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "dermis/layers/adapters.hpp"
#include "dermis/models/flux.hpp"
#include "dermis/train/stage.hpp"

namespace dermis {

/// What a Flux learns from, on the CPU, each computed once.
struct FluxTrainingSet {
  at::Tensor latents;  ///< [N, C, h, w] with even h and w, as KLVAE::scale gives them
  at::Tensor prompts;  ///< int64 [N]: the row of `text` and `pooled` that describes the image
  at::Tensor text;     ///< [P, T, text_dim]
  at::Tensor pooled;   ///< [P, pooled_dim]
};

/// How a Flux is trained. The defaults are those that sd-scripts recommends for adapters.
struct FluxTrainingOptions {
  StageSchedule training = {.batch_size = 1, .learning_rate = 1e-4, .weight_decay = 0.01};
  RectifiedFlowOptions flow = {};  ///< density of the times; time_scale and shift are Flux's own
  bool resolution_shift = true;    ///< times are moved as in sampling, by the number of tokens
  FlowWeighting weighting = FlowWeighting::None;
  double guidance = 1;        ///< given to a network that takes it: train with 1, sample with 3.5
  double prompt_dropout = 0;  ///< share of prompts replaced by row 0 of `text`, the empty one,
                              ///< for true guidance
  LowRankOptions low_rank = {};                             ///< rank 0: all weights are trained
  std::vector<std::string> layers = flux_adapter_layers();  ///< that get adapters
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, FluxTrainingOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("training", o.training);
  visit("flow", o.flow);
  visit("resolution_shift", o.resolution_shift);
  visit("weighting", o.weighting);
  visit("guidance", o.guidance);
  visit("prompt_dropout", o.prompt_dropout);
  visit("low_rank", o.low_rank);
  visit("layers", o.layers);
}

/// Trains `flux`, which lies on context.device, to predict noise - data. With adapters its own
/// weights stay what they are, checkpoints hold the adapters alone, and collect_lora gives what was
/// learned. Adapters are in fp32 whatever the weights' type.
/// Adapters that the model has already (apply_lora) go on, whatever options.low_rank says.
/// \throws std::invalid_argument if the set or the options do not fit the model
TrainResult train_flux(Flux& flux, const FluxTrainingSet& set, const FluxTrainingOptions& options,
                       const StageContext& context, const std::string& name = "flux");

}  // namespace dermis
