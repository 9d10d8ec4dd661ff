#include "dermis/core/options.hpp"
#include "dermis/weights/timm.hpp"
#include "dermis/weights/transformers_mae.hpp"
#include "dermis/weights/transformers_vit.hpp"
#include "state_dicts.hpp"

using namespace dermis;
using test::message_of;

namespace {
const ViTOptions tiny{.image_size = 24,
                      .patch_size = 6,
                      .in_channels = 1,
                      .dim = 36,
                      .depth = 2,
                      .heads = 3,
                      .mlp_ratio = 49 / 36.0,
                      .num_classes = 5,
                      .norm_eps = 1e-12};
MAEOptions tiny_mae() {
  MAEOptions options{.encoder = tiny,
                     .decoder_dim = 16,
                     .decoder_depth = 1,
                     .decoder_heads = 2,
                     .decoder_mlp_ratio = 3,
                     .mask_ratio = 0.6,
                     .norm_pix_loss = false};
  options.encoder.num_classes = 0;
  return options;
}
const at::Tensor& find(const StateDict& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  FAIL("no tensor " << name);
  return tensors.front().second;
}
}  // namespace

TEST_CASE("transformers: a ViT's tensors go to the published names and back bit for bit") {
  for (const bool bias : {true, false}) {
    for (const std::int64_t classes : {5, 0}) {
      auto options = tiny;
      options.qkv_bias = bias;
      options.num_classes = classes;
      ViT vit(options, ParameterOptions{.generator = test::generator(1)});
      const auto values = test::values_of(*vit);
      const auto theirs = vit_to_transformers(values);
      test::check_same(vit_from_transformers(theirs), values);
      test::check_same(vit_to_transformers(vit_from_transformers(theirs)), theirs);

      const std::string prefix = classes > 0 ? "vit." : "";
      const auto qkv = find(values, "blocks.1.attn.qkv.weight");
      const auto attention = prefix + "encoder.layer.1.attention.attention.";
      CHECK(at::equal(find(theirs, attention + "query.weight"), qkv.slice(0, 0, 36)));
      CHECK(at::equal(find(theirs, attention + "key.weight"), qkv.slice(0, 36, 72)));
      CHECK(at::equal(find(theirs, attention + "value.weight"), qkv.slice(0, 72, 108)));
      CHECK(at::equal(find(theirs, prefix + "encoder.layer.0.output.dense.bias"),
                      find(values, "blocks.0.mlp.fc2.bias")));
      CHECK(at::equal(find(theirs, prefix + "encoder.layer.0.attention.output.dense.bias"),
                      find(values, "blocks.0.attn.proj.bias")));
    }
  }
}

TEST_CASE("transformers: names in memory are read, a pooler is left out") {
  ViT vit(tiny, ParameterOptions{.generator = test::generator(1)});
  const auto values = test::values_of(*vit);
  StateDict memory;
  for (auto [name, tensor] : vit_to_transformers(values)) {
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"encoder.layer.", "layers."},
             {"attention.attention.query", "attention.q_proj"},
             {"attention.attention.key", "attention.k_proj"},
             {"attention.attention.value", "attention.v_proj"},
             {"attention.output.dense", "attention.o_proj"},
             {"intermediate.dense", "mlp.fc1"},
             {"output.dense", "mlp.fc2"}})
      if (const auto at = name.find(from); at != std::string::npos)
        name.replace(at, from.size(), to);
    memory.emplace_back(name, tensor);
  }
  memory.emplace_back("vit.pooler.dense.weight", torch::zeros({36, 36}));
  test::check_same(vit_from_transformers(memory), values);
}

TEST_CASE("transformers: a ViT's options survive a trip through config.json") {
  auto odd = tiny;
  odd.dim = 49;
  odd.heads = 7;
  auto config = vit_options_to_transformers(odd);
  for (const std::int64_t hidden : {1, 33, 49, 100, 3072}) {  // int(49 * (1 / 49.)) is 0
    config["intermediate_size"] = hidden;
    CHECK(vit_options_to_transformers(vit_options_from_transformers(config)) == config);
  }
  auto options = tiny;
  options.qkv_bias = false;
  options.image_width = 36;
  CHECK(options_to_json(vit_options_from_transformers(vit_options_to_transformers(options))) ==
        options_to_json(options));
  options.num_classes = 0;
  CHECK(vit_options_from_transformers(vit_options_to_transformers(options)).num_classes == 0);
  options.num_classes = 2;
  const auto named = vit_options_to_transformers(options, {"MEL", "NV"});
  CHECK(named.at("id2label").at("1") == Json("NV"));
  CHECK(named.at("label2id").at("MEL") == Json(0));
  CHECK_THROWS_WITH(vit_options_to_transformers(options, {"MEL"}),
                    Catch::Contains("expected 2 class names, got 1"));
}

