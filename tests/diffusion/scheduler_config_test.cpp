#include "dermis/diffusion/scheduler_config.hpp"

#include <fstream>

#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

SchedulerConfig parsed(const std::string& text) {
  return scheduler_config_from_json(Json::parse(text, "test"), "here.json");
}
/// The error for a configuration of `class_name` with one more member.
std::string message_for(const std::string& class_name, const std::string& member) {
  return test::message_of<std::runtime_error>(
      [&] { parsed("{\"_class_name\": \"" + class_name + "\", " + member + "}"); });
}

}  // namespace

TEST_CASE("scheduler config: Stable Diffusion's, with keys of other schedulers") {
  const auto config = parsed(R"({
    "_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false,
    "num_train_timesteps": 1000, "prediction_type": "v_prediction", "set_alpha_to_one": false,
    "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null})");
  CHECK(config.schedule.betas == Betas::ScaledLinear);
  CHECK(config.schedule.beta_end == 0.012);
  CHECK(config.schedule.single_precision);
  CHECK(config.prediction == Prediction::Velocity);
  CHECK_FALSE(config.flow.has_value());
  const auto& options = std::get<DDIMOptions>(config.sampler);
  CHECK(options.spacing == Spacing::Leading);
  CHECK(options.steps_offset == 1);
  CHECK(options.clip == 0);
  CHECK_FALSE(options.last_alpha_bar_one);
  CHECK(options.whole_stride);
}

TEST_CASE("scheduler config: absent keys have each class's defaults") {
  const auto ddpm = parsed(R"({"_class_name": "DDPMScheduler"})");
  const auto& ancestral = std::get<DDPMOptions>(ddpm.sampler);
  CHECK(ancestral.spacing == Spacing::Leading);
  CHECK(ancestral.clip == 1.0);
  CHECK(ancestral.steps == 1000);
  CHECK(ancestral.variance == Variance::FixedSmall);
  CHECK(ddpm.schedule.betas == Betas::Linear);
  const auto dpm = parsed(R"({"_class_name": "DPMSolverMultistepScheduler"})");
  const auto& solver = std::get<DPMSolverOptions>(dpm.sampler);
  CHECK(solver.order == 2);
  CHECK(solver.algorithm == DPMAlgorithm::Clean);
  CHECK(solver.spacing == Spacing::Linspace);
  CHECK(solver.last_sigma_zero);
  const auto euler = parsed(R"({"_class_name": "EulerDiscreteScheduler"})");
  CHECK(std::get<EulerOptions>(euler.sampler).sigmas == SigmaSpacing::Steps);
  const auto flow = parsed(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})");
  CHECK(std::get<FlowMatchEulerOptions>(flow.sampler).shift == 3.0);
  CHECK(flow.flow->shift == 3.0);
  CHECK(flow.flow->time_scale == 1000);
}

TEST_CASE("scheduler config: what is not supported is refused by name and value") {
  using Catch::Contains;
  CHECK_THAT(message_for("PNDMScheduler", "\"beta_end\": 0.1"),
             Contains("here.json: key '_class_name': expected DDPMScheduler") &&
                 Contains("got \"PNDMScheduler\""));
  CHECK_THAT(test::message_of<std::runtime_error>([] { parsed("[1]"); }),
             Contains("here.json: expected an object"));
  CHECK_THAT(message_for("DDIMScheduler", "\"trained_betas\": [0.1, 0.2]"),
             Contains("key 'trained_betas': expected null, got [0.1,0.2]") ||
                 Contains("key 'trained_betas': expected null, got [0.1, 0.2]"));
  CHECK_THAT(message_for("DDIMScheduler", "\"beta_schedule\": \"sigmoid\""),
             Contains("key 'beta_schedule': expected linear, scaled_linear, squaredcos_cap_v2, got "
                      "\"sigmoid\""));
  CHECK_THAT(message_for("DDPMScheduler", "\"prediction_type\": \"flow_prediction\""),
             Contains("key 'prediction_type'") && Contains("got \"flow_prediction\""));
  CHECK_THAT(message_for("DDPMScheduler", "\"clip_sample\": 3"),
             Contains("key 'clip_sample': expected true or false, got 3"));
  CHECK_THAT(message_for("DDPMScheduler", "\"beta_end\": \"much\""),
             Contains("key 'beta_end': expected a number, got \"much\""));
  CHECK_THAT(message_for("DDPMScheduler", "\"num_train_timesteps\": 10.5"),
             Contains("key 'num_train_timesteps': expected an integer, got 10.5"));
  CHECK_THAT(message_for("DDPMScheduler", "\"beta_schedule\": 1"),
             Contains("key 'beta_schedule': expected a string, got 1"));
  CHECK_THAT(message_for("DDPMScheduler", "\"churn\": 1"),
             Contains("unknown key 'churn' with value 1"));
  CHECK_THAT(message_for("EulerDiscreteScheduler", "\"use_beta_sigmas\": true"),
             Contains("key 'use_beta_sigmas': expected false, got true"));
  CHECK_THAT(message_for("EulerDiscreteScheduler", "\"interpolation_type\": \"log_linear\""),
             Contains("key 'interpolation_type': expected \"linear\", got \"log_linear\""));
  CHECK_THAT(message_for("EulerDiscreteScheduler",
                         "\"use_karras_sigmas\": true, \"use_exponential_sigmas\": true"),
             Contains("key 'use_exponential_sigmas': expected false beside use_karras_sigmas"));
  CHECK_THAT(message_for("DPMSolverMultistepScheduler", "\"variance_type\": \"learned\""),
             Contains("key 'variance_type': expected null, got \"learned\""));
  CHECK_THAT(message_for("DPMSolverMultistepScheduler", "\"use_flow_sigmas\": true"),
             Contains("key 'prediction_type': expected flow_prediction, got \"epsilon\""));
  CHECK_THAT(message_for("DPMSolverMultistepScheduler",
                         "\"use_flow_sigmas\": true, \"prediction_type\": \"flow_prediction\", "
                         "\"use_karras_sigmas\": true"),
             Contains("key 'use_flow_sigmas': expected false beside karras sigmas, got true"));
}

