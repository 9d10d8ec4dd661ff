#include "transformers_names.hpp"

#include <cmath>
#include <limits>

#include "config_keys.hpp"

namespace dermis::detail {

void add_published_block(KeyMap& map, const std::string& theirs, const std::string& ours) {
  for (const auto& [from, to] : KeyMap{{".layernorm_before.*", ".norm1.*"},
                                       {".attention.attention.query.*", ".attn.q.*"},
                                       {".attention.attention.key.*", ".attn.k.*"},
                                       {".attention.attention.value.*", ".attn.v.*"},
                                       {".attention.output.dense.*", ".attn.proj.*"},
                                       {".layernorm_after.*", ".norm2.*"},
                                       {".intermediate.dense.*", ".mlp.fc1.*"},
                                       {".output.dense.*", ".mlp.fc2.*"}})
    map.push_back({theirs + from, ours + to});
}

void add_memory_block(KeyMap& map, const std::string& theirs, const std::string& ours) {
  for (const auto& [from, to] : KeyMap{{".layernorm_before.*", ".norm1.*"},
                                       {".attention.q_proj.*", ".attn.q.*"},
                                       {".attention.k_proj.*", ".attn.k.*"},
                                       {".attention.v_proj.*", ".attn.v.*"},
                                       {".attention.o_proj.*", ".attn.proj.*"},
                                       {".layernorm_after.*", ".norm2.*"},
                                       {".mlp.fc1.*", ".mlp.fc1.*"},
                                       {".mlp.fc2.*", ".mlp.fc2.*"}})
    map.push_back({theirs + from, ours + to});
}

void add_published_encoder(KeyMap& map, const std::string& prefix) {
  map.push_back({prefix + "embeddings.cls_token", "cls_token"});
  map.push_back({prefix + "embeddings.position_embeddings", "pos_embed"});
  map.push_back({prefix + "embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"});
  add_published_block(map, prefix + "encoder.layer.*", "blocks.*");
  map.push_back({prefix + "layernorm.*", "norm.*"});
}

ViTOptions encoder_from_config(const Json& config) {
  expect_value(config, "hidden_act", {"gelu"});
  expect_value(config, "hidden_dropout_prob", {0.0});
  expect_value(config, "attention_probs_dropout_prob", {0.0});
  ViTOptions o;
  const auto [height, width] = sides(config, "image_size", 224);
  o.image_size = height;
  o.image_width = width == height ? 0 : width;
  o.patch_size = patch_side(config, 16);
  o.in_channels = config.value("num_channels", std::int64_t{3});
  o.dim = config.value("hidden_size", std::int64_t{768});
  o.depth = config.value("num_hidden_layers", std::int64_t{12});
  o.heads = config.value("num_attention_heads", std::int64_t{12});
  o.mlp_ratio = mlp_ratio_of(config.value("intermediate_size", std::int64_t{3072}), o.dim);
  o.qkv_bias = config.value("qkv_bias", true);
  o.norm_eps = config.value("layer_norm_eps", 1e-12);
  return o;
}

Json encoder_to_config(const ViTOptions& o) {
  check_argument(o.layer_scale == 0, "[weights] transformers' ViT has no layer_scale, got ",
                 o.layer_scale);
  check_argument(o.drop_path == 0, "[weights] transformers' ViT has no drop_path, got ",
                 o.drop_path);
  const Json size = o.width() == o.image_size
                        ? Json(o.image_size)
                        : Json(std::vector<std::int64_t>{o.image_size, o.width()});
  return Json::object({{"image_size", size},
                       {"patch_size", o.patch_size},
                       {"num_channels", o.in_channels},
                       {"hidden_size", o.dim},
                       {"num_hidden_layers", o.depth},
                       {"num_attention_heads", o.heads},
                       {"intermediate_size", hidden_of(o.mlp_ratio, o.dim)},
                       {"qkv_bias", o.qkv_bias},
                       {"layer_norm_eps", o.norm_eps},
                       {"hidden_act", "gelu"},
                       {"hidden_dropout_prob", 0.0},
                       {"attention_probs_dropout_prob", 0.0}});
}

std::int64_t hidden_of(double mlp_ratio, std::int64_t dim) {
  return static_cast<std::int64_t>(static_cast<double>(dim) * mlp_ratio);
}

double mlp_ratio_of(std::int64_t hidden, std::int64_t dim) {
  check_runtime(hidden > 0 && dim > 0, "[config] expected positive sizes, got intermediate size ",
                hidden, " and hidden size ", dim);
  const double ratio = static_cast<double>(hidden) / static_cast<double>(dim);
  return hidden_of(ratio, dim) == hidden
             ? ratio
             : std::nextafter(ratio, std::numeric_limits<double>::infinity());
}

}  // namespace dermis::detail
