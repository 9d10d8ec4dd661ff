#include <algorithm>
#include <unordered_map>

#include "config_keys.hpp"
#include "dermis/weights/latent_diffusion.hpp"
#include "renamed_parts.hpp"

namespace dermis {

namespace {

using detail::Parts, detail::Place;

const Parts residual = {{"in_layers.0", "norm1"},          {"in_layers.2", "conv1"},
                        {"emb_layers.1", "time_emb_proj"}, {"out_layers.0", "norm2"},
                        {"out_layers.3", "conv2"},         {"skip_connection", "conv_shortcut"}};
const Parts plain_attention = {{"norm", "group_norm"}, {"proj_out", "to_out.0"}};
const Parts transformer = {};

/// The network as latent-diffusion builds it: numbered lists of a residual block, attention and a
/// resampler each.
std::vector<Place> places_of(const UNetOptions& o) {
  const auto* attention = o.cross_attention_dim > 0 ? &transformer : &plain_attention;
  const auto levels = o.channels.size();
  std::vector<Place> places = {{"time_embed.0", "time_embedding.linear_1"},
                               {"time_embed.2", "time_embedding.linear_2"},
                               {"label_emb", "class_embedding"},
                               {"input_blocks.0.0", "conv_in"},
                               {"out.0", "conv_norm_out"},
                               {"out.2", "conv_out"},
                               {"middle_block.0", "mid_block.resnets.0", &residual},
                               {"middle_block.1", "mid_block.attentions.0", attention},
                               {"middle_block.2", "mid_block.resnets.1", &residual}};
  std::int64_t number = 1;
  for (std::size_t level = 0; level < levels; ++level) {
    const auto ours = text("down_blocks.", level, ".");
    for (std::int64_t i = 0; i < o.layers_per_block; ++i, ++number) {
      const auto theirs = text("input_blocks.", number, ".");
      places.push_back({theirs + "0", text(ours, "resnets.", i), &residual});
      if (o.attends(level, false))
        places.push_back({theirs + "1", text(ours, "attentions.", i), attention});
    }
    if (level + 1 == levels) break;
    const auto theirs = text("input_blocks.", number++, ".0");
    if (o.resamples_by_resnet(level, false))
      places.push_back({theirs, ours + "downsamplers.0", &residual});
    else
      places.push_back({theirs + ".op", ours + "downsamplers.0.conv"});
  }
  number = 0;
  for (std::size_t block = 0; block < levels; ++block) {
    const auto level = levels - 1 - block;
    const auto ours = text("up_blocks.", block, ".");
    const bool attends = o.attends(level, true);
    for (std::int64_t i = 0; i <= o.layers_per_block; ++i, ++number) {
      const auto theirs = text("output_blocks.", number, ".");
      places.push_back({theirs + "0", text(ours, "resnets.", i), &residual});
      if (attends) places.push_back({theirs + "1", text(ours, "attentions.", i), attention});
      if (i == o.layers_per_block && level > 0)
        places.push_back({theirs + (attends ? "2" : "1"), ours + "upsamplers.0",
                          o.resamples_by_resnet(level, true) ? &residual : nullptr});
    }
  }
  return places;
}

/// Heads of plain attention over so many channels; levels of equal width have equal heads.
std::int64_t heads_over(const UNetOptions& o, std::int64_t width) {
  for (std::size_t level = 0; level < o.channels.size(); ++level)
    if (o.channels[level] == width) return o.heads_at(level);
  return 1;  // no layer of this model: the names will not fit either
}

/// Rows of a fused projection [3 C, C, 1] or bias [3 C] as q, k and v.
std::vector<at::Tensor> taken_apart(const at::Tensor& fused, std::int64_t heads, bool new_order) {
  const auto rows = fused.dim() > 1 ? fused.flatten(1) : fused;  // [3 C, C]
  if (new_order || rows.size(0) % (3 * heads) != 0) return rows.chunk(3);
  auto shape = rows.sizes().vec();
  const auto channels = shape[0] / 3;
  shape.erase(shape.begin());
  shape.insert(shape.begin(), {heads, 3, channels / heads});
  const auto by_head = rows.reshape(shape);  // [heads, 3, d, C]
  std::vector<at::Tensor> parts;
  for (std::int64_t i = 0; i < 3; ++i) parts.push_back(by_head.select(1, i).flatten(0, 1));
  return parts;
}

}  // namespace

UNetOptions unet_options_from_latent_diffusion(const Json& params, std::int64_t classes) {
  using detail::expect_value, detail::required;
  expect_value(params, "dims", {2});
  expect_value(params, "conv_resample", {true});
  expect_value(params, "n_embed", {});
  UNetOptions o;
  o.in_channels = required<std::int64_t>(params, "in_channels");
  o.out_channels = required<std::int64_t>(params, "out_channels");
  const auto width = required<std::int64_t>(params, "model_channels");
  const auto factors = params.contains("channel_mult")
                           ? required<std::vector<std::int64_t>>(params, "channel_mult")
                           : std::vector<std::int64_t>{1, 2, 4, 8};
  check_runtime(!factors.empty() && factors.front() == 1,
                "[config] key 'channel_mult': expected the first factor to be 1, got ",
                Json(factors).dump());
  const auto reductions = required<std::vector<std::int64_t>>(params, "attention_resolutions");
  o.channels.clear(), o.attention.clear();
  for (std::size_t level = 0; level < factors.size(); ++level) {
    o.channels.push_back(width * factors[level]);
    // Named for resolutions, these are factors of reduction.
    o.attention.push_back(std::find(reductions.begin(), reductions.end(),
                                    std::int64_t{1} << level) != reductions.end());
  }
  o.layers_per_block = required<std::int64_t>(params, "num_res_blocks");
  o.norm_groups = 32;  // in the code
  o.scale_shift = params.value("use_scale_shift_norm", false);
  if (params.value("resblock_updown", false))
    o.resnet_down = o.resnet_up = std::vector<std::int64_t>(factors.size(), 1);

  const auto given = [&](const char* key) {
    const auto value = params.value<std::int64_t>(key, -1);
    return value == -1 ? 0 : value;
  };
  o.head_dim = given("num_head_channels");
  o.heads = std::max<std::int64_t>(given("num_heads"), 1);
  check_runtime(given("num_heads") > 0 || o.head_dim > 0,
                "[config] key 'num_heads': expected it or num_head_channels to be set");
  const bool spatial = params.value("use_spatial_transformer", false);
  // Only plain attention on the way up reads it, and only where heads are counted.
  if (!spatial && o.head_dim == 0) expect_value(params, "num_heads_upsample", {-1, o.heads});
  const auto labels = params.value<std::int64_t>("num_classes", 0);
  check_runtime(labels == 0 || labels >= 2, "[config] key 'num_classes': expected at least 2, got ",
                labels);
  o.num_classes = labels > 0 ? labels - 1 : 0;
  if (!spatial) {
    expect_value(params, "context_dim", {});
    return o;
  }
  o.cross_attention_dim = detail::uniform(params, "context_dim", 1);
  o.transformer_depth = params.value<std::int64_t>("transformer_depth", 1);
  o.class_token = classes > 0;
  check_runtime(classes == 0 || labels == 0,
                "[config] key 'num_classes': expected none beside a class embedder, got ", labels);
  check_runtime(classes == 0 || classes >= 2,
                "[config] n_classes of the class embedder: expected at least 2, got ", classes);
  if (classes > 0) o.num_classes = classes - 1;
  return o;
}

StateDict unet_from_latent_diffusion(const StateDict& tensors, const UNetOptions& options,
                                     bool new_attention_order) {
  const std::string network = "model.diffusion_model.";
  const bool whole = detail::has_prefix(tensors, network);
  const auto places = places_of(options);
  StateDict result;
  for (const auto& [name, tensor] : whole ? without_prefix(tensors, network) : tensors) {
    const auto ours = detail::our_name(name, places);
    const auto qkv = ours.find(".qkv.");
    const bool plain =
        options.cross_attention_dim == 0 && ours.find(".attentions.") != std::string::npos;
    if (plain && qkv != std::string::npos && tensor.dim() > 0) {
      const auto heads = heads_over(options, tensor.size(0) / 3);
      const auto parts = taken_apart(tensor, heads, new_attention_order);
      const std::vector<std::string> to = {".to_q", ".to_k", ".to_v"};
      for (std::size_t i = 0; i < parts.size(); ++i)
        result.emplace_back(ours.substr(0, qkv) + to[i] + ours.substr(qkv + 4), parts[i]);
    } else {
      const bool matrix = plain && tensor.dim() == 3;  // [C, C, 1]
      result.emplace_back(ours, matrix ? tensor.flatten(1) : tensor);
    }
  }
  if (whole)
    for (const auto& [name, tensor] : without_prefix(tensors, "cond_stage_model.embedding."))
      result.emplace_back("class_embedder." + name, tensor);
  return result;
}

StateDict with_averaged_weights(const StateDict& checkpoint) {
  const std::string trained = "model.", averaged = "model_ema.";
  std::unordered_map<std::string, at::Tensor> copies;
  for (const auto& [name, tensor] : without_prefix(checkpoint, averaged))
    copies.emplace(name, tensor);
  check_runtime(!copies.empty(),
                "[latent_diffusion] expected averaged weights (model_ema.*), found none");
  StateDict result;
  for (const auto& [name, tensor] : checkpoint) {
    if (name.compare(0, averaged.size(), averaged) == 0) continue;
    if (name.compare(0, trained.size(), trained) != 0) {
      result.emplace_back(name, tensor);
      continue;
    }
    auto key = name.substr(trained.size());
    key.erase(std::remove(key.begin(), key.end(), '.'), key.end());
    const auto copy = copies.find(key);
    check_runtime(copy != copies.end(), "[latent_diffusion] expected an averaged copy of '", name,
                  "' named '", averaged, key, "', found none");
    result.emplace_back(name, copy->second);
  }
  return result;
}

}  // namespace dermis