TEST_CASE("transformers: an empty config.json has ViTConfig's defaults") {
  const auto options = vit_options_from_transformers(Json::object({{"model_type", "vit"}}));
  CHECK(options.dim == 768);
  CHECK(options.mlp_ratio == 4);
  CHECK(options.norm_eps == 1e-12);
  CHECK(options.num_classes == 2);
  const auto mae = mae_options_from_transformers(Json::object());
  CHECK(mae.decoder_dim == 512);
  CHECK(mae.decoder_heads == 16);
  CHECK(mae.decoder_mlp_ratio == 4);
  CHECK_FALSE(mae.norm_pix_loss);
}

TEST_CASE("transformers: what our models do not have is refused by its key") {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"hidden_act", "relu"},
                                                 {"hidden_dropout_prob", 0.1},
                                                 {"attention_probs_dropout_prob", 0.1},
                                                 {"model_type", "deit"},
                                                 {"patch_size", std::vector<int>{8, 16}},
                                                 {"image_size", "large"}}) {
    const auto config = Json::object({{key, value}});
    const auto expected = Catch::Contains("[config] key '" + key + "'");
    CHECK_THAT(message_of<std::runtime_error>([&] { vit_options_from_transformers(config); }),
               expected);
    CHECK_THAT(message_of<std::runtime_error>([&] { mae_options_from_transformers(config); }),
               expected);
  }
  CHECK_THROWS_WITH(vit_options_from_transformers(Json::object({{"hidden_size", "big"}})),
                    Catch::Contains("'hidden_size'"));
  CHECK_THROWS_WITH(vit_options_from_transformers(Json::object({{"intermediate_size", 0}})),
                    Catch::Contains("intermediate size 0"));
  auto options = tiny;
  options.mean_pooling = true;
  CHECK_THROWS_WITH(vit_options_to_transformers(options), Catch::Contains("mean_pooling"));
  CHECK_THROWS_WITH(vit_to_transformers(state_dict(*ViT(options))),
                    Catch::Contains("fc_norm.weight, fc_norm.bias"));
  options = tiny;
  options.layer_scale = 0.1;
  CHECK_THROWS_WITH(vit_options_to_transformers(options), Catch::Contains("layer_scale"));
  options = tiny;
  options.drop_path = 0.1;
  CHECK_THROWS_WITH(vit_options_to_transformers(options), Catch::Contains("drop_path"));
  auto wide = tiny_mae();
  wide.encoder.image_width = 48;
  CHECK_THROWS_WITH(mae_options_to_transformers(wide), Catch::Contains("24 x 48"));
}

TEST_CASE("transformers: an MAE's tensors go to the published names and back bit for bit") {
  MAE mae(tiny_mae(), ParameterOptions{.generator = test::generator(1)});
  const auto values = test::values_of(*mae);
  const auto theirs = mae_to_transformers(values);
  test::check_same(mae_from_transformers(theirs), values);
  CHECK(at::equal(find(theirs, "decoder.decoder_layers.0.attention.attention.value.bias"),
                  find(values, "decoder_blocks.0.attn.qkv.bias").slice(0, 32)));
  CHECK(at::equal(find(theirs, "vit.encoder.layer.1.layernorm_after.weight"),
                  find(values, "blocks.1.norm2.weight")));

  StateDict saved;  // as save_pretrained of transformers 5.23 names the decoder
  for (auto [name, tensor] : theirs) {
    const std::string from = "decoder_layers";
    if (const auto at = name.find(from); at != std::string::npos)
      name.replace(at, from.size(), "decoder_encoder.layer");
    saved.emplace_back(name, tensor);
  }
  test::check_same(mae_from_transformers(saved), values);
}

TEST_CASE("transformers: an MAE's options survive a trip through config.json") {
  const auto options = tiny_mae();
  const auto again = mae_options_from_transformers(mae_options_to_transformers(options));
  CHECK(mae_options_to_transformers(again) == mae_options_to_transformers(options));
  CHECK(again.mask_ratio == 0.6);
  CHECK(again.decoder_mlp_ratio == 3);
  CHECK(again.encoder.heads == 3);
}

TEST_CASE("transformers: another library's file is told") {
  ViT vit(tiny);
  CHECK_THROWS_WITH(vit_from_transformers(vit_to_timm(state_dict(*vit)), "a.safetensors"),
                    Catch::Contains("[weights] a.safetensors") &&
                        Catch::Contains("this looks like timm's VisionTransformer"));
  MAE mae(tiny_mae());
  CHECK_THROWS_WITH(mae_from_transformers(state_dict(*mae)),
                    Catch::Contains("looks like facebookresearch/mae's MaskedAutoencoderViT"));
  CHECK_THROWS_WITH(vit_from_transformers(mae_to_transformers(state_dict(*mae))),
                    Catch::Contains("looks like transformers' ViTMAEForPreTraining"));
  auto broken = vit_to_transformers(state_dict(*vit));
  for (auto& entry : broken)
    if (entry.first == "vit.encoder.layer.0.attention.attention.key.weight")
      std::swap(entry, broken.back());
  broken.pop_back();
  CHECK_THROWS_WITH(vit_from_transformers(broken, "a.safetensors"),
                    Catch::Contains("a.safetensors: expected 'blocks.0.attn.k.weight' beside"));
}
