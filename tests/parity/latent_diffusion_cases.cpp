/// \file
/// CompVis/latent-diffusion: autoencoder, UNets, DDIM with guidance, training losses: cases 14.

#include "case.hpp"
#include "dermis/diffusion/ddim.hpp"
#include "dermis/diffusion/ddpm.hpp"
#include "dermis/diffusion/guidance.hpp"
#include "dermis/diffusion/latent_diffusion_loss.hpp"
#include "dermis/weights/latent_diffusion.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;
using dermis::parity::at;  // not LibTorch's namespace

StateDict ldm_vae(const Case& c) {
  const auto options = vae_options_from_latent_diffusion(
      Json::object({{"embed_dim", c.config.at("embed_dim")}, {"ddconfig", c.config.at("dd")}}));
  KLVAE vae(options, ParameterOptions{.init = false});
  load_state_dict(*vae, vae_from_latent_diffusion(c.weights(), options), c.name);
  const auto inputs = c.inputs();
  StateDict out;
  const Observer observer(*vae);
  const auto posterior = vae->encode(at(inputs, "image"));
  const auto sample = posterior.sample(at(inputs, "noise"));
  out.emplace_back("moments", observer.at("quant_conv"));
  out.emplace_back("mean", posterior.mean);
  out.emplace_back("logvar", posterior.logvar);
  out.emplace_back("std", posterior.std());
  out.emplace_back("kl", posterior.kl());
  out.emplace_back("sample", sample);
  out.emplace_back("decoded", vae->decode(sample));
  const auto keep = [&](const std::string& theirs, const std::string& ours) {
    if (observer.contains(ours)) out.emplace_back(theirs, observer.at(ours));
  };
  keep("post_quant_conv", "post_quant_conv");
  const auto levels = options.channels.size();
  for (const std::string side : {"encoder.", "decoder."}) {
    keep(side + "conv_in", side + "conv_in");
    keep(side + "conv_out", side + "conv_out");
    keep(side + "mid.block_1", side + "mid_block.resnets.0");
    keep(side + "mid.attn_1", side + "mid_block.attentions.0");
    keep(side + "mid.block_2", side + "mid_block.resnets.1");
    for (std::size_t level = 0; level < levels; ++level)
      for (std::int64_t i = 0; i <= options.layers_per_block; ++i)
        for (const auto& [theirs, ours] :
             {std::pair{"block.", "resnets."}, std::pair{"attn.", "attentions."}})
          if (side == "encoder.")
            keep(text(side, "down.", level, ".", theirs, i),
                 text(side, "down_blocks.", level, ".", ours, i));
          else
            keep(text(side, "up.", level, ".", theirs, i),
                 text(side, "up_blocks.", levels - 1 - level, ".", ours, i));
  }
  out.emplace_back("decoded_mode", vae->decode(posterior.mean));
  const auto odd = vae->encode(at(inputs, "image_odd")).mean;
  out.emplace_back("mean_odd", odd);
  out.emplace_back("decoded_odd", vae->decode(odd));
  return out;
}

UNet ldm_unet(const Case& c) {
  const auto& kw = c.config.at("kw");
  auto options =
      unet_options_from_latent_diffusion(kw, c.config.value<std::int64_t>("n_classes", 0));
  options.norm_groups = c.config.at("groups").get<std::int64_t>();  // the case's own choice
  UNet unet(options, ParameterOptions{.init = false});
  load_state_dict(
      *unet,
      unet_from_latent_diffusion(c.weights(), options, kw.value("use_new_attention_order", false)),
      c.name);
  return unet;
}

