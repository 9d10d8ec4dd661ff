/// \file
/// Noise tables and whole trajectories of diffusers' schedulers, run on a network of one line.

#include <cmath>

#include "case.hpp"
#include "dermis/diffusion/flow_training.hpp"
#include "dermis/diffusion/scheduler_config.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;

/// The class's constructor arguments as its scheduler_config.json.
SchedulerConfig configuration(const std::string& class_name, const Json& arguments,
                              const std::string& source) {
  auto object = Json::object({{"_class_name", class_name}});
  for (const auto& [key, value] : arguments.items()) object[key] = value;
  return scheduler_config_from_json(object, source);
}

/// The settings that diffusers takes at sampling.
void set_runtime(SchedulerConfig& config, const Json& run) {
  const auto &timesteps = run.at("set_timesteps"), &step = run.at("step");
  std::visit([&](auto& o) { o.steps = run.at("num_inference_steps").get<std::int64_t>(); },
             config.sampler);
  if (auto* o = std::get_if<DDIMOptions>(&config.sampler)) {
    o->eta = step.value("eta", o->eta);
    o->noise_from_clipped = step.value("use_clipped_model_output", o->noise_from_clipped);
  } else if (auto* o = std::get_if<EulerOptions>(&config.sampler)) {
    o->churn = step.value("s_churn", o->churn);
    o->churn_min = step.value("s_tmin", o->churn_min);
    o->churn_max = step.value("s_tmax", o->churn_max);
    o->churn_noise = step.value("s_noise", o->churn_noise);
  } else if (auto* o = std::get_if<FlowMatchEulerOptions>(&config.sampler)) {
    o->mu = timesteps.value("mu", o->mu);
  }
}

