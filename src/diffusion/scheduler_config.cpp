#include "dermis/diffusion/scheduler_config.hpp"

#include <set>

#include "dermis/core/file.hpp"

namespace dermis {
namespace {

constexpr const char* kSchedule[] = {
    "num_train_timesteps",    "beta_start",      "beta_end",     "beta_schedule",   "trained_betas",
    "rescale_betas_zero_snr", "prediction_type", "steps_offset", "timestep_spacing"};

/// Keys that other schedulers of diffusers write and that say nothing to the one being read.
constexpr const char* kForeign[] = {"skip_prk_steps",
                                    "set_alpha_to_one",
                                    "clip_sample",
                                    "clip_sample_range",
                                    "thresholding",
                                    "dynamic_thresholding_ratio",
                                    "sample_max_value",
                                    "variance_type",
                                    "solver_order",
                                    "algorithm_type",
                                    "solver_type",
                                    "lower_order_final",
                                    "euler_at_final",
                                    "use_karras_sigmas",
                                    "use_exponential_sigmas",
                                    "use_beta_sigmas",
                                    "use_lu_lambdas",
                                    "use_flow_sigmas",
                                    "flow_shift",
                                    "final_sigmas_type",
                                    "lambda_min_clipped",
                                    "use_dynamic_shifting",
                                    "time_shift_type",
                                    "interpolation_type",
                                    "sigma_min",
                                    "sigma_max",
                                    "timestep_type",
                                    "shift",
                                    "base_shift",
                                    "max_shift",
                                    "base_image_seq_len",
                                    "max_image_seq_len",
                                    "invert_sigmas",
                                    "shift_terminal",
                                    "stochastic_sampling"};

/// An object of which every key is asked for or refused.
class Keys {
 public:
  Keys(const Json& object, std::string source) : object_(object), source_(std::move(source)) {
    check_runtime(object.is_object(), "[scheduler_config] ", source_, ": expected an object, got ",
                  object.dump());
  }

  /// The value of `key`; `fallback` where it is absent or null.
  template <class T>
  T get(const char* key, T fallback) {
    return convert<T>(key, [&] { return object_.value(key, fallback); });
  }
  std::string get(const char* key, const char* fallback) {
    return get<std::string>(key, std::string(fallback));
  }

  /// The value that `of` has for the name found at `key`.
  template <class T>
  T choose(const char* key, const char* fallback,
           const std::vector<std::pair<std::string, T>>& of) {
    const auto found = get(key, fallback);
    std::string names;
    for (const auto& [text, value] : of) {
      if (text == found) return value;
      names += (names.empty() ? "" : ", ") + text;
    }
    refuse(key, names, Json(found));
  }

  /// Refuses any value of `key` but `only` and null.
  void expect(const char* key, const Json& only) {
    known_.insert(key);
    if (object_.contains(key) && !object_.at(key).is_null() && object_.at(key) != only)
      refuse(key, only.dump(), object_.at(key));
  }

  [[noreturn]] void refuse(const char* key, const std::string& expected, const Json& found) const {
    throw std::runtime_error(text("[scheduler_config] ", source_, ": key '", key, "': expected ",
                                  expected, ", got ", found.dump()));
  }

  /// Refuses keys that nobody asked for and that no other scheduler has. Call it last.
  void finish() {
    known_.insert(std::begin(kSchedule), std::end(kSchedule));
    known_.insert(std::begin(kForeign), std::end(kForeign));
    for (const auto& [key, value] : object_.items())
      if (key.rfind('_', 0) != 0)
        check_runtime(known_.count(key) > 0, "[scheduler_config] ", source_, ": unknown key '", key,
                      "' with value ", value.dump());
  }

 private:
  template <class T, class Read>
  T convert(const char* key, Read read) {
    known_.insert(key);
    try {
      return read();
    } catch (const std::exception& error) {
      throw std::runtime_error(text("[scheduler_config] ", source_, ": ", error.what()));
    }
  }

