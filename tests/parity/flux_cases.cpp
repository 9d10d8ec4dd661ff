/// \file
/// Flux of diffusers and of black-forest-labs, its autoencoder and its sampling: cases 07 and 15.

#include "case.hpp"
#include "dermis/diffusion/flux_sampling.hpp"
#include "dermis/weights/flux.hpp"
#include "dermis/weights/latent_diffusion.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;
using dermis::parity::at;  // not LibTorch's namespace

/// Each angle twice, as diffusers has them: [N, d].
at::Tensor both_of_pair(const at::Tensor& half) {
  return half.flatten(0, 2).repeat_interleave(2, -1);
}

StateDict diffusers_flux(const Case& c) {
  const auto options = flux_options_from_diffusers(c.config);
  Flux flux(options, ParameterOptions{.init = false});
  load_state_dict(*flux, flux_from_diffusers(c.weights(), options, c.name), c.name);
  const auto inputs = c.inputs();
  const auto latent = at(inputs, "latent");
  FluxInput input{.image = pack_latents(latent),
                  .image_ids = at(inputs, "img_ids"),
                  .text = at(inputs, "encoder_hidden_states"),
                  .text_ids = at(inputs, "txt_ids"),
                  .time = at(inputs, "timestep"),
                  .pooled = at(inputs, "pooled_projections"),
                  .guidance = options.guidance ? at(inputs, "guidance") : at::Tensor()};
  const auto state = flux->embed(input);
  const Observer observer(*flux);
  const auto out = flux->forward(input);
  StateDict result = {{"out", out},
                      {"out_unpacked", unpack_latents(out, latent.size(2), latent.size(3))},
                      {"x_embedder", observer.at("img_in")},
                      {"context_embedder", observer.at("txt_in")},
                      {"time_text_embed", state.vector},
                      {"pos_embed.0", both_of_pair(state.rotation.cos)},
                      {"pos_embed.1", both_of_pair(state.rotation.sin)}};
  const auto streams = [&](const std::string& theirs, const std::string& ours) {
    const auto x = observer.at(ours);
    result.emplace_back(theirs + ".0", x.slice(1, 0, state.text_tokens));
    result.emplace_back(theirs + ".1", x.slice(1, state.text_tokens));
  };
  for (std::int64_t i = 0; i < options.double_blocks; ++i)
    streams(text("transformer_blocks.", i), text("double_blocks.", i));
  for (std::int64_t i = 0; i < options.single_blocks; ++i)
    streams(text("single_transformer_blocks.", i), text("single_blocks.", i));
  const auto last =
      observer.at(options.single_blocks > 0 ? text("single_blocks.", options.single_blocks - 1)
                                            : text("double_blocks.", options.double_blocks - 1));
  result.emplace_back("norm_out",
                      flux->final_layer->modulated(last.slice(1, state.text_tokens), state.vector));
  return result;
}

StateDict bfl_flux(const Case& c) {
  const auto options = flux_options_from_bfl(c.config.at("params"));
  Flux flux(options, ParameterOptions{.init = false});
  load_state_dict(*flux, c.weights(), c.name);
  const auto inputs = c.inputs();
  const auto latent = at(inputs, "latent");
  const FluxInput input{.image = pack_latents(latent),
                        .image_ids = at(inputs, "img_ids"),
                        .text = at(inputs, "txt"),
                        .text_ids = at(inputs, "txt_ids"),
                        .time = at(inputs, "timesteps"),
                        .pooled = at(inputs, "y"),
                        .guidance = options.guidance ? at(inputs, "guidance") : at::Tensor()};
  const auto state = flux->embed(input);
  const Observer observer(*flux);
  const auto out = flux->forward(input);
  StateDict result = {{"out", out},
                      {"out_unpacked", unpack_latents(out, latent.size(2), latent.size(3))}};
  const auto &cos = state.rotation.cos, &sin = state.rotation.sin;
  result.emplace_back("pe", at::stack({cos, -sin, sin, cos}, -1).unflatten(-1, {2, 2}));
  for (const std::string name : {"img_in", "txt_in", "time_in", "vector_in", "guidance_in"})
    if (observer.contains(name)) result.emplace_back(name, observer.at(name));
  for (std::int64_t i = 0; i < options.double_blocks; ++i) {
    const auto name = text("double_blocks.", i);
    result.emplace_back(name + ".0", observer.at(name).slice(1, state.text_tokens));
    result.emplace_back(name + ".1", observer.at(name).slice(1, 0, state.text_tokens));
  }
  for (std::int64_t i = 0; i < options.single_blocks; ++i)
    result.emplace_back(text("single_blocks.", i), observer.at(text("single_blocks.", i)));
  return result;
}

