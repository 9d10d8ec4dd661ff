#pragma once
/// \file
/// scheduler_config.json of a diffusers folder: what noise a network was trained with and how to
/// sample from it.

#include <filesystem>
#include <optional>
#include <variant>

#include "dermis/core/json.hpp"
#include "dermis/diffusion/ddim.hpp"
#include "dermis/diffusion/ddpm.hpp"
#include "dermis/diffusion/dpm_solver.hpp"
#include "dermis/diffusion/euler.hpp"
#include "dermis/diffusion/flow_match_euler.hpp"

namespace dermis {

/// What a scheduler_config.json says. The number of steps is none of it: set `steps` of the
/// sampler's options (DDPM begins with all of the schedule's).
struct SchedulerConfig {
  NoiseScheduleOptions schedule;
  Prediction prediction = Prediction::Epsilon;
  std::optional<RectifiedFlowOptions> flow;  ///< of a network that predicts a flow; schedule and
                                             ///< prediction are then not used
  std::variant<DDPMOptions, DDIMOptions, DPMSolverOptions, EulerOptions, FlowMatchEulerOptions>
      sampler;
};

/// From the keys of diffusers' DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler,
/// EulerDiscreteScheduler or FlowMatchEulerDiscreteScheduler, whichever `_class_name` says. Absent
/// keys have the values that the class gives them; keys of another of these classes are not read,
/// as diffusers does not. Tables are kept in single precision, as there. \throws std::runtime_error
/// naming `source`, key and value for a class, a key or a value that is
///         not supported (trained_betas and use_beta_sigmas among them)
SchedulerConfig scheduler_config_from_json(const Json& object, const std::string& source);

/// The same configuration as a JSON object that diffusers reads.
/// \throws std::invalid_argument naming an option that diffusers has no value for
Json scheduler_config_to_json(const SchedulerConfig& config);

/// Reads a file; the -Infinity that Python writes into JSON is read as the default.
/// \throws std::runtime_error as above, or if the file is missing or no JSON
SchedulerConfig read_scheduler_config(const std::filesystem::path& path);

/// Writes the file, whole or not at all.
void write_scheduler_config(const std::filesystem::path& path, const SchedulerConfig& config);

/// Samples from noise x [B, C, H, W] of N(0, 1) with the configuration's sampler. `noise` is needed
/// only where the sampler adds some.
at::Tensor draw_samples(const SchedulerConfig& config, const Denoiser& denoiser,
                        const at::Tensor& x, const NoiseSource& noise = {},
                        const SamplerCallback& callback = {});

}  // namespace dermis
