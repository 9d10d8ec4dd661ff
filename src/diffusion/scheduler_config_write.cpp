#include "dermis/core/file.hpp"
#include "dermis/diffusion/scheduler_config.hpp"
#include "scheduler_keys.hpp"

namespace dermis {
namespace {

/// The name of `value` in a list of names.
template <class T>
std::string name_in(const std::vector<std::pair<std::string, T>>& of, T value, const char* what) {
  for (const auto& [text, named] : of)
    if (named == value) return text;
  check_argument(false, "[scheduler_config] diffusers has no such ", what);
  return {};
}

void write_schedule(const SchedulerConfig& config, Json& object) {
  const auto& o = config.schedule;
  object["num_train_timesteps"] = o.steps;
  object["beta_start"] = o.beta_start;
  object["beta_end"] = o.beta_end;
  object["beta_schedule"] = name_in(kBetas, o.betas, "betas");
  object["trained_betas"] = nullptr;
  object["rescale_betas_zero_snr"] = o.zero_terminal_snr;
  object["prediction_type"] = name_in(kPredictions, config.prediction, "prediction");
}

template <class Options>
void write_spacing(const Options& o, Json& object) {
  object["timestep_spacing"] = name_in(kSpacings, o.spacing, "spacing (ldm)");
  object["steps_offset"] = o.steps_offset;
}

template <class Options>
void write_threshold(const Options& o, Json& object) {
  object["thresholding"] = o.threshold_ratio > 0;
  object["dynamic_thresholding_ratio"] = o.threshold_ratio > 0 ? o.threshold_ratio : 0.995;
  object["sample_max_value"] = o.threshold_max;
}

template <class Options>
void write_clip(const Options& o, Json& object) {
  write_threshold(o, object);
  object["clip_sample"] = o.clip > 0;
  object["clip_sample_range"] = o.clip > 0 ? o.clip : 1.0;
}

void write_sigmas(SigmaSpacing sigmas, Json& object) {
  object["use_karras_sigmas"] = sigmas == SigmaSpacing::Karras;
  object["use_exponential_sigmas"] = sigmas == SigmaSpacing::Exponential;
  object["use_beta_sigmas"] = false;
}

void write(const DDPMOptions& o, const SchedulerConfig& config, Json& object) {
  object["_class_name"] = "DDPMScheduler";
  write_schedule(config, object);
  write_spacing(o, object);
  write_clip(o, object);
  const bool quiet_end = o.variance == Variance::FixedSmall || o.spacing == Spacing::Linspace ||
                         (o.spacing == Spacing::Leading && o.steps_offset == 0);
  check_argument(o.noise_at_last || quiet_end,
                 "[scheduler_config] diffusers adds noise after the last step: expected "
                 "noise_at_last for variance ",
                 name(o.variance), " and spacing ", name(o.spacing));
  object["variance_type"] = std::string(name(o.variance));
}

void write(const DDIMOptions& o, const SchedulerConfig& config, Json& object) {
  const bool even = config.schedule.steps % o.steps == 0 &&
                    (o.spacing == Spacing::Leading || o.spacing == Spacing::Trailing);
  check_argument(
      o.whole_stride || even,
      "[scheduler_config] diffusers goes down by whole strides: expected whole_stride for ",
      o.steps, " of ", config.schedule.steps, " steps with spacing ", name(o.spacing));
  object["_class_name"] = "DDIMScheduler";
  write_schedule(config, object);
  write_spacing(o, object);
  write_clip(o, object);
  object["set_alpha_to_one"] = o.last_alpha_bar_one;
}

void write(const DPMSolverOptions& o, const SchedulerConfig& config, Json& object) {
  object["_class_name"] = "DPMSolverMultistepScheduler";
  write_schedule(config, object);
  write_spacing(o, object);
  write_threshold(o, object);
  object["solver_order"] = o.order;
  object["algorithm_type"] = std::string(name(o.algorithm));
  object["solver_type"] = std::string(name(o.correction));
  object["lower_order_final"] = o.lower_order_final;
  object["euler_at_final"] = o.first_order_final;
  write_sigmas(o.sigmas, object);
  object["use_lu_lambdas"] = o.sigmas == SigmaSpacing::Lu;
  object["final_sigmas_type"] = name_in(kFinalSigmas, o.last_sigma_zero, "last sigma");
  object["lambda_min_clipped"] = o.min_log_ratio;
  object["use_flow_sigmas"] = config.flow.has_value();
  if (config.flow) {
    object["flow_shift"] = config.flow->shift;
    object["prediction_type"] = "flow_prediction";
    object["num_train_timesteps"] = static_cast<std::int64_t>(config.flow->time_scale);
  }
}

void write(const EulerOptions& o, const SchedulerConfig& config, Json& object) {
  object["_class_name"] = "EulerDiscreteScheduler";
  write_schedule(config, object);
  write_spacing(o, object);
  write_sigmas(o.sigmas, object);
  object["sigma_min"] = o.sigma_min > 0 ? Json(o.sigma_min) : Json();
  object["sigma_max"] = o.sigma_max > 0 ? Json(o.sigma_max) : Json();
  check_argument(!o.continuous_time || config.prediction == Prediction::Velocity,
                 "[scheduler_config] diffusers has continuous times for prediction velocity alone, "
                 "got ",
                 name(config.prediction));
  object["timestep_type"] = o.continuous_time ? "continuous" : "discrete";
  object["final_sigmas_type"] = name_in(kFinalSigmas, o.last_sigma_zero, "last sigma");
  object["interpolation_type"] = "linear";
}

void write(const FlowMatchEulerOptions& o, const SchedulerConfig&, Json& object) {
  object["_class_name"] = "FlowMatchEulerDiscreteScheduler";
  object["num_train_timesteps"] = o.training_steps;
  object["shift"] = o.shift;
  object["use_dynamic_shifting"] = o.dynamic_shifting;
  object["base_shift"] = o.base_shift;
  object["max_shift"] = o.max_shift;
  object["base_image_seq_len"] = o.base_tokens;
  object["max_image_seq_len"] = o.max_tokens;
  object["invert_sigmas"] = o.inverted;
  object["shift_terminal"] = o.shift_terminal > 0 ? Json(o.shift_terminal) : Json();
  write_sigmas(o.sigmas, object);
  object["time_shift_type"] = std::string(name(o.time_shift));
  object["stochastic_sampling"] = o.stochastic;
}

}  // namespace

Json scheduler_config_to_json(const SchedulerConfig& config) {
  auto object = Json::object();
  std::visit([&](const auto& options) { write(options, config, object); }, config.sampler);
  return object;
}

void write_scheduler_config(const std::filesystem::path& path, const SchedulerConfig& config) {
  write_atomically(path, scheduler_config_to_json(config).dump(2) + "\n");
}

}  // namespace dermis
