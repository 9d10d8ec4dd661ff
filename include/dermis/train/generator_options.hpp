#pragma once
/// \file
/// How a generator is trained and how it draws.

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/diffusion/flow_training.hpp"
#include "dermis/diffusion/noise_schedule.hpp"
#include "dermis/diffusion/rectified_flow.hpp"
#include "dermis/diffusion/sigma_schedule.hpp"
#include "dermis/models/unet_options.hpp"
#include "dermis/train/stage.hpp"

namespace dermis {

/// What the network is asked to predict.
enum class Objective { Epsilon, Velocity, Flow };
std::string name(Objective objective);
void from_name(Objective& objective, const std::string& text);

/// How the class reaches the network.
enum class Conditioning {
  Model,          ///< as UNetOptions say: by attention with a cross_attention_dim, added without
  Added,          ///< its embedding is added to the time's (DDPM's way)
  CrossAttention  ///< it is a token that all pixels attend to (LDM's way); the width is the model's
                  ///< cross_attention_dim, or that of the time embedding if there is none
};
std::string name(Conditioning conditioning);
void from_name(Conditioning& conditioning, const std::string& text);

/// How noise is turned into a latent.
enum class SamplingMethod {
  DDIM,       ///< first order; its step of a flow is Euler's
  DPMSolver,  ///< DPM-Solver++(2M): second order, for diffusion
  Euler       ///< for a flow
};
std::string name(SamplingMethod method);
void from_name(SamplingMethod& method, const std::string& text);

struct GeneratorOptions {
  UNetOptions model;  ///< num_classes and channel counts of the latents are taken from the data
  StageSchedule training;
  Objective objective = Objective::Velocity;
  NoiseScheduleOptions schedule = cosine_schedule();  ///< not used by flow
  RectifiedFlowOptions flow;                          ///< used by flow alone
  Conditioning conditioning = Conditioning::Model;
  double min_snr_gamma = 0;  ///< weights of the steps (5 is usual, see min_snr_weight); 0 = off
  FlowWeighting flow_weighting = FlowWeighting::None;
  double label_dropout = 0.1;  ///< share of labels replaced by the null class, for guidance
  bool class_balanced = true;  ///< every class is drawn equally often
  std::int64_t latent_views =
      2;  ///< cached latents an image: 1, 2 (mirrored) or 8 (all right angles, mirrored)
  bool checkpoint_activations = false;  ///< less memory, more time, the same weights but for
                                        ///< rounding
  SamplingMethod sampler = SamplingMethod::DDIM;
  std::int64_t sampling_steps = 25;
  double eta = 0;  ///< fresh noise of DDIM, see DDIMOptions; 0: the noise at the start is all
  SigmaSpacing sigmas = SigmaSpacing::Lu;  ///< noise levels that DPM-Solver visits: even in their
                                           ///< logarithm, it needs half of DDIM's steps
  double guidance_scale = 2.0;             ///< 1 = the plain conditional model
  double guidance_rescale = 0;             ///< see GuidanceOptions; 0.7 is the paper's
  std::vector<double> guidance_interval = {0, 1};  ///< shares of the time with guidance, low and
                                                   ///< high; 1 = pure noise
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, GeneratorOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("model", o.model);
  visit("training", o.training);
  visit("objective", o.objective);
  visit("schedule", o.schedule);
  visit("flow", o.flow);
  visit("conditioning", o.conditioning);
  visit("min_snr_gamma", o.min_snr_gamma);
  visit("flow_weighting", o.flow_weighting);
  visit("label_dropout", o.label_dropout);
  visit("class_balanced", o.class_balanced);
  visit("latent_views", o.latent_views);
  visit("checkpoint_activations", o.checkpoint_activations);
  visit("sampler", o.sampler);
  visit("sampling_steps", o.sampling_steps);
  visit("eta", o.eta);
  visit("sigmas", o.sigmas);
  visit("guidance_scale", o.guidance_scale);
  visit("guidance_rescale", o.guidance_rescale);
  visit("guidance_interval", o.guidance_interval);
}

/// Throws std::invalid_argument naming the first option, or pair of options, that cannot be. What
/// `model` needs beside that is checked by validate(UNetOptions).
void validate(const GeneratorOptions& options);

/// The network that `options` ask for, of latents with `latent_channels` and `classes` classes:
/// options.model with the conditioning applied.
UNetOptions network_options(const GeneratorOptions& options, std::int64_t latent_channels,
                            std::int64_t classes);

}  // namespace dermis
