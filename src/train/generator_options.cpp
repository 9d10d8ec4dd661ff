#include "dermis/train/generator_options.hpp"

#include <algorithm>

namespace dermis {

namespace {

bool is_flow(const GeneratorOptions& o) {
  return o.objective == Objective::Flow;
}

void validate_training(const GeneratorOptions& o) {
  check_argument(o.latent_views == 1 || o.latent_views == 2 || o.latent_views == 8,
                 "[generator] expected latent_views 1, 2 or 8, got ", o.latent_views);
  check_argument(o.label_dropout >= 0 && o.label_dropout <= 1,
                 "[generator] expected label_dropout in 0..1, got ", o.label_dropout);
  check_argument(o.min_snr_gamma >= 0, "[generator] expected min_snr_gamma of at least 0, got ",
                 o.min_snr_gamma);
  check_argument(o.min_snr_gamma == 0 || !is_flow(o),
                 "[generator] expected min_snr_gamma 0 with objective flow, which is weighted by "
                 "flow_weighting, got ",
                 o.min_snr_gamma);
  check_argument(o.flow_weighting == FlowWeighting::None || is_flow(o),
                 "[generator] expected flow_weighting none with objective ", name(o.objective),
                 ", got ", name(o.flow_weighting));
  check_argument(o.objective != Objective::Epsilon || !o.schedule.zero_terminal_snr,
                 "[generator] expected objective velocity with schedule.zero_terminal_snr, got "
                 "epsilon: where no signal is left, the noise tells nothing about the image");
}

void validate_sampling(const GeneratorOptions& o) {
  check_argument(o.sampler != SamplingMethod::DPMSolver || !is_flow(o),
                 "[generator] expected sampler euler with objective flow, got dpm_solver");
  check_argument(o.sampler != SamplingMethod::Euler || is_flow(o),
                 "[generator] expected sampler ddim or dpm_solver with objective ",
                 name(o.objective), ", got euler");
  check_argument(o.sampling_steps >= 1, "[generator] expected sampling_steps of at least 1, got ",
                 o.sampling_steps);
  check_argument(o.eta >= 0 && o.eta <= 1, "[generator] expected eta in 0..1, got ", o.eta);
  check_argument(o.eta == 0 || (o.sampler == SamplingMethod::DDIM && !is_flow(o)),
                 "[generator] expected eta 0 without DDIM of a diffusion, got ", o.eta);
  const auto& interval = o.guidance_interval;
  check_argument(interval.size() == 2, "[generator] expected guidance_interval [low, high], got ",
                 interval.size(), " numbers");
  check_argument(0 <= interval[0] && interval[0] <= interval[1] && interval[1] <= 1,
                 "[generator] expected guidance_interval with 0 <= low <= high <= 1, got ",
                 interval[0], " and ", interval[1]);
  check_argument(o.guidance_rescale >= 0 && o.guidance_rescale <= 1,
                 "[generator] expected guidance_rescale in 0..1, got ", o.guidance_rescale);
}

}  // namespace

std::string name(Objective objective) {
  return objective == Objective::Epsilon    ? "epsilon"
         : objective == Objective::Velocity ? "velocity"
                                            : "flow";
}

void from_name(Objective& objective, const std::string& text) {
  for (const auto candidate : {Objective::Epsilon, Objective::Velocity, Objective::Flow}) {
    if (name(candidate) != text) continue;
    objective = candidate;
    return;
  }
  check_argument(false, "[generator] expected objective epsilon, velocity or flow, got ", text);
}

std::string name(Conditioning conditioning) {
  return conditioning == Conditioning::Model   ? "model"
         : conditioning == Conditioning::Added ? "added"
                                               : "cross_attention";
}

void from_name(Conditioning& conditioning, const std::string& text) {
  for (const auto candidate :
       {Conditioning::Model, Conditioning::Added, Conditioning::CrossAttention}) {
    if (name(candidate) != text) continue;
    conditioning = candidate;
    return;
  }
  check_argument(false, "[generator] expected conditioning model, added or cross_attention, got ",
                 text);
}

std::string name(SamplingMethod method) {
  return method == SamplingMethod::DDIM        ? "ddim"
         : method == SamplingMethod::DPMSolver ? "dpm_solver"
                                               : "euler";
}

void from_name(SamplingMethod& method, const std::string& text) {
  for (const auto candidate :
       {SamplingMethod::DDIM, SamplingMethod::DPMSolver, SamplingMethod::Euler}) {
    if (name(candidate) != text) continue;
    method = candidate;
    return;
  }
  check_argument(false, "[generator] expected sampler ddim, dpm_solver or euler, got ", text);
}

void validate(const GeneratorOptions& options) {
  validate_training(options);
  validate_sampling(options);
}

UNetOptions network_options(const GeneratorOptions& options, std::int64_t latent_channels,
                            std::int64_t classes) {
  auto model = options.model;
  model.in_channels = model.out_channels = latent_channels;
  model.num_classes = classes;
  if (options.conditioning == Conditioning::Added) model.cross_attention_dim = 0;
  if (options.conditioning == Conditioning::CrossAttention) {
    if (model.cross_attention_dim == 0) model.cross_attention_dim = model.time_channels();
    model.class_token = true;
  }
  check_argument(model.cross_attention_dim == 0 || model.class_token,
                 "[generator] expected model.class_token with model.cross_attention_dim ",
                 model.cross_attention_dim, ": there is no other context than the class");
  const auto attends = [](const std::vector<std::int64_t>& flags) {
    return std::any_of(flags.begin(), flags.end(), [](std::int64_t flag) { return flag != 0; });
  };
  check_argument(model.cross_attention_dim == 0 || model.mid_attention ||
                     attends(model.attention) || attends(model.up_attention),
                 "[generator] expected attention on some level for conditioning cross_attention; "
                 "without, the class is not seen");
  return model;
}

}  // namespace dermis