  const Json& object_;
  std::string source_;
  std::set<std::string> known_;
};

const std::vector<std::pair<std::string, Betas>> kBetas = {{"linear", Betas::Linear},
                                                           {"scaled_linear", Betas::ScaledLinear},
                                                           {"squaredcos_cap_v2", Betas::Cosine}};
const std::vector<std::pair<std::string, Spacing>> kSpacings = {{"linspace", Spacing::Linspace},
                                                                {"leading", Spacing::Leading},
                                                                {"trailing", Spacing::Trailing}};
const std::vector<std::pair<std::string, Prediction>> kPredictions = {
    {"epsilon", Prediction::Epsilon},
    {"sample", Prediction::Sample},
    {"v_prediction", Prediction::Velocity}};
const std::vector<std::pair<std::string, bool>> kFinalSigmas = {{"zero", true},
                                                                {"sigma_min", false}};

/// The name of `value`, the other way round.
template <class T>
std::string name_in(const std::vector<std::pair<std::string, T>>& of, T value, const char* what) {
  for (const auto& [text, named] : of)
    if (named == value) return text;
  check_argument(false, "[scheduler_config] diffusers has no such ", what);
  return {};
}

void read_schedule(Keys& keys, SchedulerConfig& config) {
  auto& o = config.schedule;
  o.steps = keys.get<std::int64_t>("num_train_timesteps", 1000);
  o.betas = keys.choose("beta_schedule", "linear", kBetas);
  o.beta_start = keys.get("beta_start", 1e-4);
  o.beta_end = keys.get("beta_end", 0.02);
  o.zero_terminal_snr = keys.get("rescale_betas_zero_snr", false);
  o.single_precision = true;
  keys.expect("trained_betas", nullptr);
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
void read_spacing(Keys& keys, const char* fallback, Options& o) {
  o.spacing = keys.choose("timestep_spacing", fallback, kSpacings);
  o.steps_offset = keys.get<std::int64_t>("steps_offset", 0);
}

template <class Options>
void write_spacing(const Options& o, Json& object) {
  object["timestep_spacing"] = name_in(kSpacings, o.spacing, "spacing (ldm)");
  object["steps_offset"] = o.steps_offset;
}

template <class Options>
void read_threshold(Keys& keys, Options& o) {
  const double ratio = keys.get("dynamic_thresholding_ratio", 0.995);
  o.threshold_max = keys.get("sample_max_value", 1.0);
  if (keys.get("thresholding", false)) o.threshold_ratio = ratio;
}

template <class Options>
void write_threshold(const Options& o, Json& object) {
  object["thresholding"] = o.threshold_ratio > 0;
  object["dynamic_thresholding_ratio"] = o.threshold_ratio > 0 ? o.threshold_ratio : 0.995;
  object["sample_max_value"] = o.threshold_max;
}

template <class Options>
void read_clip(Keys& keys, Options& o) {
  read_threshold(keys, o);
  const double range = keys.get("clip_sample_range", 1.0);
  if (keys.get("clip_sample", true)) o.clip = range;
}

template <class Options>
void write_clip(const Options& o, Json& object) {
  write_threshold(o, object);
  object["clip_sample"] = o.clip > 0;
  object["clip_sample_range"] = o.clip > 0 ? o.clip : 1.0;
}

SigmaSpacing read_sigmas(Keys& keys, bool lu) {
  keys.expect("use_beta_sigmas", false);
  const bool karras = keys.get("use_karras_sigmas", false);
  const bool exponential = keys.get("use_exponential_sigmas", false);
  if (karras && exponential)
    keys.refuse("use_exponential_sigmas", "false beside use_karras_sigmas", true);
  if (karras) return SigmaSpacing::Karras;
  if (lu && keys.get("use_lu_lambdas", false)) return SigmaSpacing::Lu;
  return exponential ? SigmaSpacing::Exponential : SigmaSpacing::Steps;
}

void write_sigmas(SigmaSpacing sigmas, Json& object) {
  object["use_karras_sigmas"] = sigmas == SigmaSpacing::Karras;
  object["use_exponential_sigmas"] = sigmas == SigmaSpacing::Exponential;
  object["use_beta_sigmas"] = false;
}

void read_ddpm(Keys& keys, SchedulerConfig& config) {
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

void read_ddim(Keys& keys, SchedulerConfig& config) {
  read_schedule(keys, config);
  config.prediction = keys.choose("prediction_type", "epsilon", kPredictions);
  DDIMOptions o;
  read_spacing(keys, "leading", o);
  read_clip(keys, o);
  o.last_alpha_bar_one = keys.get("set_alpha_to_one", true);
  o.whole_stride = true;
  config.sampler = o;
}

void write(const DDIMOptions& o, const SchedulerConfig& config, Json& object) {
  object["_class_name"] = "DDIMScheduler";
  write_schedule(config, object);
  write_spacing(o, object);
  write_clip(o, object);
  object["set_alpha_to_one"] = o.last_alpha_bar_one;
}

void read_dpm_solver(Keys& keys, SchedulerConfig& config) {
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

void read_euler(Keys& keys, SchedulerConfig& config) {
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

void read_flow_match_euler(Keys& keys, SchedulerConfig& config) {
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

SchedulerConfig scheduler_config_from_json(const Json& object, const std::string& source) {
  using Read = void (*)(Keys&, SchedulerConfig&);
  Keys keys(object, source);
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

Json scheduler_config_to_json(const SchedulerConfig& config) {
  auto object = Json::object();
  std::visit([&](const auto& options) { write(options, config, object); }, config.sampler);
  return object;
}

SchedulerConfig read_scheduler_config(const std::filesystem::path& path) {
  auto content = read_file(path);
  const std::string infinity = "-Infinity";
  for (auto at = content.find(infinity); at != std::string::npos; at = content.find(infinity, at))
    content.replace(at, infinity.size(), "null");
  return scheduler_config_from_json(Json::parse(content, path.string()), path.string());
}

void write_scheduler_config(const std::filesystem::path& path, const SchedulerConfig& config) {
  write_atomically(path, scheduler_config_to_json(config).dump(2) + "\n");
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
