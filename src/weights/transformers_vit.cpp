#include "dermis/weights/transformers_vit.hpp"

#include "config_keys.hpp"
#include "transformers_names.hpp"

namespace dermis {
namespace {

KeyMap written_map(const std::string& prefix) {
  KeyMap map;
  detail::add_published_encoder(map, prefix);
  map.push_back({"classifier.*", "head.*"});
  return map;
}

const KeyMap& read_map() {
  static const KeyMap map = [] {
    auto all = written_map("vit.");
    detail::add_published_encoder(all, "");
    for (const std::string prefix : {"vit.", ""}) {
      detail::add_memory_block(all, prefix + "layers.*", "blocks.*");
      all.push_back({prefix + "pooler.dense.*", ""});
    }
    return all;
  }();
  return map;
}

}  // namespace

StateDict vit_from_transformers(const StateDict& tensors, const std::string& source) {
  return merge_rows(rename_keys(tensors, read_map(), "transformers' ViT", source),
                    detail::kQueryKeyValue, "attn.qkv", source);
}

StateDict vit_to_transformers(const StateDict& tensors) {
  bool head = false;
  for (const auto& entry : tensors) head = head || entry.first.rfind("head.", 0) == 0;
  return rename_keys(split_rows(tensors, "attn.qkv", detail::kQueryKeyValue, "weights"),
                     reversed(written_map(head ? "vit." : "")),
                     "a ViT that transformers can express", "weights");
}

RowMap transformers_vit_layers(const ViTOptions& options, bool published) {
  const auto d = options.dim;
  const auto hidden = detail::hidden_of(options.mlp_ratio, d);
  RowMap map;
  for (std::int64_t i = 0; i < options.depth; ++i) {
    const auto ours = text("blocks.", i, ".");
    const auto theirs = text(published ? "vit.encoder.layer." : "vit.layers.", i, ".");
    const auto attention = theirs + "attention.";
    const auto add = [&](const std::string& name, const std::string& layer, std::int64_t rows,
                         std::int64_t first = 0) {
      map.push_back({name, 0, ours + layer, first, rows});
    };
    add(attention + (published ? "attention.query" : "q_proj"), "attn.qkv", d);
    add(attention + (published ? "attention.key" : "k_proj"), "attn.qkv", d, d);
    add(attention + (published ? "attention.value" : "v_proj"), "attn.qkv", d, 2 * d);
    add(attention + (published ? "output.dense" : "o_proj"), "attn.proj", d);
    add(theirs + (published ? "intermediate.dense" : "mlp.fc1"), "mlp.fc1", hidden);
    add(theirs + (published ? "output.dense" : "mlp.fc2"), "mlp.fc2", d);
  }
  map.push_back({"classifier", 0, "head", 0, options.num_classes});
  return map;
}

ViTOptions vit_options_from_transformers(const Json& config) {
  detail::expect_value(config, "model_type", {"vit"});
  auto options = detail::encoder_from_config(config);
  options.num_classes = config.contains("id2label")
                            ? static_cast<std::int64_t>(config.at("id2label").size())
                            : config.value("num_labels", std::int64_t{2});
  if (config.contains("architectures") && !config.at("architectures").is_null()) {
    for (const auto& name : config.at("architectures").elements())
      if (name == Json("ViTModel")) options.num_classes = 0;
  }
  return options;
}

Json vit_options_to_transformers(const ViTOptions& options,
                                 const std::vector<std::string>& classes) {
  validate(options);
  check_argument(!options.mean_pooling,
                 "[weights] transformers' ViT has no mean_pooling, only the class token");
  check_argument(
      classes.empty() || static_cast<std::int64_t>(classes.size()) == options.num_classes,
      "[weights] expected ", options.num_classes, " class names, got ", classes.size());
  const bool head = options.num_classes > 0;
  auto config = Json::object(
      {{"architectures", std::vector<std::string>{head ? "ViTForImageClassification" : "ViTModel"}},
       {"model_type", "vit"}});
  const auto encoder = detail::encoder_to_config(options);
  for (const auto& [key, value] : encoder.items()) config[key] = value;
  if (!head) return config;
  auto names = Json::object(), numbers = Json::object();
  for (std::int64_t i = 0; i < options.num_classes; ++i) {
    const auto label = classes.empty() ? text("LABEL_", i) : classes[static_cast<std::size_t>(i)];
    names[std::to_string(i)] = label;
    numbers[label] = i;
  }
  config["id2label"] = names;
  config["label2id"] = numbers;
  return config;
}

}  // namespace dermis
