#include "dermis/weights/timm.hpp"

#include "dermis/core/options.hpp"
#include "state_dicts.hpp"

using namespace dermis;
using test::message_of;

namespace {
const ViTOptions tiny{.image_size = 28,
                      .image_width = 42,
                      .patch_size = 14,
                      .dim = 20,
                      .depth = 2,
                      .heads = 5,
                      .mlp_ratio = 2.7,
                      .num_classes = 3,
                      .mean_pooling = true,
                      .qkv_bias = false,
                      .drop_path = 0.1,
                      .layer_scale = 0.5};
Json kwargs(const std::string& key, const Json& value) {
  auto config = Json::object({{"embed_dim", 20}, {"num_heads", 5}});
  config[key] = value;
  return config;
}
}  // namespace

TEST_CASE("timm: tensors go to timm's names and back bit for bit") {
  for (const bool pooled : {true, false}) {
    auto options = tiny;
    options.mean_pooling = pooled;
    ViT vit(options, ParameterOptions{.generator = test::generator(1)});
    const auto values = test::values_of(*vit);
    const auto theirs = vit_to_timm(values);
    test::check_same(theirs, values);  // our names are timm's
    test::check_same(vit_from_timm(theirs), values);
  }
}

TEST_CASE("timm: options survive a trip through timm's config.json") {
  for (const auto& options : {tiny, vit_small(), ViTOptions{.norm_eps = 1e-6}}) {
    const auto config = vit_options_to_timm(options);
    CHECK(options_to_json(vit_options_from_timm(config)) == options_to_json(options));
  }
  const auto config = vit_options_to_timm(tiny);
  CHECK(config.at("model_args").at("img_size") == Json(std::vector<int>{28, 42}));
  CHECK(config.at("global_pool") == Json("avg"));
}

TEST_CASE("timm: the keyword arguments have timm's names and defaults") {
  const auto base = vit_options_from_timm(Json::object());
  CHECK(base.dim == 768);
  CHECK(base.num_classes == 1000);
  CHECK_FALSE(base.mean_pooling);
  CHECK(base.norm_eps == 1e-6);
  const auto options = vit_options_from_timm(Json::parse(
      R"({"img_size": [32, 48], "patch_size": [8, 8], "in_chans": 1, "num_classes": 9,
          "global_pool": "avg", "fc_norm": true, "embed_dim": 48, "depth": 3, "num_heads": 4,
          "mlp_ratio": 2.5, "qkv_bias": false, "init_values": null, "drop_path_rate": 0.2,
          "class_token": true, "norm_layer": null})",
      "test"));
  CHECK(options.image_size == 32);
  CHECK(options.width() == 48);
  CHECK(options.patch_size == 8);
  CHECK(options.in_channels == 1);
  CHECK(options.num_classes == 9);
  CHECK(options.mean_pooling);
  CHECK(options.dim == 48);
  CHECK(options.depth == 3);
  CHECK(options.heads == 4);
  CHECK(options.mlp_ratio == 2.5);
  CHECK_FALSE(options.qkv_bias);
  CHECK(options.layer_scale == 0);
  CHECK(options.drop_path == 0.2);
}

TEST_CASE("timm: a published config.json names its architecture") {
  const auto options = vit_options_from_timm(Json::parse(
      R"({"architecture": "vit_small_patch16_224", "num_classes": 21843, "num_features": 384,
          "global_pool": "token", "pretrained_cfg": {"input_size": [3, 224, 224]}})",
      "test"));
  CHECK(options.dim == 384);
  CHECK(options.heads == 6);
  CHECK(options.image_size == 224);
  CHECK(options.num_classes == 21843);
  const auto huge = vit_options_from_timm(
      Json::object({{"architecture", "vit_huge_patch14_224"}, {"num_classes", 0}}));
  CHECK(huge.patch_size == 14);
  CHECK(huge.dim == 1280);
  CHECK(huge.num_classes == 0);
  CHECK_THROWS_WITH(vit_options_from_timm(Json::object({{"architecture", "resnet18"}})),
                    Catch::Contains("key 'architecture'") && Catch::Contains("\"resnet18\""));
}

TEST_CASE("timm: what our ViT does not have is refused by its key") {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"class_token", false},
                                                 {"reg_tokens", 4},
                                                 {"qk_norm", true},
                                                 {"pre_norm", true},
                                                 {"no_embed_class", true},
                                                 {"global_pool", "map"},
                                                 {"fc_norm", true},
                                                 {"act_layer", "relu"},
                                                 {"norm_layer", "rmsnorm"},
                                                 {"drop_rate", 0.1},
                                                 {"surprise", 1},
                                                 {"patch_size", std::vector<int>{8, 16}},
                                                 {"img_size", "large"}}) {
    INFO(key);
    const auto message = message_of<std::runtime_error>(
        [&, &key = key, &value = value] { vit_options_from_timm(kwargs(key, value)); });
    CHECK_THAT(message, Catch::Contains("[config] key '" + key + "'"));
  }
  CHECK_THROWS_WITH(vit_options_from_timm(kwargs("depth", "three")), Catch::Contains("'depth'"));
  auto options = tiny;
  options.norm_eps = 1e-12;
  CHECK_THROWS_WITH(vit_options_to_timm(options), Catch::Contains("norm_eps"));
}

TEST_CASE("timm: another library's file is told") {
  const auto one = torch::zeros({1});
  CHECK_THROWS_WITH(
      vit_from_timm({{"vit.encoder.layer.0.attention.attention.query.bias", one}}, "a.safetensors"),
      Catch::Contains("a.safetensors") && Catch::Contains("this looks like transformers' ViT"));
  CHECK_THROWS_WITH(vit_from_timm({{"cls_token", one}, {"reg_token", one}}),
                    Catch::Contains("got 1 that it does not have: reg_token"));
}
