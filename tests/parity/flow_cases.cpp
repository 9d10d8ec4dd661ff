/// \file
/// Rectified flow in both directions of time: losses, targets, samplers, densities and weights.

#include "case.hpp"
#include "dermis/diffusion/flow_match_euler.hpp"
#include "dermis/diffusion/flow_training.hpp"
#include "dermis/diffusion/original_flow.hpp"
#include "dermis/diffusion/rectified_flow.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;

/// The original direction. The network is a x cos(time / 999) + b time / 999 + c.
void original_direction(const Case& parity_case, const StateDict& inputs, StateDict& out) {
  const auto& config = parity_case.config;
  OriginalFlowOptions options{.noise_scale = config.value("noise_scale", 1.0)};
  const OriginalFlow flow(options);
  const auto constants = parity::at(inputs, "velocity").to(at::kDouble);
  const auto a = constants[0].item<double>(), b = constants[1].item<double>(),
             c = constants[2].item<double>();
  const Denoiser network = [&](const at::Tensor& x, const at::Tensor& time) {
    const auto t = (time / options.time_scale).view({-1, 1, 1, 1});
    return a * x * t.cos() + b * t + c;
  };
  const auto x1 = parity::at(inputs, "x1"), noise = parity::at(inputs, "z0");
  const auto u = parity::at(inputs, "u");
  const auto losses = [&](const std::string& prefix, const at::Tensor& z, const at::Tensor& t) {
    const auto batch = flow.corrupt(x1, z, t);
    const auto output = network(batch.x, batch.time);
    out.emplace_back(prefix + "_mean", flow_loss(output, batch.target).view({1}));
    out.emplace_back(prefix + "_sum", flow_loss(output, batch.target, true).view({1}));
  };
  const auto z0 = options.noise_scale * noise;
  const auto batch = flow.corrupt(x1, z0, flow.times(u));
  out.emplace_back("rf.t", flow.times(u));
  out.emplace_back("rf.x_t", batch.x);
  out.emplace_back("rf.target", batch.target);
  losses("rf.loss", z0, flow.times(u));
  losses("rf.reflow_uniform", noise, flow.times(u));
  losses("rf.reflow_t0", noise, flow.times(at::zeros_like(u)));
  losses("rf.reflow_t1", noise, flow.times(at::ones_like(u)));
  losses("rf.reflow_k4", noise, flow.student_times(parity::at(inputs, "k4"), 4));
  options.sigma = config.value("sigma_var", 0.25);
  const OriginalFlow stochastic(options);
  const auto fresh = noise_from(parity::at(inputs, "z"));
  for (const auto steps : config.at("steps").get<std::vector<std::int64_t>>()) {
    out.emplace_back(text("rf.euler_N", steps), flow.sample(network, noise, steps));
    out.emplace_back(text("rf.euler_sigma_N", steps),
                     stochastic.sample(network, noise, steps, fresh));
  }
}

/// SD3's and Flux's direction.
void flux_direction(const Case& parity_case, const StateDict& inputs, StateDict& out) {
  const auto& config = parity_case.config;
  const double shift = config.value("shift", 3.0);
  RectifiedFlowOptions options{.logit_mean = config.value("logit_mean", 0.0),
                               .logit_std = config.value("logit_std", 1.0),
                               .mode_scale = config.value("mode_scale", 1.29)};
  const auto times = [&](TimeDensity density, const at::Tensor& u) {
    options.density = density;
    return RectifiedFlow(options).times(u);
  };
  const auto uniforms = parity::at(inputs, "uniforms"), normals = parity::at(inputs, "normals");
  const auto uniform_of = at::special_ndtr(normals.to(at::kDouble));  // of the normal draws
  const auto none = times(TimeDensity::Uniform, uniforms);
  out.emplace_back("u.none", none);
  out.emplace_back("u.mode", times(TimeDensity::Mode, uniforms));
  out.emplace_back("u.logit_normal", times(TimeDensity::LogitNormal, uniform_of));
  for (const auto weighting :
       {FlowWeighting::None, FlowWeighting::SigmaSqrt, FlowWeighting::CosMap})
    out.emplace_back(text("weight.", name(weighting)),
                     flow_weight(weighting, none.masked_select(none > 0)));

  const RectifiedFlow flow;
  const auto latents = parity::at(inputs, "latents"), noise = parity::at(inputs, "noise");
  const auto batch_size = latents.size(0);

  // The first three draws are special values; training takes those that follow.
  const auto drawn_uniforms = uniforms.slice(0, 3, 3 + batch_size);
  const auto drawn_normals = normals.slice(0, 3, 3 + batch_size);
  const auto sigmoid = at::sigmoid(config.value("sigmoid_scale", 1.0) * drawn_normals);
  const FlowMatchEulerOptions euler{.shift = shift};
  const auto table = at::tensor(training_sigmas(euler), at::kDouble).to(at::kFloat);
  const auto logit_normal = times(TimeDensity::LogitNormal, uniform_of.slice(0, 3, 3 + batch_size));
  const auto index = (logit_normal * static_cast<double>(table.size(0))).to(at::kLong);
  const auto tokens = (latents.size(2) / 2) * (latents.size(3) / 2);
  const std::vector<std::pair<std::string, at::Tensor>> samplings = {
      {"uniform", drawn_uniforms},
      {"sigmoid", sigmoid},
      {"shift", shifted_times(sigmoid, shift)},
      {"flux_shift", shifted_times(sigmoid, std::exp(dynamic_mu(euler, tokens)))},
      {"sigma", table.index_select(0, index)}};
  for (const auto& [name, s] : samplings) {
    const auto batch = flow.corrupt(latents, noise, s);
    out.emplace_back("kohya." + name + ".sigmas", s);
    out.emplace_back("kohya." + name + ".timesteps", batch.time);
    out.emplace_back("kohya." + name + ".noisy", batch.x);
    if (name != "shift") continue;
    out.emplace_back("flow.noisy", batch.x);
    out.emplace_back("flow.target", batch.target);
    const auto output = parity::at(inputs, "model_pred");
    for (const auto prediction :
         {FlowPrediction::Raw, FlowPrediction::Additive, FlowPrediction::SigmaScaled})
      out.emplace_back(text("pred.", dermis::name(prediction)),
                       flow_output(prediction, output, batch.x, s));
    for (const auto weighting :
         {FlowWeighting::None, FlowWeighting::SigmaSqrt, FlowWeighting::CosMap})
      out.emplace_back(text("pred.sigma_scaled.weight_", dermis::name(weighting)),
                       flow_weight(weighting, s));
  }
}

StateDict rectified_flow(const Case& parity_case) {
  const auto inputs = parity_case.inputs();
  StateDict out;
  original_direction(parity_case, inputs, out);
  flux_direction(parity_case, inputs, out);
  return out;
}

const Register flow_cases{"17", rectified_flow};

}  // namespace
