/// \file
/// Low-rank adapters of PEFT, diffusers and kohya: cases 08 and 15d.

#include "case.hpp"
#include "dermis/weights/flux.hpp"
#include "dermis/weights/lora.hpp"
#include "dermis/weights/timm.hpp"
#include "dermis/weights/transformers_vit.hpp"

namespace {

using namespace dermis;
using namespace dermis::parity;
using dermis::parity::at;  // not LibTorch's namespace

Flux flux_of(const StateDict& weights, const FluxOptions& options, const std::string& source) {
  Flux flux(options, ParameterOptions{.init = false});
  load_state_dict(
      *flux, is_diffusers_flux(weights) ? flux_from_diffusers(weights, options, source) : weights,
      source);
  return flux;
}

/// merged.<key> for the weights that have changed.
void append_changed(StateDict& out, const StateDict& now, const StateDict& before,
                    const std::string& prefix) {
  std::map<std::string, at::Tensor> old(before.begin(), before.end());
  for (const auto& [name, tensor] : now)
    if (!at::equal(tensor, old.at(name))) out.emplace_back(prefix + name, tensor);
}

StateDict diffusers_lora(const Case& c) {
  const auto options = flux_options_from_diffusers(c.config);
  const auto weights = c.weights();
  const auto inputs = c.inputs();
  auto flux = flux_of(weights, options, c.name);
  const FluxInput input{.image = at(inputs, "hidden_states"),
                        .image_ids = at(inputs, "img_ids"),
                        .text = at(inputs, "encoder_hidden_states"),
                        .text_ids = at(inputs, "txt_ids"),
                        .time = at(inputs, "timestep"),
                        .pooled = at(inputs, "pooled_projections"),
                        .guidance = options.guidance ? at(inputs, "guidance") : at::Tensor()};
  StateDict out = {{"out_base", flux->forward(input)}};
  const auto layers = diffusers_flux_layers(options);
  const auto apply = [&](Flux& to, const std::string& file) {
    const auto report = apply_lora(*to, read_lora(c.directory / file), file, layers);
    check_runtime(report.unmatched.empty(), "[parity] ", report.text());
  };
  apply(flux, "lora_diffusers_meta.safetensors");
  out.emplace_back("out_lora", flux->forward(input));
  set_low_rank_strength(*flux, c.config.at("lora_scale").get<double>());
  out.emplace_back("out_lora_scaled", flux->forward(input));
  set_low_rank_strength(*flux, 1);
  fold_low_rank(*flux);
  out.emplace_back("out_merged", flux->forward(input));
  append_changed(out, flux_to_diffusers(state_dict(*flux), options), weights, "merged.");

  auto plain = flux_of(weights, options, c.name);
  apply(plain, "lora_diffusers.safetensors");
  out.emplace_back("out_lora_file_without_alpha", plain->forward(input));
  return out;
}

StateDict kohya_lora(const Case& c) {
  const auto options = flux_options_from_bfl(c.config.at("params"));
  const auto weights = c.weights();
  const auto inputs = c.inputs();
  auto flux = flux_of(weights, options, c.name);
  const FluxInput input{.image = at(inputs, "img"),
                        .image_ids = at(inputs, "img_ids"),
                        .text = at(inputs, "txt"),
                        .text_ids = at(inputs, "txt_ids"),
                        .time = at(inputs, "timesteps"),
                        .pooled = at(inputs, "y"),
                        .guidance = options.guidance ? at(inputs, "guidance") : at::Tensor()};
  StateDict out = {{"out_base", flux->forward(input)}};
  const auto adapter = read_lora(c.directory / "lora.safetensors");
  for (const auto& [suffix, strength] : {std::pair<std::string, double>{"", 1.0},
                                         {"_scaled", c.config.at("multiplier").get<double>()}}) {
    auto adapted = flux_of(weights, options, c.name);
    const auto report = apply_lora(*adapted, adapter, c.name);
    check_runtime(report.unmatched.empty(), "[parity] ", report.text());
    set_low_rank_strength(*adapted, strength);
    out.emplace_back("out_lora" + suffix, adapted->forward(input));
    fold_low_rank(*adapted);
    out.emplace_back("out_merged" + suffix, adapted->forward(input));
    append_changed(out, state_dict(*adapted), weights, "merged" + suffix + ".");
  }
  return out;
}

/// logits without the adapter, with it, and with it as part of the weights.
void append_logits(StateDict& out, ViT& vit, const at::Tensor& images, const Case& c,
                   const RowMap& map) {
  out.emplace_back("logits_base", vit->forward(images));
  const auto report = apply_lora(*vit, read_lora(c.directory), c.name, map);
  check_runtime(report.unmatched.empty(), "[parity] ", report.text());
  out.emplace_back("logits_lora", vit->forward(images));
  fold_low_rank(*vit);
  out.emplace_back("logits_merged", vit->forward(images));
}

StateDict transformers_lora(const Case& c) {
  const auto weights = c.weights();
  ViT vit(vit_options_from_transformers(c.config), ParameterOptions{.init = false});
  load_state_dict(*vit, vit_from_transformers(weights, c.name), c.name);
  StateDict out;
  append_logits(out, vit, at(c.inputs(), "pixel_values"), c, transformers_vit_layers(vit->options));
  append_changed(out, vit_to_transformers(state_dict(*vit)), weights, "merged.");
  return out;
}

StateDict timm_lora(const Case& c) {
  const auto weights = c.weights();
  ViT vit(vit_options_from_timm(c.config.at("kwargs")), ParameterOptions{.init = false});
  load_state_dict(*vit, vit_from_timm(weights, c.name), c.name);
  StateDict out;
  append_logits(out, vit, at(c.inputs(), "image"), c, {});
  append_changed(out, vit_to_timm(state_dict(*vit)), weights, "merged.");
  return out;
}

const Register flux_diffusers{"08a", diffusers_lora}, vit_transformers{"08b", transformers_lora};
const Register vit_timm{"08c", timm_lora}, flux_kohya{"15d", kohya_lora};

}  // namespace
