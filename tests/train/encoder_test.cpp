#include "dermis/train/encoder.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include <catch2/catch.hpp>

#include "dermis/core/file.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/models/mae.hpp"
#include "dermis/weights/timm.hpp"
#include "dermis/weights/transformers_mae.hpp"
#include "dermis/weights/transformers_vit.hpp"
#include "folder.hpp"

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

ViTOptions tiny(double norm_eps = 1e-6) {
  return {.image_size = 16,
          .patch_size = 8,
          .dim = 64,
          .depth = 2,
          .heads = 1,
          .num_classes = 3,
          .norm_eps = norm_eps};
}

ViT made(const ViTOptions& options) {
  ViT vit(options, ParameterOptions{.generator = at::make_generator<at::CPUGeneratorImpl>(4)});
  vit->eval();
  return vit;
}

void write_folder(const std::filesystem::path& folder, const Json& config,
                  const StateDict& weights) {
  make_directories(folder);
  write_atomically(folder / "config.json", config.dump());
  write_tensors(folder / "model.safetensors", weights);
}

/// Whether the encoder computes what `vit` computes before its head.
bool same_features(const Encoder& encoder, ViT vit) {
  const torch::NoGradGuard no_grad;
  auto* module = dynamic_cast<ViTImpl*>(encoder.module.get());
  REQUIRE(module != nullptr);
  module->eval();
  const auto images = torch::rand({2, 3, 16, 16}, at::make_generator<at::CPUGeneratorImpl>(1));
  return at::equal(module->forward_features(images).pooled, vit->forward_features(images).pooled);
}

}  // namespace

TEST_CASE("encoder: folders of timm and transformers, with the pixels they are used to") {
  const test::ScratchFolder folder;
  auto vit = made(tiny());
  auto config = vit_options_to_timm(tiny());
  config["pretrained_cfg"] = Json::object(
      {{"mean", std::vector<double>{0.1, 0.2, 0.3}}, {"std", std::vector<double>{0.4, 0.5, 0.6}}});
  write_folder(folder / "timm", config, vit_to_timm(state_dict(*vit)));
  const auto timm = load_encoder(folder / "timm");
  CHECK(same_features(timm, vit));
  CHECK(timm.normalization.mean[2] == 0.3);
  CHECK(timm.normalization.std[0] == 0.4);

  auto other = made(tiny(1e-12));
  write_folder(folder / "hf", vit_options_to_transformers(tiny(1e-12)),
               vit_to_transformers(state_dict(*other)));
  CHECK(same_features(load_encoder(folder / "hf"), other));
  CHECK(load_encoder(folder / "hf").normalization.mean[0] == 0.5);
  write_atomically(folder / "hf" / "preprocessor_config.json",
                   R"({"image_mean": [0.7, 0.7, 0.7]})");
  CHECK(load_encoder(folder / "hf").normalization.mean[0] == 0.7);

  auto encoder = tiny(1e-12);
  encoder.num_classes = 0;
  const MAEOptions options{
      .encoder = encoder, .decoder_dim = 16, .decoder_depth = 1, .decoder_heads = 2};
  MAE mae(options);
  write_folder(folder / "mae", mae_options_to_transformers(options),
               mae_to_transformers(state_dict(*mae)));
  const auto masked = load_encoder(folder / "mae");
  CHECK(masked.normalization.mean[0] == 0.485);
  CHECK(at::equal(masked.module->named_parameters()["blocks.1.mlp.fc2.weight"],
                  mae->named_parameters()["blocks.1.mlp.fc2.weight"]));
}

TEST_CASE("encoder: a bare file of facebookresearch/mae, with or without its decoder") {
  const test::ScratchFolder folder;
  auto options = tiny();
  options.num_classes = 0;
  auto vit = made(options);
  auto weights = state_dict(*vit);
  write_tensors(folder / "encoder.safetensors", weights);
  CHECK(same_features(load_encoder(folder / "encoder.safetensors"), vit));
  weights.emplace_back("mask_token", torch::zeros({1, 1, 8}));
  weights.emplace_back("decoder_pos_embed", torch::zeros({1, 5, 8}));
  write_tensors(folder / "whole.safetensors", weights);
  CHECK(same_features(load_encoder(folder / "whole.safetensors"), vit));
}

TEST_CASE("encoder: what is no ViT is refused by the file's name") {
  const test::ScratchFolder folder;
  write_tensors(folder / "other.safetensors", {{"conv_in.weight", torch::zeros({2, 2})}});
  CHECK_THROWS_WITH(load_encoder(folder / "other.safetensors"),
                    Contains("other.safetensors") && Contains("patch_embed.proj.weight"));
  write_folder(folder / "bert", Json::object({{"model_type", "bert"}}), {{"a", torch::zeros({1})}});
  CHECK_THROWS_WITH(load_encoder(folder / "bert"),
                    Contains("config.json") && Contains("got model_type 'bert'"));
  make_directories(folder / "empty");
  CHECK_THROWS_WITH(load_encoder(folder / "empty"), Contains("config.json"));
}
