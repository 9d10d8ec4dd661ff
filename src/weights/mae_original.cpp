#include "dermis/weights/mae_original.hpp"

#include "config_keys.hpp"

namespace dermis {
namespace {

constexpr const char* kEncoder[] = {"cls_token",           "pos_embed",
                                    "patch_embed.proj.*",  "blocks.*.norm1.*",
                                    "blocks.*.attn.qkv.*", "blocks.*.attn.proj.*",
                                    "blocks.*.norm2.*",    "blocks.*.mlp.fc1.*",
                                    "blocks.*.mlp.fc2.*",  "norm.*"};

KeyMap same(std::initializer_list<const char*> more) {
  KeyMap map;
  for (const auto* name : kEncoder) map.push_back({name, name});
  for (const auto* name : more) map.push_back({name, name});
  return map;
}

ViTOptions encoder_from(const Json& arguments) {
  ViTOptions o;
  const auto [height, width] = detail::sides(arguments, "img_size", 224);
  check_runtime(height == width, "[config] key 'img_size': expected a square image, got ", height,
                " x ", width);
  o.image_size = height;
  o.patch_size = detail::patch_side(arguments, 16);
  o.in_channels = arguments.value("in_chans", std::int64_t{3});
  o.mlp_ratio = arguments.value("mlp_ratio", 4.0);
  return o;
}

}  // namespace

StateDict mae_from_mae_original(const StateDict& tensors, const std::string& source) {
  static const auto kMap =
      same({"mask_token", "decoder_pos_embed", "decoder_embed.*", "decoder_blocks.*.norm1.*",
            "decoder_blocks.*.attn.qkv.*", "decoder_blocks.*.attn.proj.*",
            "decoder_blocks.*.norm2.*", "decoder_blocks.*.mlp.fc1.*", "decoder_blocks.*.mlp.fc2.*",
            "decoder_norm.*", "decoder_pred.*"});
  auto result = rename_keys(tensors, kMap, "facebookresearch/mae's MaskedAutoencoderViT", source);
  bool decoder = false;
  for (const auto& entry : result) decoder = decoder || entry.first == "mask_token";
  check_runtime(decoder, "[weights] ", source,
                ": expected a masked autoencoder, got its encoder alone (no mask_token)");
  return result;
}

StateDict vit_from_mae_original(const StateDict& tensors, const std::string& source) {
  static const auto kMap = same({"fc_norm.*", "head.*"});
  return rename_keys(tensors, kMap, "facebookresearch/mae's VisionTransformer", source);
}

MAEOptions mae_options_from_mae_original(const Json& arguments) {
  MAEOptions o;
  o.encoder = encoder_from(arguments);
  o.encoder.dim = arguments.value("embed_dim", std::int64_t{1024});
  o.encoder.depth = arguments.value("depth", std::int64_t{24});
  o.encoder.heads = arguments.value("num_heads", std::int64_t{16});
  o.decoder_dim = arguments.value("decoder_embed_dim", std::int64_t{512});
  o.decoder_depth = arguments.value("decoder_depth", std::int64_t{8});
  o.decoder_heads = arguments.value("decoder_num_heads", std::int64_t{16});
  o.mask_ratio = arguments.value("mask_ratio", 0.75);
  o.norm_pix_loss = arguments.value("norm_pix_loss", false);
  return o;
}

ViTOptions vit_options_from_mae_original(const Json& arguments) {
  auto o = encoder_from(arguments);
  o.dim = arguments.value("embed_dim", std::int64_t{768});
  o.depth = arguments.value("depth", std::int64_t{12});
  o.heads = arguments.value("num_heads", std::int64_t{12});
  o.num_classes = arguments.value("num_classes", std::int64_t{1000});
  o.mean_pooling = arguments.value("global_pool", false);
  o.drop_path = arguments.value("drop_path_rate", 0.0);
  return o;
}

}  // namespace dermis
