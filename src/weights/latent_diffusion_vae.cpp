#include <algorithm>

#include "config_keys.hpp"
#include "dermis/weights/latent_diffusion.hpp"
#include "renamed_parts.hpp"
#include "vae_sizes.hpp"

namespace dermis {

namespace {

using detail::Parts, detail::Place;

const Parts residual = {{"nin_shortcut", "conv_shortcut"}};
const Parts attention = {
    {"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"}};

const std::string whole_model = "first_stage_model.";

std::vector<Place> places_of(const KLVAEOptions& o) {
  std::vector<Place> places;
  const auto levels = static_cast<std::int64_t>(o.channels.size());
  for (const bool decoder : {false, true}) {
    const std::string side = decoder ? "decoder." : "encoder.";
    places.push_back({side + "norm_out", side + "conv_norm_out"});
    places.push_back({side + "mid.block_1", side + "mid_block.resnets.0", &residual});
    places.push_back({side + "mid.attn_1", side + "mid_block.attentions.0", &attention});
    places.push_back({side + "mid.block_2", side + "mid_block.resnets.1", &residual});
    for (std::int64_t i = 0; i < levels; ++i) {
      // Both count from the finest grid where we count in the order of computation.
      const auto theirs = text(side, decoder ? "up." : "down.", i, ".");
      const auto ours =
          text(side, decoder ? "up_blocks." : "down_blocks.", decoder ? levels - 1 - i : i, ".");
      for (std::int64_t j = 0; j < o.layers_per_block + (decoder ? 1 : 0); ++j) {
        places.push_back({text(theirs, "block.", j), text(ours, "resnets.", j), &residual});
        places.push_back({text(theirs, "attn.", j), text(ours, "attentions.", j), &attention});
      }
      places.push_back({theirs + (decoder ? "upsample" : "downsample"),
                        ours + (decoder ? "upsamplers.0" : "downsamplers.0")});
    }
  }
  return places;
}

}  // namespace

KLVAEOptions vae_options_from_latent_diffusion(const Json& params) {
  using detail::expect_value, detail::required;
  const auto& dd = params.at("ddconfig");
  expect_value(dd, "double_z", {true});
  expect_value(dd, "resamp_with_conv", {true});
  expect_value(dd, "attn_type", {"vanilla"});
  for (const auto* key : {"use_linear_attn", "tanh_out", "give_pre_end"})
    expect_value(dd, key, {false});
  KLVAEOptions o;
  o.in_channels = required<std::int64_t>(dd, "in_channels");
  expect_value(dd, "out_ch", {o.in_channels});
  const auto embed = required<std::int64_t>(params, "embed_dim");
  const auto inner = required<std::int64_t>(dd, "z_channels");
  o.latent_channels = embed;
  o.inner_channels = inner == embed ? 0 : inner;
  o.layers_per_block = required<std::int64_t>(dd, "num_res_blocks");
  o.norm_groups = 32;  // in the code
  const auto width = required<std::int64_t>(dd, "ch");
  o.channels.clear();
  for (const auto factor : required<std::vector<std::int64_t>>(dd, "ch_mult"))
    o.channels.push_back(width * factor);
  if (o.channels.empty() || o.channels.front() != width) o.stem_channels = width;

  const auto resolutions = required<std::vector<std::int64_t>>(dd, "attn_resolutions");
  if (!resolutions.empty()) {
    auto resolution = required<std::int64_t>(dd, "resolution");
    for (std::size_t level = 0; level < o.channels.size(); ++level, resolution /= 2)
      o.attention.push_back(std::find(resolutions.begin(), resolutions.end(), resolution) !=
                            resolutions.end());
  }
  return o;
}

KLVAEOptions vae_options_from_latent_diffusion(const StateDict& tensors,
                                               const std::string& source) {
  const bool whole = detail::has_prefix(tensors, whole_model);
  auto o = detail::vae_sizes(whole ? without_prefix(tensors, whole_model) : tensors,
                             {.level = "encoder.down.",
                              .block = ".block.",
                              .attention = ".attn.0.norm.weight",
                              .mid_attention = "encoder.mid.attn_1.norm.weight"},
                             source);
  const auto flux = flux_autoencoder();
  if (!whole && !o.use_quant_conv && o.latent_channels == flux.latent_channels) {
    o.scaling_factor = flux.scaling_factor;
    o.shift_factor = flux.shift_factor;
  }
  for (const auto& [name, tensor] : tensors) {
    if (name != "scale_factor" || tensor.numel() != 1) continue;
    o.scaling_factor = tensor.to(at::kDouble).item<double>();
    check_runtime(o.scaling_factor > 0, "[weights] ", source,
                  ": expected a positive scale_factor, got ", o.scaling_factor);
  }
  return o;
}

StateDict vae_from_latent_diffusion(const StateDict& tensors, const KLVAEOptions& options) {
  if (detail::has_prefix(tensors, whole_model))
    return vae_from_latent_diffusion(without_prefix(tensors, whole_model), options);
  const auto places = places_of(options);
  StateDict result;
  for (const auto& [name, tensor] : tensors) {
    if (detail::is_below(name, "loss")) continue;  // discriminator and perceptual network
    auto ours = detail::our_name(name, places);
    const bool matrix = ours.find(".attentions.") != std::string::npos && tensor.dim() == 4;
    result.emplace_back(std::move(ours), matrix ? tensor.flatten(1) : tensor);  // [C, C, 1, 1]
  }
  return result;
}

KLVAE load_latent_diffusion_vae(const std::filesystem::path& path) {
  // Mapped: of a whole model's file only the autoencoder's pages are read.
  const auto tensors = map_tensors(path).tensors;
  KLVAE vae(vae_options_from_latent_diffusion(tensors, path.string()),
            ParameterOptions{.init = false});
  load_state_dict(*vae, vae_from_latent_diffusion(tensors, vae->options), path.string());
  return vae;
}

}  // namespace dermis
