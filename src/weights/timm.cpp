#include "dermis/weights/timm.hpp"

#include <algorithm>
#include <regex>

#include "config_keys.hpp"

namespace dermis {
namespace {

const KeyMap& timm_names() {
  static const KeyMap map = [] {
    KeyMap same;
    for (const auto* name :
         {"cls_token", "pos_embed", "patch_embed.proj.*", "blocks.*.norm1.*", "blocks.*.attn.qkv.*",
          "blocks.*.attn.proj.*", "blocks.*.ls1.gamma", "blocks.*.norm2.*", "blocks.*.mlp.fc1.*",
          "blocks.*.mlp.fc2.*", "blocks.*.ls2.gamma", "norm.*", "fc_norm.*", "head.*"})
      same.push_back({name, name});
    return same;
  }();
  return map;
}

/// The arguments of timm's functions of these names.
ViTOptions named_architecture(const std::string& name) {
  static const std::regex kForm("vit_(tiny|small|base|large|huge)_patch([0-9]{1,3})_([0-9]{1,5})");
  std::smatch match;
  check_runtime(std::regex_match(name, match, kForm),
                "[config] key 'architecture': expected "
                "vit_<tiny|small|base|large|huge>_patch<P>_<S>, got \"",
                name, "\"");
  const auto size = match[1].str();
  auto options = size == "tiny"    ? vit_tiny()
                 : size == "small" ? vit_small()
                 : size == "base"  ? vit_base()
                 : size == "large" ? vit_large()
                                   : vit_huge();
  options.patch_size = std::stoll(match[2]);
  options.image_size = std::stoll(match[3]);
  options.num_classes = 1000;
  return options;
}

void set_pooling(ViTOptions& options, const Json& config) {
  detail::expect_value(config, "global_pool", {"token", "avg"});
  options.mean_pooling =
      config.value("global_pool", options.mean_pooling ? "avg" : "token") == "avg";
}

/// Overwrites what the keyword arguments name.
void set_arguments(ViTOptions& o, const Json& kwargs) {
  const std::vector<std::pair<std::string, std::vector<Json>>> fixed = {
      {"class_token", {true}},
      {"pos_embed", {"learn"}},
      {"no_embed_class", {false}},
      {"reg_tokens", {0}},
      {"pre_norm", {false}},
      {"final_norm", {true}},
      {"qk_norm", {false}},
      {"scale_attn_norm", {false}},
      {"scale_mlp_norm", {false}},
      {"proj_bias", {true}},
      {"dynamic_img_size", {false, true}},
      {"dynamic_img_pad", {false}},
      {"drop_rate", {0.0}},
      {"pos_drop_rate", {0.0}},
      {"patch_drop_rate", {0.0}},
      {"proj_drop_rate", {0.0}},
      {"attn_drop_rate", {0.0}},
      {"norm_layer", {}},
      {"act_layer", {"gelu"}},
      {"embed_layer", {}},
      {"block_fn", {}},
      {"mlp_layer", {}},
      {"embed_norm_layer", {}},
      {"attn_layer", {}},
      {"fix_init", {true, false}},
      {"pool_include_prefix", {false}},
  };
  static const std::vector<std::string> kRead = {
      "img_size",       "patch_size",  "in_chans",  "num_classes", "global_pool",
      "embed_dim",      "depth",       "num_heads", "mlp_ratio",   "qkv_bias",
      "drop_path_rate", "init_values", "fc_norm",   "weight_init"};
  for (const auto& [key, value] : kwargs.items()) {
    const auto known = std::find_if(fixed.begin(), fixed.end(),
                                    [&, &key = key](auto& f) { return f.first == key; });
    if (known != fixed.end()) {
      detail::expect_value(kwargs, key,
                           known->second.empty() ? std::vector<Json>{nullptr} : known->second);
    } else {
      check_runtime(std::find(kRead.begin(), kRead.end(), key) != kRead.end() || value.is_null(),
                    "[config] key '", key, "' is unknown");
    }
  }
  const auto [height, width] = detail::sides(kwargs, "img_size", o.image_size);
  if (kwargs.contains("img_size")) {
    o.image_size = height;
    o.image_width = width == height ? 0 : width;
  }
  o.patch_size = detail::patch_side(kwargs, o.patch_size);
  o.in_channels = kwargs.value("in_chans", o.in_channels);
  o.num_classes = kwargs.value("num_classes", o.num_classes);
  o.dim = kwargs.value("embed_dim", o.dim);
  o.depth = kwargs.value("depth", o.depth);
  o.heads = kwargs.value("num_heads", o.heads);
  o.mlp_ratio = kwargs.value("mlp_ratio", o.mlp_ratio);
  o.qkv_bias = kwargs.value("qkv_bias", o.qkv_bias);
  o.drop_path = kwargs.value("drop_path_rate", o.drop_path);
  o.layer_scale = kwargs.value("init_values", o.layer_scale);
  set_pooling(o, kwargs);
  detail::expect_value(kwargs, "fc_norm", {o.mean_pooling});
}

}  // namespace

StateDict vit_from_timm(const StateDict& tensors, const std::string& source) {
  return rename_keys(tensors, timm_names(), "timm's VisionTransformer", source);
}

StateDict vit_to_timm(const StateDict& tensors) {
  return rename_keys(tensors, reversed(timm_names()), "dermis' ViT", "weights");
}

ViTOptions vit_options_from_timm(const Json& config) {
  if (!config.contains("architecture")) {
    ViTOptions options{.num_classes = 1000};
    set_arguments(options, config);
    return options;
  }
  auto options = named_architecture(config.at("architecture").get<std::string>());
  options.num_classes = config.value("num_classes", options.num_classes);
  set_pooling(options, config);
  if (config.contains("model_args")) set_arguments(options, config.at("model_args"));
  return options;
}

Json vit_options_to_timm(const ViTOptions& o) {
  validate(o);
  check_argument(o.norm_eps == 1e-6,
                 "[weights] timm's configuration cannot name norm_eps; expected 1e-6, got ",
                 o.norm_eps);
  const std::string pooling = o.mean_pooling ? "avg" : "token";
  return Json::object(
      {{"architecture", "vit_base_patch16_224"},  // all of its arguments are given below
       {"num_classes", o.num_classes},
       {"num_features", o.dim},
       {"global_pool", pooling},
       {"model_args",
        Json::object({{"num_classes", o.num_classes},
                      {"global_pool", pooling},
                      {"img_size", std::vector<std::int64_t>{o.image_size, o.width()}},
                      {"patch_size", o.patch_size},
                      {"in_chans", o.in_channels},
                      {"embed_dim", o.dim},
                      {"depth", o.depth},
                      {"num_heads", o.heads},
                      {"mlp_ratio", o.mlp_ratio},
                      {"qkv_bias", o.qkv_bias},
                      {"init_values", o.layer_scale > 0 ? Json(o.layer_scale) : Json()},
                      {"drop_path_rate", o.drop_path}})},
       {"pretrained_cfg",
        Json::object(
            {{"input_size", std::vector<std::int64_t>{o.in_channels, o.image_size, o.width()}},
             {"num_classes", o.num_classes},
             {"first_conv", "patch_embed.proj"},
             {"classifier", "head"}})}});
}

}  // namespace dermis