TEST_CASE("scheduler config: written files read back the same, sampling included") {
  const test::ScratchFolder folder;
  const auto path = folder.path() / "scheduler_config.json";
  const auto x = randn({1, 2, 4, 4});
  const Denoiser network = [](const at::Tensor& at_x, const at::Tensor& t) {
    return 0.3 * torch::sin(t.to(torch::kFloat) / 100).view({-1, 1, 1, 1}) * at_x + 0.1;
  };
  for (const std::string text :
       {R"({"_class_name": "DDPMScheduler", "variance_type": "fixed_large", "thresholding": true})",
        R"({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": true,
            "prediction_type": "v_prediction", "timestep_spacing": "trailing"})",
        R"({"_class_name": "DPMSolverMultistepScheduler", "solver_order": 3,
            "algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": true})",
        R"({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": true,
            "prediction_type": "flow_prediction", "flow_shift": 3.0})",
        R"({"_class_name": "EulerDiscreteScheduler", "sigma_max": 20.0,
            "timestep_type": "continuous", "prediction_type": "v_prediction"})",
        R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true,
            "time_shift_type": "linear", "shift_terminal": 0.1})"}) {
    auto config = parsed(text);
    write_scheduler_config(path, config);
    auto back = read_scheduler_config(path);
    CHECK(scheduler_config_to_json(back) == scheduler_config_to_json(config));
    for (auto* c : {&config, &back})
      std::visit([](auto& options) { options.steps = 6; }, c->sampler);
    const auto draw = [&](const SchedulerConfig& c) {
      return draw_samples(c, network, x, noise_from(test::generator(1)));
    };
    CHECK(torch::isfinite(draw(config)).all().item<bool>());
    CHECK(torch::equal(draw(config), draw(back)));
  }
}

TEST_CASE("scheduler config: Python's -Infinity, and files that are none") {
  const test::ScratchFolder folder;
  const auto path = folder.path() / "scheduler_config.json";
  std::ofstream(path) << R"({"_class_name": "DPMSolverMultistepScheduler",
                             "lambda_min_clipped": -Infinity})";
  CHECK(std::get<DPMSolverOptions>(read_scheduler_config(path).sampler).min_log_ratio == -100);
  std::ofstream(path) << "{";
  CHECK_THAT(test::message_of<std::runtime_error>([&] { read_scheduler_config(path); }),
             Catch::Contains(path.string()));
  CHECK_THROWS_AS(read_scheduler_config(folder.path() / "none.json"), std::runtime_error);
}

TEST_CASE("scheduler config: options that diffusers lacks are not written") {
  const auto message = [](SchedulerConfig config) {
    return test::message_of([&] { scheduler_config_to_json(config); });
  };
  CHECK_THAT(message({.sampler = DDIMOptions{.spacing = Spacing::LDM, .whole_stride = true}}),
             Catch::Contains("no such spacing (ldm)"));
  CHECK_THAT(message({.sampler = DDIMOptions{.steps = 7}}),
             Catch::Contains("expected whole_stride for 7 of 1000 steps"));
  CHECK_THAT(message({.sampler = DDPMOptions{.variance = Variance::FixedLarge}}),
             Catch::Contains("expected noise_at_last for variance fixed_large"));
  CHECK_THAT(message({.sampler = EulerOptions{.continuous_time = true}}),
             Catch::Contains("prediction velocity alone, got epsilon"));
  CHECK(message({.sampler = DDIMOptions{}}).empty());
}