at::Tensor numbers(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

/// What a run shows of its sampler: appended to `out` behind `prefix`.
struct Trace {
  std::vector<at::Tensor> inputs, samples, clean;

  /// 0.3 sin(t / 100) x + 0.1; beside it a made-up learned variance, if asked for.
  Denoiser network(bool learned_variance) {
    return [this, learned_variance](const at::Tensor& x, const at::Tensor& t) {
      inputs.push_back(x);
      const auto output = 0.3 * std::sin(t[0].item<double>() / 100.0) * x + 0.1;
      return learned_variance ? at::cat({output, (3.0 * x).sin()}, 1) : output;
    };
  }
  SamplerCallback callback() {
    return [this](const SamplerProgress& progress) {
      samples.push_back(progress.x);
      clean.push_back(progress.x0);
    };
  }
};

/// Tensors of one run; the sampler says which.
StateDict run_scheduler(const SchedulerConfig& config, const Json& run, const at::Tensor& x,
                        const NoiseSource& noise) {
  Trace trace;
  StateDict out;
  const auto network = trace.network(run.value("learned_variance_input", false));
  const DiffusionProcess process{NoiseSchedule(config.schedule), config.prediction};
  double initial_sigma = 1.0;
  const auto sample = [&](const auto& sampler) {
    sampler.sample(network, x, noise, trace.callback());
    out.emplace_back("prev_sample", at::stack(trace.samples));
  };
  if (const auto* o = std::get_if<DDPMOptions>(&config.sampler)) {
    const DDPM sampler(process, *o);
    sample(sampler);
    out.emplace_back("timesteps", at::tensor(sampler.timesteps(), at::kLong));
    out.emplace_back("pred_original_sample", at::stack(trace.clean));
  } else if (const auto* o = std::get_if<DDIMOptions>(&config.sampler)) {
    const DDIM sampler(process, *o);
    sample(sampler);
    out.emplace_back("timesteps", at::tensor(sampler.timesteps(), at::kLong));
    out.emplace_back("pred_original_sample", at::stack(trace.clean));
  } else if (const auto* o = std::get_if<DPMSolverOptions>(&config.sampler)) {
    const auto sampler =
        config.flow ? DPMSolver(RectifiedFlow(*config.flow), *o) : DPMSolver(process, *o);
    sample(sampler);
    out.emplace_back("timesteps", at::tensor(sampler.timesteps(), at::kLong));
    out.emplace_back("sigmas", numbers(sampler.sigmas()));
  } else if (const auto* o = std::get_if<EulerOptions>(&config.sampler)) {
    const Euler sampler(process, *o);
    sample(sampler);
    initial_sigma = sampler.initial_sigma();
    out.emplace_back("timesteps", numbers(sampler.times()));
    out.emplace_back("sigmas", numbers(sampler.sigmas()));
    out.emplace_back("pred_original_sample", at::stack(trace.clean));
    out.emplace_back("scaled_input", at::stack(trace.inputs));
  } else {
    const auto start =
        run.at("set_timesteps").value<std::vector<double>>("sigmas", std::vector<double>{});
    const FlowMatchEuler sampler(std::get<FlowMatchEulerOptions>(config.sampler), start);
    sample(sampler);
    out.emplace_back("timesteps", numbers(sampler.times()));
    out.emplace_back("sigmas", numbers(sampler.sigmas()));
  }
  out.emplace_back("init_noise_sigma", numbers({initial_sigma}));
  return out;
}

StateDict trajectories(const Case& parity_case) {
  const auto inputs = parity_case.inputs();
  const auto noise = noise_from(parity::at(inputs, "noise"));
  StateDict out;
  for (const auto& [name, run] : parity_case.config.at("runs").items()) {
    const auto source = parity_case.name + ": " + name;
    auto config = configuration(parity_case.config.at("scheduler").get<std::string>(),
                                run.at("config"), source);
    set_runtime(config, run);
    append(out, run_scheduler(config, run, parity::at(inputs, "x"), noise), name + ".");
  }
  return out;
}

/// Besides trajectories, what flow training takes from the table of times.
StateDict flow_trajectories(const Case& parity_case) {
  auto out = trajectories(parity_case);
  const auto inputs = parity_case.inputs();
  const FlowMatchEulerOptions options{.shift = parity_case.config.value("train_shift", 3.0)};
  const auto table = numbers(training_sigmas(options)).to(at::kFloat);
  const auto index = parity::at(inputs, "train_index");
  const auto sigmas = table.index_select(0, index);
  const auto shape = parity::at(inputs, "x").sizes().vec();
  auto batch_shape = shape;
  batch_shape.front() = index.size(0);
  const auto x0 = parity::at(inputs, "x").expand(batch_shape);
  const RectifiedFlow flow;
  const auto batch = flow.corrupt(x0, parity::at(inputs, "noise")[0].expand(batch_shape), sigmas);
  out.emplace_back("train.sigmas", sigmas);
  out.emplace_back("train.timesteps", batch.time);
  out.emplace_back("train.noisy", batch.x);
  for (const auto weighting :
       {FlowWeighting::None, FlowWeighting::SigmaSqrt, FlowWeighting::CosMap})
    out.emplace_back(text("train.weight_", name(weighting)), flow_weight(weighting, sigmas));
  return out;
}

/// Tables of every schedule, plain and without terminal signal, and what they make of x0.
StateDict tables(const Case& parity_case) {
  const auto inputs = parity_case.inputs();
  const auto t = parity::at(inputs, "t");
  auto shape = parity::at(inputs, "x0").sizes().vec();
  shape.front() = t.size(0);
  const auto x0 = parity::at(inputs, "x0").expand(shape),
             noise = parity::at(inputs, "noise").expand(shape);
  StateDict out;
  for (const auto& [name, arguments] : parity_case.config.at("schedules").items())
    for (const bool zero_snr : {false, true}) {
      const auto prefix = name + (zero_snr ? ".zero_snr." : ".");
      auto config = configuration("DDPMScheduler", arguments, parity_case.name + ": " + name);
      config.schedule.zero_terminal_snr = zero_snr;
      const DiffusionProcess process{NoiseSchedule(config.schedule), Prediction::Velocity};
      const auto& schedule = process.schedule();
      std::vector<double> betas, alpha_bars, snr;
      for (std::int64_t i = 0; i < schedule.steps(); ++i) {
        betas.push_back(schedule.beta(i));
        alpha_bars.push_back(schedule.alpha_bar(i));
      }
      for (std::int64_t i = 0; i < t.size(0); ++i)
        snr.push_back(schedule.snr(t[i].item<std::int64_t>()));
      const auto batch = process.corrupt(x0, noise, t);
      out.emplace_back(prefix + "betas", numbers(betas));
      out.emplace_back(prefix + "alphas_cumprod", numbers(alpha_bars));
      out.emplace_back(prefix + "snr", numbers(snr));
      out.emplace_back(prefix + "noisy", batch.x);
      out.emplace_back(prefix + "velocity", batch.target);
    }
  return out;
}

const Register ddpm{"06a", trajectories}, ddim{"06b", trajectories},
    dpm_solver{"06c", trajectories}, euler{"06d", trajectories},
    flow_euler{"06e", flow_trajectories}, noise_tables{"06f", tables};

}  // namespace
