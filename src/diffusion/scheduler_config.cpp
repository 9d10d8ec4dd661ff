#include "dermis/diffusion/scheduler_config.hpp"

#include "dermis/core/file.hpp"
#include "scheduler_keys.hpp"

namespace dermis {
namespace {

void read_schedule(const Keys& keys, SchedulerConfig& config) {
  auto& o = config.schedule;
  o.steps = keys.get<std::int64_t>("num_train_timesteps", 1000);
  o.betas = keys.choose("beta_schedule", "linear", kBetas);
  o.beta_start = keys.get("beta_start", 1e-4);
  o.beta_end = keys.get("beta_end", 0.02);
  o.zero_terminal_snr = keys.get("rescale_betas_zero_snr", false);
  o.single_precision = true;
  keys.expect("trained_betas", nullptr);
}

template <class Options>
void read_spacing(const Keys& keys, const char* fallback, Options& o) {
  o.spacing = keys.choose("timestep_spacing", fallback, kSpacings);
  o.steps_offset = keys.get<std::int64_t>("steps_offset", 0);
}

template <class Options>
void read_threshold(const Keys& keys, Options& o) {
  const double ratio = keys.get("dynamic_thresholding_ratio", 0.995);
  o.threshold_max = keys.get("sample_max_value", 1.0);
  if (keys.get("thresholding", false)) o.threshold_ratio = ratio;
}

template <class Options>
void read_clip(const Keys& keys, Options& o) {
  read_threshold(keys, o);
  const double range = keys.get("clip_sample_range", 1.0);
  if (keys.get("clip_sample", true)) o.clip = range;
}

SigmaSpacing read_sigmas(const Keys& keys, bool lu) {
  keys.expect("use_beta_sigmas", false);
  const bool karras = keys.get("use_karras_sigmas", false);
  const bool exponential = keys.get("use_exponential_sigmas", false);
  if (karras && exponential)
    keys.refuse("use_exponential_sigmas", "false beside use_karras_sigmas", true);
  if (karras) return SigmaSpacing::Karras;
  if (lu && keys.get("use_lu_lambdas", false)) return SigmaSpacing::Lu;
  return exponential ? SigmaSpacing::Exponential : SigmaSpacing::Steps;
}

void read_ddpm(const Keys& keys, SchedulerConfig& config) {
  read_schedule(keys, config);
  config.prediction = keys.choose("prediction_type", "epsilon", kPredictions);
  DDPMOptions o{.steps = config.schedule.steps};
  read_spacing(keys, "leading", o);
  read_clip(keys, o);
  // The logarithms name the same variances: fixed_large_log as GLIDE means it, since diffusers
  // takes the root of a negative number there.
  o.variance = keys.choose<Variance>("variance_type", "fixed_small",
                                     {{"fixed_small", Variance::FixedSmall},
                                      {"fixed_small_log", Variance::FixedSmall},
                                      {"fixed_large", Variance::FixedLarge},
                                      {"fixed_large_log", Variance::FixedLarge},
                                      {"learned", Variance::Learned},
                                      {"learned_range", Variance::LearnedRange}});
  o.noise_at_last = true;
  config.sampler = o;
}

void read_ddim(const Keys& keys, SchedulerConfig& config) {
  read_schedule(keys, config);
  config.prediction = keys.choose("prediction_type", "epsilon", kPredictions);
  DDIMOptions o;
  read_spacing(keys, "leading", o);
  read_clip(keys, o);
  o.last_alpha_bar_one = keys.get("set_alpha_to_one", true);
  o.whole_stride = true;
  config.sampler = o;
}

void read_dpm_solver(const Keys& keys, SchedulerConfig& config) {
  read_schedule(keys, config);
  DPMSolverOptions o;
  read_spacing(keys, "linspace", o);
  read_threshold(keys, o);
  o.order = keys.get<std::int64_t>("solver_order", 2);
  o.algorithm = keys.choose<DPMAlgorithm>("algorithm_type", "dpmsolver++",
                                          {{"dpmsolver++", DPMAlgorithm::Clean},
                                           {"dpmsolver", DPMAlgorithm::Noise},
                                           {"sde-dpmsolver++", DPMAlgorithm::CleanSDE},
                                           {"sde-dpmsolver", DPMAlgorithm::NoiseSDE}});
  o.correction = keys.choose<DPMCorrection>(
      "solver_type", "midpoint",
      {{"midpoint", DPMCorrection::Midpoint}, {"heun", DPMCorrection::Heun}});
  o.lower_order_final = keys.get("lower_order_final", true);
  o.first_order_final = keys.get("euler_at_final", false);
  o.sigmas = read_sigmas(keys, true);
  o.last_sigma_zero = keys.choose("final_sigmas_type", "zero", kFinalSigmas);
  o.min_log_ratio = keys.get("lambda_min_clipped", o.min_log_ratio);
  keys.expect("variance_type", nullptr);
  keys.expect("use_dynamic_shifting", false);
  const bool flow = keys.get("use_flow_sigmas", false);
  const double shift = keys.get("flow_shift", 1.0);
  if (flow) {
    keys.choose<bool>("prediction_type", "epsilon", {{"flow_prediction", true}});
    if (o.sigmas != SigmaSpacing::Steps)
      keys.refuse("use_flow_sigmas", text("false beside ", name(o.sigmas), " sigmas"), true);
    config.flow = RectifiedFlowOptions{.shift = shift,
                                       .time_scale = static_cast<double>(config.schedule.steps)};
  } else {
    config.prediction = keys.choose("prediction_type", "epsilon", kPredictions);
  }
  config.sampler = o;
}

void read_euler(const Keys& keys, SchedulerConfig& config) {
  read_schedule(keys, config);
  config.prediction = keys.choose("prediction_type", "epsilon", kPredictions);
  EulerOptions o;
  read_spacing(keys, "linspace", o);
  o.sigmas = read_sigmas(keys, false);
  o.sigma_min = keys.get("sigma_min", 0.0);
  o.sigma_max = keys.get("sigma_max", 0.0);
  const bool continuous =
      keys.choose<bool>("timestep_type", "discrete", {{"discrete", false}, {"continuous", true}});
  // diffusers has continuous times for velocities alone.
  o.continuous_time = continuous && config.prediction == Prediction::Velocity;
  o.last_sigma_zero = keys.choose("final_sigmas_type", "zero", kFinalSigmas);
  keys.expect("interpolation_type", "linear");
  config.sampler = o;
}

void read_flow_match_euler(const Keys& keys, SchedulerConfig& config) {
  FlowMatchEulerOptions o;
  o.training_steps = keys.get<std::int64_t>("num_train_timesteps", 1000);
  o.shift = keys.get("shift", 1.0);
  o.dynamic_shifting = keys.get("use_dynamic_shifting", false);
  o.base_shift = keys.get("base_shift", 0.5);
  o.max_shift = keys.get("max_shift", 1.15);
  o.base_tokens = keys.get<std::int64_t>("base_image_seq_len", 256);
  o.max_tokens = keys.get<std::int64_t>("max_image_seq_len", 4096);
  o.inverted = keys.get("invert_sigmas", false);
  o.shift_terminal = keys.get("shift_terminal", 0.0);
  o.sigmas = read_sigmas(keys, false);
  o.time_shift = keys.choose<TimeShift>(
      "time_shift_type", "exponential",
      {{"exponential", TimeShift::Exponential}, {"linear", TimeShift::Linear}});
  o.mu = o.base_shift;
  o.stochastic = keys.get("stochastic_sampling", false);
  config.flow = RectifiedFlowOptions{.shift = o.dynamic_shifting ? 1.0 : o.shift,
                                     .time_scale = static_cast<double>(o.training_steps)};
  config.sampler = o;
}

}  // namespace

SchedulerConfig scheduler_config_from_json(const Json& object, const std::string& source) {
  using Read = void (*)(const Keys&, SchedulerConfig&);
  const Keys keys(object, source);
  SchedulerConfig config;
  const auto read = keys.choose<Read>("_class_name", "",
                                      {{"DDPMScheduler", read_ddpm},
                                       {"DDIMScheduler", read_ddim},
                                       {"DPMSolverMultistepScheduler", read_dpm_solver},
                                       {"EulerDiscreteScheduler", read_euler},
                                       {"FlowMatchEulerDiscreteScheduler", read_flow_match_euler}});
  read(keys, config);
  keys.finish();
  return config;
}

SchedulerConfig read_scheduler_config(const std::filesystem::path& path) {
  auto content = read_file(path);
  const std::string infinity = "-Infinity";
  for (auto at = content.find(infinity); at != std::string::npos; at = content.find(infinity, at))
    content.replace(at, infinity.size(), "null");
  return scheduler_config_from_json(Json::parse(content, path.string()), path.string());
}

at::Tensor draw_samples(const SchedulerConfig& config, const Denoiser& denoiser,
                        const at::Tensor& x, const NoiseSource& noise,
                        const SamplerCallback& callback) {
  const auto process = [&] {
    return DiffusionProcess(NoiseSchedule(config.schedule), config.prediction);
  };
  return std::visit(
      [&](const auto& options) -> at::Tensor {
        using Options = std::decay_t<decltype(options)>;
        if constexpr (std::is_same_v<Options, FlowMatchEulerOptions>) {
          return FlowMatchEuler(options).sample(denoiser, x, noise, callback);
        } else if constexpr (std::is_same_v<Options, DPMSolverOptions>) {
          const DPMSolver solver = config.flow ? DPMSolver(RectifiedFlow(*config.flow), options)
                                               : DPMSolver(process(), options);
          return solver.sample(denoiser, x, noise, callback);
        } else if constexpr (std::is_same_v<Options, EulerOptions>) {
          return Euler(process(), options).sample(denoiser, x, noise, callback);
        } else if constexpr (std::is_same_v<Options, DDIMOptions>) {
          return DDIM(process(), options).sample(denoiser, x, noise, callback);
        } else {
          return DDPM(process(), options).sample(denoiser, x, noise, callback);
        }
      },
      config.sampler);
}

}  // namespace dermis
