#include "dermis/weights/transformers_mae.hpp"

#include "config_keys.hpp"
#include "transformers_names.hpp"

namespace dermis {
namespace {

KeyMap written_map() {
  KeyMap map;
  detail::add_published_encoder(map, "vit.");
  map.push_back({"decoder.mask_token", "mask_token"});
  map.push_back({"decoder.decoder_pos_embed", "decoder_pos_embed"});
  map.push_back({"decoder.decoder_embed.*", "decoder_embed.*"});
  detail::add_published_block(map, "decoder.decoder_layers.*", "decoder_blocks.*");
  map.push_back({"decoder.decoder_norm.*", "decoder_norm.*"});
  map.push_back({"decoder.decoder_pred.*", "decoder_pred.*"});
  return map;
}

const KeyMap& read_map() {
  static const KeyMap map = [] {
    auto all = written_map();
    detail::add_memory_block(all, "vit.layers.*", "blocks.*");
    detail::add_memory_block(all, "decoder.decoder_layers.*", "decoder_blocks.*");
    // What save_pretrained of transformers 5.23 makes of decoder_layers.
    detail::add_published_block(all, "decoder.decoder_encoder.layer.*", "decoder_blocks.*");
    return all;
  }();
  return map;
}

}  // namespace

StateDict mae_from_transformers(const StateDict& tensors, const std::string& source) {
  return merge_rows(rename_keys(tensors, read_map(), "transformers' ViTMAEForPreTraining", source),
                    detail::kQueryKeyValue, "attn.qkv", source);
}

StateDict mae_to_transformers(const StateDict& tensors) {
  return rename_keys(split_rows(tensors, "attn.qkv", detail::kQueryKeyValue, "weights"),
                     reversed(written_map()), "an MAE that transformers can express", "weights");
}

MAEOptions mae_options_from_transformers(const Json& config) {
  detail::expect_value(config, "model_type", {"vit_mae"});
  MAEOptions o;
  o.encoder = detail::encoder_from_config(config);
  o.decoder_dim = config.value("decoder_hidden_size", std::int64_t{512});
  o.decoder_depth = config.value("decoder_num_hidden_layers", std::int64_t{8});
  o.decoder_heads = config.value("decoder_num_attention_heads", std::int64_t{16});
  o.decoder_mlp_ratio = detail::mlp_ratio_of(
      config.value("decoder_intermediate_size", std::int64_t{2048}), o.decoder_dim);
  o.mask_ratio = config.value("mask_ratio", 0.75);
  o.norm_pix_loss = config.value("norm_pix_loss", false);
  return o;
}

Json mae_options_to_transformers(const MAEOptions& o) {
  validate(o);
  check_argument(o.encoder.width() == o.encoder.image_size,
                 "[weights] transformers' ViTMAE takes square images alone, got ",
                 o.encoder.image_size, " x ", o.encoder.width());
  auto config = Json::object({{"architectures", std::vector<std::string>{"ViTMAEForPreTraining"}},
                              {"model_type", "vit_mae"}});
  const auto encoder = detail::encoder_to_config(o.encoder);
  for (const auto& [key, value] : encoder.items()) config[key] = value;
  const double ratio = o.decoder_mlp_ratio > 0 ? o.decoder_mlp_ratio : o.encoder.mlp_ratio;
  config["decoder_hidden_size"] = o.decoder_dim;
  config["decoder_num_hidden_layers"] = o.decoder_depth;
  config["decoder_num_attention_heads"] = o.decoder_heads;
  config["decoder_intermediate_size"] = detail::hidden_of(ratio, o.decoder_dim);
  config["mask_ratio"] = o.mask_ratio;
  config["norm_pix_loss"] = o.norm_pix_loss;
  return config;
}

}  // namespace dermis