/// \param params  of black-forest-labs' AutoEncoder; sizes follow from the tensors
KLVAE autoencoder(const StateDict& tensors, const Json& params, const std::string& source) {
  auto options = vae_options_from_latent_diffusion(tensors, source);
  options.scaling_factor = params.at("scale_factor").get<double>();
  options.shift_factor = params.at("shift_factor").get<double>();
  KLVAE vae(options, ParameterOptions{.init = false});
  load_state_dict(*vae, vae_from_latent_diffusion(tensors, vae->options), source);
  return vae;
}

StateDict bfl_autoencoder(const Case& c) {
  auto vae = autoencoder(c.weights(), c.config.at("params"), c.name);
  const auto inputs = c.inputs();
  StateDict out;
  {
    const Observer observer(*vae);
    const auto posterior = vae->encode(at(inputs, "image"));
    out.emplace_back("moments", observer.at("encoder"));
    out.emplace_back("latent", vae->scale(posterior.mean));
    out.emplace_back("latent_sampled", vae->scale(posterior.sample(at(inputs, "noise"))));
    out.emplace_back("decoded", vae->decode(posterior.mean));
    const auto levels = vae->options.channels.size();
    for (const std::string side : {"encoder.", "decoder."}) {
      const auto keep = [&](const std::string& theirs, const std::string& ours) {
        if (observer.contains(side + ours))
          out.emplace_back(side + theirs, observer.at(side + ours));
      };
      keep("conv_in", "conv_in");
      keep("mid.block_1", "mid_block.resnets.0");
      keep("mid.attn_1", "mid_block.attentions.0");
      keep("mid.block_2", "mid_block.resnets.1");
      for (std::size_t level = 0; level < levels; ++level)
        for (std::int64_t i = 0; i <= vae->options.layers_per_block; ++i) {
          keep(text("down.", level, ".block.", i), text("down_blocks.", level, ".resnets.", i));
          keep(text("up.", level, ".block.", i),
               text("up_blocks.", levels - 1 - level, ".resnets.", i));
        }
    }
  }
  const auto sampled = out[2].second;
  out.emplace_back("decoded_sampled", vae->decode(vae->unscale(sampled)));
  const auto odd = vae->scale(vae->encode(at(inputs, "image_odd")).mean);
  out.emplace_back("latent_odd", odd);
  out.emplace_back("decoded_odd", vae->decode(vae->unscale(odd)));
  return out;
}

at::Tensor schedule(std::int64_t steps, std::int64_t tokens, bool shift) {
  return at::tensor(flux_schedule({.steps = steps, .shift = shift}, tokens), at::kDouble)
      .to(at::kFloat);
}

StateDict bfl_sampling(const Case& c) {
  const auto options = flux_options_from_bfl(c.config.at("params"));
  Flux flux(options, ParameterOptions{.init = false});
  load_state_dict(*flux, c.weights(), c.name);
  auto vae = autoencoder(c.tensors("ae.safetensors"), c.config.at("ae"), c.name);
  StateDict out;
  for (const auto& entry : c.config.at("schedule").elements()) {
    const auto steps = entry.elements()[0].get<std::int64_t>(),
               tokens = entry.elements()[1].get<std::int64_t>();
    const bool shift = entry.elements()[2].get<bool>();
    out.emplace_back(text("schedule.", steps, "_", tokens, "_", shift ? 1 : 0),
                     schedule(steps, tokens, shift));
  }
  const auto inputs = c.inputs();
  const auto noise = at(inputs, "noise");
  const auto height = noise.size(2), width = noise.size(3), batch = noise.size(0);
  const FluxSamplingOptions sampling{.steps = c.config.at("steps").get<std::int64_t>(),
                                     .guidance = c.config.at("guidance").get<double>()};
  std::vector<at::Tensor> images, velocities;
  const FluxNetwork network = [&](const FluxInput& input) {
    images.push_back(input.image);
    velocities.push_back(flux->forward(input));
    return velocities.back();
  };
  const auto latents = sample_flux(network, options.guidance,
                                   {at(inputs, "txt"), at(inputs, "vec")}, noise, sampling);
  out.emplace_back("timesteps", schedule(sampling.steps, height * width / 4, true));
  out.emplace_back("img", pack_latents(noise));
  out.emplace_back("img_ids", flux_image_ids(height, width).expand({batch, -1, -1}));
  out.emplace_back("txt_ids", at::zeros({batch, at(inputs, "txt").size(1), 3}));
  out.emplace_back("steps.img", at::stack(images));
  out.emplace_back("steps.pred", at::stack(velocities));
  out.emplace_back("final", pack_latents(latents));
  out.emplace_back("unpacked", latents);
  out.emplace_back("image", vae->decode(vae->unscale(latents)));
  return out;
}

const Register dev{"07a", diffusers_flux}, schnell{"07b", diffusers_flux};
const Register bfl{"15a", bfl_flux}, ae{"15b", bfl_autoencoder}, sampling{"15c", bfl_sampling};

}  // namespace
