/// \file
/// diffusers' autoencoder and UNets: cases 04 and 05.

#include "case.hpp"
#include "dermis/diffusion/guidance.hpp"
#include "dermis/weights/diffusers_unet.hpp"
#include "dermis/weights/diffusers_vae.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;
using dermis::parity::at;  // not LibTorch's namespace

StateDict vae(const Case& c) {
  KLVAE model(vae_options_from_diffusers(c.config), ParameterOptions{.init = false});
  load_state_dict(*model, vae_from_diffusers(c.weights()), c.name);
  const auto inputs = c.inputs();
  const Observer observer(*model);
  StateDict out;

  const auto posterior = model->encode(at(inputs, "image"));
  out.emplace_back("moments",
                   observer.at(model->options.use_quant_conv ? "quant_conv" : "encoder"));
  out.emplace_back("mean", posterior.mean);
  out.emplace_back("logvar", posterior.logvar);
  out.emplace_back("std", posterior.std());
  out.emplace_back("kl", posterior.kl());
  const auto latent = model->scale(posterior.sample(at(inputs, "noise")));
  out.emplace_back("latent", latent);
  out.emplace_back("decoded", model->decode(model->unscale(latent)));
  for (const auto& [path, value] : observer.outputs()) out.emplace_back(path, value);

  out.emplace_back("decoded_mean", model->decode(posterior.mean));
  const auto odd = model->encode(at(inputs, "image_odd")).mean;
  out.emplace_back("mean_odd", odd);
  out.emplace_back("decoded_odd", model->decode(odd));
  return out;
}

/// Outputs by diffusers' names: a block on the way down answers (map, maps for the way up).
void append_unet_stages(StateDict& out, const UNetImpl& unet, const Observer& observer) {
  for (const auto& [path, value] : observer.outputs())
    if (path != "" && path.rfind("down_blocks.", 0) != 0) out.emplace_back(path, value);
  for (std::size_t level = 0; level < unet.down_blocks->size(); ++level) {
    const auto path = text("down_blocks.", level);
    out.emplace_back(path + ".0", observer.at(path));
    std::int64_t skip = 0;
    for (; skip < unet.options.layers_per_block; ++skip)
      out.emplace_back(
          text(path, ".1.", skip),
          observer.at(
              text(path, unet.options.attends(level, false) ? ".attentions." : ".resnets.", skip)));
    if (observer.contains(path + ".downsamplers.0"))
      out.emplace_back(text(path, ".1.", skip), observer.at(path + ".downsamplers.0"));
  }
}

StateDict unet2d(const Case& c) {
  const auto options = unet_options_from_diffusers(c.config);
  UNet unet(options, ParameterOptions{.init = false});
  load_state_dict(*unet, unet_from_diffusers(c.weights()), c.name);
  const auto inputs = c.inputs();
  const auto timestep = at(inputs, "timestep");
  const Observer observer(*unet);
  StateDict out = {
      {"out", unet->forward(at(inputs, "sample"), timestep,
                            options.num_classes > 0 ? at(inputs, "class_labels") : at::Tensor())}};
  out.emplace_back("time_proj", timestep_embedding(timestep, options.channels.front(), 10000.0,
                                                   options.flip_sin_to_cos, options.freq_shift));
  append_unet_stages(out, *unet, observer);
  return out;
}

/// The last of n_classes + 1 labels is the null class.
StateDict unet_class_token(const Case& c) {
  auto options = unet_options_from_diffusers(c.config);
  options.class_token = true;
  options.num_classes = c.config.at("n_classes").get<std::int64_t>();
  UNet unet(options, ParameterOptions{.init = false});
  const auto weights = c.weights();
  load_state_dict(
      *unet,
      unet_from_diffusers(without_prefix(weights, "unet."), at(weights, "class_embedder.weight")),
      c.name);
  const auto inputs = c.inputs();
  const auto &x = at(inputs, "sample"), &t = at(inputs, "timestep"),
             &labels = at(inputs, "class_labels");
  StateDict out;
  {
    const Observer observer(*unet);
    out.emplace_back("out_cond", unet->forward(x, t, labels));
    out.emplace_back("context", observer.at("class_embedder").unsqueeze(1));
    append_unet_stages(out, *unet, observer);
  }
  const auto denoiser = denoiser_of(unet);
  out.emplace_back("out_uncond", guided(denoiser, labels, unet->null_class(), 0)(x, t));
  out.emplace_back("out_guided", guided(denoiser, labels, unet->null_class(),
                                        c.config.at("guidance_scale").get<double>())(x, t));
  return out;
}

StateDict unet_context(const Case& c) {
  const auto options = unet_options_from_diffusers(c.config);
  UNet unet(options, ParameterOptions{.init = false});
  load_state_dict(*unet, unet_from_diffusers(c.weights()), c.name);
  const auto inputs = c.inputs();
  const auto &x = at(inputs, "sample"), &t = at(inputs, "timestep"),
             &context = at(inputs, "encoder_hidden_states");
  const auto labels = options.num_classes > 0 ? at(inputs, "class_labels") : at::Tensor();
  StateDict out;
  {
    const Observer observer(*unet);
    out.emplace_back("out", unet->forward(x, t, labels, context));
    append_unet_stages(out, *unet, observer);
  }
  out.emplace_back("out_masked",
                   unet->forward(x, t, labels, context, at(inputs, "encoder_attention_mask")));
  return out;
}

const Register vae_sd{"04a", vae}, vae_flux{"04b", vae};
const Register class_added{"05a", unet2d}, scale_shift{"05b", unet2d};
const Register class_token{"05c", unet_class_token}, context{"05d", unet_context};

}  // namespace
