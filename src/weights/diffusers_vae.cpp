#include "dermis/weights/diffusers_vae.hpp"

#include <algorithm>

#include "config_keys.hpp"
#include "diffusers_files.hpp"
#include "vae_sizes.hpp"

namespace dermis {

KLVAEOptions vae_options_from_diffusers(const Json& config) {
  using detail::expect_value, detail::required;
  expect_value(config, "act_fn", {"silu", "swish"});
  expect_value(config, "latents_mean", {});
  expect_value(config, "latents_std", {});
  KLVAEOptions o;
  o.in_channels = required<std::int64_t>(config, "in_channels");
  expect_value(config, "out_channels", {o.in_channels});
  o.latent_channels = required<std::int64_t>(config, "latent_channels");
  o.channels = required<std::vector<std::int64_t>>(config, "block_out_channels");
  o.layers_per_block = required<std::int64_t>(config, "layers_per_block");
  o.norm_groups = required<std::int64_t>(config, "norm_num_groups");
  o.mid_attention = config.value("mid_block_add_attention", true);
  o.use_quant_conv = config.value("use_quant_conv", true);
  o.use_post_quant_conv = config.value("use_post_quant_conv", true);
  o.scaling_factor = config.value("scaling_factor", 0.18215);
  o.shift_factor = config.value("shift_factor", 0.0);

  const auto flags = [&](const char* key, const char* plain, const char* attending) {
    const auto types = required<std::vector<std::string>>(config, key);
    check_runtime(types.size() == o.channels.size(), "[config] key '", key, "': expected ",
                  o.channels.size(), " blocks as block_out_channels, got ", types.size());
    std::vector<std::int64_t> attends;
    for (const auto& type : types) {
      check_runtime(type == plain || type == attending, "[config] key '", key, "': expected ",
                    plain, " or ", attending, ", got ", type);
      attends.push_back(type == attending);
    }
    return attends;
  };
  const auto down = flags("down_block_types", "DownEncoderBlock2D", "AttnDownEncoderBlock2D");
  auto up = flags("up_block_types", "UpDecoderBlock2D", "AttnUpDecoderBlock2D");
  std::reverse(up.begin(), up.end());
  check_runtime(up == down,
                "[config] key 'up_block_types': expected attention on the levels of "
                "down_block_types, got ",
                config.at("up_block_types").dump());
  if (down != std::vector<std::int64_t>(down.size(), 0)) o.attention = down;
  return o;
}

KLVAEOptions vae_options_from_diffusers(const StateDict& tensors, const std::string& source) {
  return detail::vae_sizes(tensors,
                           {.level = "encoder.down_blocks.",
                            .block = ".resnets.",
                            .attention = ".attentions.0.group_norm.weight",
                            .mid_attention = "encoder.mid_block.attentions.0.group_norm.weight"},
                           source);
}

Json vae_options_to_diffusers(const KLVAEOptions& o) {
  validate(o);
  check_argument(o.inner() == o.latent_channels,
                 "[diffusers] AutoencoderKL has no inner_channels, got ", o.inner_channels,
                 " with latent_channels ", o.latent_channels);
  check_argument(o.stem() == o.channels.front(),
                 "[diffusers] AutoencoderKL has no stem_channels, got ", o.stem_channels,
                 " with channels of the first level ", o.channels.front());
  std::vector<std::string> down, up;
  for (std::size_t i = 0; i < o.channels.size(); ++i) {
    down.push_back(o.attends(i) ? "AttnDownEncoderBlock2D" : "DownEncoderBlock2D");
    up.push_back(o.attends(o.channels.size() - 1 - i) ? "AttnUpDecoderBlock2D"
                                                      : "UpDecoderBlock2D");
  }
  return Json::object({{"_class_name", "AutoencoderKL"},
                       {"act_fn", "silu"},
                       {"block_out_channels", o.channels},
                       {"down_block_types", down},
                       {"in_channels", o.in_channels},
                       {"latent_channels", o.latent_channels},
                       {"layers_per_block", o.layers_per_block},
                       {"mid_block_add_attention", o.mid_attention},
                       {"norm_num_groups", o.norm_groups},
                       {"out_channels", o.in_channels},
                       {"scaling_factor", o.scaling_factor},
                       {"shift_factor", o.shift_factor},
                       {"up_block_types", up},
                       {"use_post_quant_conv", o.use_post_quant_conv},
                       {"use_quant_conv", o.use_quant_conv}});
}

StateDict vae_from_diffusers(const StateDict& tensors) {
  return detail::with_present_attention(tensors);
}

StateDict vae_to_diffusers(const StateDict& tensors) {
  return tensors;
}

KLVAE load_diffusers_vae(const std::filesystem::path& given) {
  const bool file = std::filesystem::is_regular_file(given);
  const auto folder = file ? given.parent_path() : detail::diffusers_part(given, "vae");
  const auto source = file ? given : folder;
  const auto config_file = folder / "config.json";
  const auto built = [&](const KLVAEOptions& options) {
    return KLVAE(options, ParameterOptions{.init = false});
  };
  const auto from_tensors = [&] {
    const auto tensors = vae_from_diffusers(map_tensors(source).tensors);  // for their shapes
    return built(vae_options_from_diffusers(tensors, source.string()));
  };
  const auto from_config = [&] {
    const auto config = detail::read_diffusers_config(folder, {"AutoencoderKL"});
    return detail::naming(config_file, [&] { return built(vae_options_from_diffusers(config)); });
  };
  auto vae = file && !std::filesystem::exists(config_file) ? from_tensors() : from_config();
  load_state_dict(*vae, vae_from_diffusers(read_tensors(source).tensors), source.string());
  return vae;
}

void save_diffusers_vae(const std::filesystem::path& folder, const KLVAE& vae) {
  detail::write_diffusers_folder(folder, vae_options_to_diffusers(vae->options),
                                 vae_to_diffusers(state_dict(*vae)));
}

}  // namespace dermis