/// Outputs of the numbered blocks of latent-diffusion, each the last layer of its block.
void append_numbered_blocks(StateDict& out, const UNetOptions& o, const Observer& observer) {
  out.emplace_back("time_embed", observer.at("time_embedding"));
  out.emplace_back("input_blocks.0", observer.at("conv_in"));
  std::int64_t number = 1;
  const auto stage = [&](bool up, std::size_t level, const std::string& block, std::int64_t i) {
    return observer.at(text(block, o.attends(level, up) ? ".attentions." : ".resnets.", i));
  };
  for (std::size_t level = 0; level < o.channels.size(); ++level) {
    const auto block = text("down_blocks.", level);
    for (std::int64_t i = 0; i < o.layers_per_block; ++i)
      out.emplace_back(text("input_blocks.", number++), stage(false, level, block, i));
    if (level + 1 < o.channels.size())
      out.emplace_back(text("input_blocks.", number++), observer.at(block + ".downsamplers.0"));
  }
  out.emplace_back("middle_block", observer.at("mid_block"));
  number = 0;
  for (std::size_t k = 0; k < o.channels.size(); ++k) {
    const auto block = text("up_blocks.", k);
    for (std::int64_t i = 0; i <= o.layers_per_block; ++i)
      out.emplace_back(text("output_blocks.", number++),
                       i == o.layers_per_block ? observer.at(block)
                                               : stage(true, o.channels.size() - 1 - k, block, i));
  }
}

StateDict ldm_unet_class(const Case& c) {
  auto unet = ldm_unet(c);
  const auto inputs = c.inputs();
  const auto &x = at(inputs, "x"), &t = at(inputs, "t"), &y = at(inputs, "y");
  StateDict out;
  {
    const Observer observer(*unet);
    out.emplace_back("eps", unet->forward(x, t, y));
    out.emplace_back("context", observer.at("class_embedder").unsqueeze(1));
    append_numbered_blocks(out, unet->options, observer);
  }
  const Observer observer(*unet->class_embedder);
  const auto denoiser = denoiser_of(unet);
  out.emplace_back("eps_uncond", guided(denoiser, y, unet->null_class(), 0)(x, t));
  out.emplace_back("context_uncond", observer.at("").unsqueeze(1));
  out.emplace_back("eps_guided", guided(denoiser, y, unet->null_class(),
                                        c.config.at("guidance").get<double>())(x, t));
  return out;
}

StateDict ldm_unet_label(const Case& c) {
  auto unet = ldm_unet(c);
  const auto inputs = c.inputs();
  const Observer observer(*unet);
  const auto labels = unet->options.num_classes > 0 ? at(inputs, "y") : at::Tensor();
  StateDict out = {{"eps", unet->forward(at(inputs, "x"), at(inputs, "t"), labels)}};
  append_numbered_blocks(out, unet->options, observer);
  return out;
}

NoiseScheduleOptions ldm_schedule_of(const Case& c) {
  return {.betas = Betas::ScaledLinear,
          .beta_start = c.config.at("linear_start").get<double>(),
          .beta_end = c.config.at("linear_end").get<double>()};
}

StateDict ldm_ddim(const Case& c) {
  auto unet = ldm_unet(c);
  const auto inputs = c.inputs();
  const auto denoiser = guided(denoiser_of(unet), at(inputs, "y"), unet->null_class(),
                               c.config.at("guidance").get<double>());
  const DiffusionProcess process(ldm_schedule_of(c));
  StateDict out;
  for (const auto steps : c.config.at("steps").get<std::vector<std::int64_t>>()) {
    const DDIM sampler(process, {.steps = steps, .spacing = Spacing::LDM});
    auto x = at(inputs, "x_T");
    std::vector<at::Tensor> xs = {x}, x0s;
    std::vector<std::int64_t> timesteps = sampler.timesteps();
    std::vector<double> alphas, previous;
    for (std::size_t i = 0; i < timesteps.size(); ++i) {
      const auto t = at::full({x.size(0)}, timesteps[i], at::kLong);
      const auto noise = denoiser(x, t);
      x0s.push_back(process.estimate(process.level(t, x), x, noise).x0);
      xs.push_back(x = sampler.step(noise, i, x));
      alphas.push_back(sampler.alpha_bar(i));
      previous.push_back(sampler.alpha_bar_after(i));
    }
    // The tables are stored from the least noisy step up.
    const auto ascending = [](const auto& values, at::ScalarType type) {
      return at::tensor(at::ArrayRef(values)).flip(0).to(type);
    };
    const auto name = text("S", steps, ".");
    out.emplace_back(name + "x", at::stack(xs));
    out.emplace_back(name + "pred_x0", at::stack(x0s));
    out.emplace_back(name + "timesteps", ascending(timesteps, at::kLong));
    out.emplace_back(name + "ddim_alphas", ascending(alphas, at::kFloat));
    out.emplace_back(name + "ddim_alphas_prev", ascending(previous, at::kFloat));
    out.emplace_back(name + "ddim_sqrt_one_minus_alphas",
                     (1 - at::tensor(alphas, at::kDouble)).sqrt().flip(0).to(at::kFloat));
  }
  return out;
}

