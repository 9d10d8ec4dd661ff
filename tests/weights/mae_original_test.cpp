#include "dermis/weights/mae_original.hpp"

#include "state_dicts.hpp"

using namespace dermis;

namespace {
MAEOptions tiny() {
  return {.encoder = {.image_size = 16, .patch_size = 4, .dim = 16, .depth = 2, .heads = 2},
          .decoder_dim = 8,
          .decoder_depth = 1,
          .decoder_heads = 2};
}
}  // namespace

TEST_CASE("facebookresearch/mae: whole models, encoders and fine-tuned models are read") {
  MAE mae(tiny(), ParameterOptions{.generator = test::generator(1)});
  const auto whole = test::values_of(*mae);
  test::check_same(mae_from_mae_original(whole), whole);

  StateDict encoder;
  for (const auto& entry : whole)
    if (entry.first.rfind("decoder_", 0) != 0 && entry.first != "mask_token")
      encoder.push_back(entry);
  ViT vit(tiny().encoder);
  load_state_dict(*vit, vit_from_mae_original(encoder), "test");
  test::check_same(test::values_of(*vit), encoder);

  for (const bool pooled : {true, false}) {
    auto options = tiny().encoder;
    options.num_classes = 3;
    options.mean_pooling = pooled;
    ViT tuned(options);
    const auto values = test::values_of(*tuned);
    test::check_same(vit_from_mae_original(values), values);
  }
}

TEST_CASE("facebookresearch/mae: the wrong kind of file is one clear error") {
  MAE mae(tiny());
  CHECK_THROWS_WITH(vit_from_mae_original(state_dict(*mae), "a.safetensors"),
                    Catch::Contains("a.safetensors: expected the tensors of "
                                    "facebookresearch/mae's VisionTransformer") &&
                        Catch::Contains("looks like facebookresearch/mae's MaskedAutoencoderViT"));
  ViT vit(tiny().encoder);
  CHECK_THROWS_WITH(mae_from_mae_original(state_dict(*vit), "a.safetensors"),
                    "[weights] a.safetensors: expected a masked autoencoder, got its encoder alone "
                    "(no mask_token)");
  CHECK_THROWS_WITH(
      mae_from_mae_original({{"distilvit.encoder.layer.0.output.dense.bias", torch::zeros({1})}}),
      Catch::Contains("looks like SkinDistilViT's DistilViT"));
}

TEST_CASE("facebookresearch/mae: options from the classes' arguments and their defaults") {
  const auto large = mae_options_from_mae_original(Json::object());
  CHECK(large.encoder.dim == 1024);
  CHECK(large.encoder.depth == 24);
  CHECK(large.decoder_dim == 512);
  CHECK(large.encoder.norm_eps == 1e-6);
  CHECK_FALSE(large.norm_pix_loss);
  const auto options = mae_options_from_mae_original(
      Json::object({{"img_size", 40}, {"patch_size", 8}, {"decoder_depth", 2}, {"batch", 4}}));
  CHECK(options.encoder.grid() == 5);
  CHECK(options.decoder_depth == 2);
  const auto vit = vit_options_from_mae_original(
      Json::object({{"global_pool", true}, {"num_classes", 9}, {"num_heads", 6}}));
  CHECK(vit.mean_pooling);
  CHECK(vit.num_classes == 9);
  CHECK(vit.heads == 6);
  CHECK(vit.dim == 768);
  CHECK_THROWS_WITH(
      mae_options_from_mae_original(Json::object({{"img_size", std::vector<int>{32, 64}}})),
      Catch::Contains("key 'img_size': expected a square image, got 32 x 64"));
}
