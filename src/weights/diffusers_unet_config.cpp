#include <algorithm>

#include "config_keys.hpp"
#include "dermis/weights/diffusers_unet.hpp"

namespace dermis {

namespace {

using detail::expect_value, detail::per_level, detail::required, detail::uniform;
using Flags = std::vector<std::int64_t>;

/// What the two classes of diffusers call the blocks of one direction.
struct BlockTypes {
  std::string plain, attending, resnet;
};

BlockTypes block_types(bool up, bool conditional) {
  const std::string way = up ? "Up" : "Down";
  return {way + "Block2D", (conditional ? "CrossAttn" : "Attn") + way + "Block2D",
          "Resnet" + way + "sampleBlock2D"};
}

/// Per level, finest first: whether it attends, whether a residual block resamples.
void read_blocks(const Json& config, bool up, bool conditional, std::size_t levels, Flags& attends,
                 Flags& by_resnet) {
  const std::string key = up ? "up_block_types" : "down_block_types";
  const auto types = required<std::vector<std::string>>(config, key);
  check_runtime(types.size() == levels, "[config] key '", key, "': expected ", levels,
                " blocks as block_out_channels, got ", types.size());
  const auto known = block_types(up, conditional);
  // UNet2DModel's attending blocks resample as this key says; the others as their name does.
  const std::string resampling = up ? "upsample_type" : "downsample_type";
  if (!conditional) expect_value(config, resampling, {"conv", "resnet"});
  const bool attending_by_resnet = !conditional && config.value(resampling, "conv") == "resnet";
  attends.assign(levels, 0), by_resnet.assign(levels, 0);
  for (std::size_t i = 0; i < levels; ++i) {
    const auto& type = types[i];
    check_runtime(type == known.plain || type == known.attending || type == known.resnet,
                  "[config] key '", key, "': expected ", known.plain, ", ", known.attending, " or ",
                  known.resnet, ", got ", type);
    const auto level = up ? levels - 1 - i : i;
    attends[level] = type == known.attending;
    by_resnet[level] = type == known.resnet || (type == known.attending && attending_by_resnet);
  }
  // The last block of each way does not resample.
  by_resnet[up ? 0 : levels - 1] = 0;
  if (by_resnet == Flags(levels, 0)) by_resnet.clear();
}

/// Null is not the default here: it means no block in the middle at all.
void expect_middle(const Json& config, const std::string& type) {
  expect_value(config, "mid_block_type", {type});
  check_runtime(!config.contains("mid_block_type") || !config.at("mid_block_type").is_null(),
                "[config] key 'mid_block_type': expected \"", type, "\", got null");
}

void read_plain(const Json& config, UNetOptions& o) {
  expect_middle(config, "UNetMidBlock2D");
  o.mid_attention = config.value("add_attention", true);
  o.heads = 1;
  o.head_dim = config.contains("attention_head_dim")
                   ? config.value<std::int64_t>("attention_head_dim", 0)  // null: one head
                   : 8;
  // Without a number of its own, the norm before the middle's attention is that of the residual
  // blocks, and there is none where time scales and shifts.
  const auto groups =
      config.value<std::int64_t>("attn_norm_num_groups", o.scale_shift ? 0 : o.norm_groups);
  o.mid_norm_groups = groups == o.norm_groups ? -1 : groups;
}

void read_conditional(const Json& config, UNetOptions& o) {
  const auto levels = o.channels.size();
  for (const auto* key :
       {"addition_embed_type", "cross_attention_norm", "encoder_hid_dim", "encoder_hid_dim_type",
        "num_attention_heads", "projection_class_embeddings_input_dim",
        "reverse_transformer_layers_per_block", "time_cond_proj_dim", "time_embedding_act_fn",
        "timestep_post_act"})
    expect_value(config, key, {});
  for (const auto* key : {"class_embeddings_concat", "dual_cross_attention",
                          "mid_block_only_cross_attention", "resnet_skip_time_act"})
    expect_value(config, key, {false});
  expect_value(config, "only_cross_attention", {false, Json(std::vector<Json>(levels, false))});
  expect_value(config, "attention_type", {"default"});
  expect_value(config, "conv_in_kernel", {3});
  expect_value(config, "conv_out_kernel", {3});
  expect_value(config, "resnet_out_scale_factor", {1});
  expect_middle(config, "UNetMidBlock2DCrossAttn");
  o.class_token = false;
  o.cross_attention_dim = config.contains("cross_attention_dim")
                              ? uniform(config, "cross_attention_dim", levels)
                              : 1280;
  o.linear_projection = config.value("use_linear_projection", false);
  // Named for the width of a head, this key is the number of heads.
  o.head_dim = 0;
  o.heads = 1;
  if (!config.contains("attention_head_dim"))
    o.heads = 8;
  else if (config.at("attention_head_dim").is_array())
    o.level_heads = per_level(config, "attention_head_dim", levels);
  else
    o.heads = required<std::int64_t>(config, "attention_head_dim");
  if (config.contains("transformer_layers_per_block")) {
    if (config.at("transformer_layers_per_block").is_array())
      o.level_depths = per_level(config, "transformer_layers_per_block", levels);
    else
      o.transformer_depth = required<std::int64_t>(config, "transformer_layers_per_block");
  }
}

std::vector<std::string> block_names(const UNetOptions& o, bool up, bool conditional) {
  const auto names = block_types(up, conditional);
  const auto levels = o.channels.size();
  std::vector<std::string> result;
  for (std::size_t i = 0; i < levels; ++i) {
    const auto level = up ? levels - 1 - i : i;
    const bool resnet = o.resamples_by_resnet(level, up) && i + 1 < levels;
    check_argument(!(conditional && resnet && o.attends(level, up)), "[diffusers] ",
                   names.attending, " has no ", up ? "resnet_up" : "resnet_down", ", got level ",
                   level);
    result.push_back(o.attends(level, up) ? names.attending : resnet ? names.resnet : names.plain);
  }
  return result;
}

/// "conv" or "resnet" for the attending blocks of UNet2DModel, which all resample alike.
std::string resampling(const UNetOptions& o, bool up) {
  std::string result;
  for (std::size_t level = up ? 1 : 0; level + (up ? 0 : 1) < o.channels.size(); ++level) {
    if (!o.attends(level, up)) continue;
    const std::string kind = o.resamples_by_resnet(level, up) ? "resnet" : "conv";
    check_argument(result.empty() || result == kind, "[diffusers] UNet2DModel expects ",
                   up ? "resnet_up" : "resnet_down",
                   " to be the same on all levels that attend, got ",
                   Json(up ? o.resnet_up : o.resnet_down).dump());
    result = kind;
  }
  return result.empty() ? "conv" : result;
}

/// Channels a head, which UNet2DModel has the same everywhere; null: one head as wide as its level.
Json head_width(const UNetOptions& o) {
  if (o.level_heads.empty() && o.head_dim > 0) return o.head_dim;
  std::vector<std::int64_t> widths, heads;
  for (std::size_t level = 0; level < o.channels.size(); ++level) {
    if (!(o.attends(level, false) || o.attends(level, true) ||
          (o.mid_attention && level + 1 == o.channels.size())))
      continue;
    heads.push_back(o.heads_at(level));
    widths.push_back(o.channels[level] / heads.back());
  }
  const auto alike = [](const auto& values, std::int64_t value) {
    return std::all_of(values.begin(), values.end(), [&](auto v) { return v == value; });
  };
  if (alike(heads, 1)) return nullptr;
  check_argument(
      alike(widths, widths.front()),
      "[diffusers] UNet2DModel expects heads of the same width on every level, got heads ",
      Json(heads).dump(), " for widths a head ", Json(widths).dump());
  return widths.front();
}

Json levels_or(const Flags& per_level, std::int64_t everywhere) {
  return per_level.empty() ? Json(everywhere) : Json(per_level);
}

}  // namespace

UNetOptions unet_options_from_diffusers(const Json& config) {
  const auto type = config.value("_class_name", "");
  const bool conditional =
      type == "UNet2DConditionModel" || (type.empty() && config.contains("cross_attention_dim"));
  expect_value(config, "act_fn", {"silu", "swish"});
  expect_value(config, "center_input_sample", {false});
  expect_value(config, "class_embed_type", {});
  expect_value(config, "mid_block_scale_factor", {1});
  expect_value(config, "time_embedding_type", {"positional"});
  expect_value(config, "resnet_time_scale_shift", {"default", "scale_shift"});
  UNetOptions o;
  o.in_channels = required<std::int64_t>(config, "in_channels");
  o.out_channels = required<std::int64_t>(config, "out_channels");
  o.channels = required<std::vector<std::int64_t>>(config, "block_out_channels");
  check_runtime(!o.channels.empty(),
                "[config] key 'block_out_channels': expected levels, got none");
  expect_value(config, "time_embedding_dim", {o.time_channels()});
  const auto levels = o.channels.size();
  o.layers_per_block = uniform(config, "layers_per_block", levels);
  o.norm_groups = required<std::int64_t>(config, "norm_num_groups");
  o.norm_eps = config.value("norm_eps", 1e-5);
  o.scale_shift = config.value("resnet_time_scale_shift", "default") == "scale_shift";
  o.downsample_padding = config.value<std::int64_t>("downsample_padding", 1);
  o.flip_sin_to_cos = config.value("flip_sin_to_cos", true);
  o.freq_shift = config.value("freq_shift", 0.0);
  if (config.contains("num_class_embeds") && !config.at("num_class_embeds").is_null()) {
    const auto rows = required<std::int64_t>(config, "num_class_embeds");
    check_runtime(rows >= 2, "[config] key 'num_class_embeds': expected at least 2, got ", rows);
    o.num_classes = rows - 1;
  }
  read_blocks(config, false, conditional, levels, o.attention, o.resnet_down);
  read_blocks(config, true, conditional, levels, o.up_attention, o.resnet_up);
  if (o.up_attention == o.attention) o.up_attention.clear();
  if (conditional)
    read_conditional(config, o);
  else
    read_plain(config, o);
  return o;
}

Json unet_options_to_diffusers(const UNetOptions& o) {
  validate(o);
  const bool conditional = o.cross_attention_dim > 0;
  const bool token = conditional && o.class_token;
  auto config = Json::object(
      {{"_class_name", conditional ? "UNet2DConditionModel" : "UNet2DModel"},
       {"act_fn", "silu"},
       {"block_out_channels", o.channels},
       {"down_block_types", block_names(o, false, conditional)},
       {"downsample_padding", o.downsample_padding},
       {"flip_sin_to_cos", o.flip_sin_to_cos},
       {"freq_shift", o.freq_shift},
       {"in_channels", o.in_channels},
       {"layers_per_block", o.layers_per_block},
       {"norm_eps", o.norm_eps},
       {"norm_num_groups", o.norm_groups},
       {"num_class_embeds", o.num_classes > 0 && !token ? Json(o.num_classes + 1) : Json()},
       {"out_channels", o.out_channels},
       {"resnet_time_scale_shift", o.scale_shift ? "scale_shift" : "default"},
       {"up_block_types", block_names(o, true, conditional)}});
  if (conditional) {
    check_argument(o.mid_attention, "[diffusers] UNet2DConditionModel expects mid_attention");
    auto heads = o.level_heads;
    if (heads.empty() && o.head_dim > 0)
      for (std::size_t level = 0; level < o.channels.size(); ++level)
        heads.push_back(std::max<std::int64_t>(o.heads_at(level), 1));
    config["attention_head_dim"] = levels_or(heads, o.heads);
    config["cross_attention_dim"] = o.cross_attention_dim;
    config["mid_block_type"] = "UNetMidBlock2DCrossAttn";
    config["transformer_layers_per_block"] = levels_or(o.level_depths, o.transformer_depth);
    config["use_linear_projection"] = o.linear_projection;
    return config;
  }
  const auto groups = o.mid_norm_groups < 0 ? o.norm_groups : o.mid_norm_groups;
  check_argument(groups > 0 || o.scale_shift,
                 "[diffusers] UNet2DModel expects mid_norm_groups above 0 without scale_shift");
  const bool usual = groups == (o.scale_shift ? 0 : o.norm_groups);
  config["add_attention"] = o.mid_attention;
  config["attention_head_dim"] = head_width(o);
  config["attn_norm_num_groups"] = usual ? Json() : Json(groups);
  config["downsample_type"] = resampling(o, false);
  config["upsample_type"] = resampling(o, true);
  return config;
}

}  // namespace dermis