/// The tables of a schedule, as a checkpoint keeps them.
void append_schedule(StateDict& out, const NoiseSchedule& schedule) {
  std::map<std::string, std::vector<double>> tables;
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    const double a = schedule.alpha_bar(t), before = schedule.alpha_bar(t - 1);
    const auto posterior = Posterior::between(a, before);
    const auto add = [&](const char* name, double value) { tables[name].push_back(value); };
    add("betas", schedule.beta(t));
    add("alphas_cumprod", a);
    add("alphas_cumprod_prev", before);
    add("sqrt_alphas_cumprod", std::sqrt(a));
    add("sqrt_one_minus_alphas_cumprod", std::sqrt(1 - a));
    add("log_one_minus_alphas_cumprod", std::log(1 - a));
    add("sqrt_recip_alphas_cumprod", std::sqrt(1 / a));
    add("sqrt_recipm1_alphas_cumprod", std::sqrt(1 / a - 1));
    add("posterior_variance", posterior.variance);
    add("posterior_log_variance_clipped", std::log(std::max(posterior.variance, 1e-20)));
    add("posterior_mean_coef1", posterior.mean_x0);
    add("posterior_mean_coef2", posterior.mean_xt);
  }
  for (const auto& [name, values] : tables)
    out.emplace_back("schedule." + name, at::tensor(values, at::kDouble).to(at::kFloat));
}

StateDict ldm_losses(const Case& c) {
  auto unet = ldm_unet(c);
  const auto inputs = c.inputs();
  const auto &x0 = at(inputs, "x_start"), &noise = at(inputs, "noise"), &t = at(inputs, "t");
  const auto noisy = NoiseSchedule(ldm_schedule_of(c)).add_noise(x0, noise, t);
  const auto output = unet->forward(noisy, t, at(inputs, "y"));
  StateDict out = {{"x_noisy", noisy}, {"model_output", output}};
  append_schedule(out, NoiseSchedule(ldm_schedule_of(c)));
  for (const auto& [name, run] : c.config.at("runs").items()) {
    const DiffusionProcess process(ldm_schedule_of(c), run.value("parameterization", "eps") == "x0"
                                                           ? Prediction::Sample
                                                           : Prediction::Epsilon);
    const LatentDiffusionLossOptions options{.absolute = run.value("loss_type", "l2") == "l1",
                                             .simple_weight = run.value("l_simple_weight", 1.0),
                                             .bound_weight = run.value("original_elbo_weight", 0.0),
                                             .log_variance = run.value("logvar_init", 0.0)};
    const auto target = process.corrupt(x0, noise, t).target;
    const auto loss = latent_diffusion_loss(process, output, target, t, options);
    out.emplace_back(name + ".loss", loss.total);
    out.emplace_back(name + ".loss_simple", loss.simple);
    out.emplace_back(name + ".loss_vlb", loss.bound);
    out.emplace_back(name + ".lvlb_weights", bound_weights(process).to(at::kFloat));
  }
  return out;
}

const Register vae{"14a", ldm_vae}, token{"14b", ldm_unet_class}, label{"14c", ldm_unet_label};
const Register ddim{"14d", ldm_ddim}, losses{"14e", ldm_losses};

}  // namespace
