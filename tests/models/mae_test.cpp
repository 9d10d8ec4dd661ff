#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/models/mae.hpp"

using namespace dermis;

namespace {
MAEOptions tiny() {
  return {.encoder = {.image_size = 16, .patch_size = 4, .dim = 16, .depth = 2, .heads = 2},
          .decoder_dim = 8,
          .decoder_depth = 1,
          .decoder_heads = 2};
}
}  // namespace

TEST_CASE("mae: presets have the published parameter counts") {  // papers.md section 1.8
  const ParameterOptions nowhere{.device = at::kMeta};
  CHECK(parameter_count(*MAE(mae_base(), nowhere)) == 111'907'840);
  CHECK(parameter_count(*MAE(mae_large(), nowhere)) == 329'541'888);
  CHECK(parameter_count(*MAE(mae_huge(), nowhere)) == 657'074'508);
}

TEST_CASE("mae: the mask hides exactly its share, and restore undoes the shuffle") {
  const auto noise = torch::rand({3, 16});
  const auto masked = random_mask(noise, 0.75);
  CHECK(masked.kept.sizes() == at::IntArrayRef({3, 4}));
  CHECK(at::equal(masked.mask.sum(1), torch::full({3}, 12.0)));
  CHECK(at::equal(masked.mask.gather(1, masked.kept), torch::zeros({3, 4})));
  const auto smallest = std::get<0>(noise.sort(1)).slice(1, 0, 4);
  CHECK(at::equal(noise.gather(1, masked.kept), smallest));  // in the order of the noise
  // Patch i stands at place restore[i] of [kept, hidden].
  CHECK(at::equal(masked.restore.gather(1, masked.kept), torch::arange(4).expand({3, 4})));
}

TEST_CASE("mae: what is hidden does not reach the encoder") {
  MAE mae(tiny());
  mae->eval();
  const auto noise = torch::rand({1, 16});
  const auto kept = random_mask(noise, 0.75).kept;
  auto images = torch::randn({1, 3, 16, 16});
  const auto latent = mae->encode(images, kept);
  auto patches = patchify(images, 4).clone();
  auto hidden = torch::ones({16}, torch::kBool);
  hidden.index_fill_(0, kept[0], 0);
  patches[0].index_put_({hidden}, 1e3);
  CHECK(at::equal(mae->encode(unpatchify(patches, 4), kept), latent));
}

TEST_CASE("mae: the loss is the error over hidden patches alone") {
  for (const bool normalised : {true, false}) {
    auto options = tiny();
    options.norm_pix_loss = normalised;
    MAE mae(options);
    const auto images = torch::randn({2, 3, 16, 16});
    const auto output = mae->forward(images, torch::rand({2, 16}));
    const auto error = (output.prediction - mae->target(images)).square().mean(-1);
    CHECK(output.loss.item<double>() ==
          Approx((error * output.mask).sum().item<double>() / 24).epsilon(1e-5));
  }
}

TEST_CASE("mae: a perfect prediction reconstructs the picture, also of normalised patches") {
  for (const bool normalised : {true, false}) {
    auto options = tiny();
    options.norm_pix_loss = normalised;
    MAE mae(options);
    const auto images = torch::randn({2, 3, 16, 16});
    auto output = mae->forward(images, torch::rand({2, 16}));
    CHECK_FALSE(at::allclose(mae->reconstruct(images, output), images, 1e-3, 1e-3));
    output.prediction = mae->target(images);
    CHECK(at::allclose(mae->reconstruct(images, output), images, 1e-4, 1e-4));
  }
}

TEST_CASE("mae: every weight gets a gradient, the fixed position tables none") {
  MAE mae(tiny());
  mae->forward(torch::randn({2, 3, 16, 16}), torch::rand({2, 16})).loss.backward();
  for (const auto& item : mae->named_parameters()) {
    INFO(item.key());
    if (item.key() == "pos_embed" || item.key() == "decoder_pos_embed") {
      CHECK_FALSE(item.value().requires_grad());
    } else {
      CHECK(item.value().grad().defined());
    }
  }
}

TEST_CASE("mae: a ViT starts from the encoder, at another size too") {
  MAE mae(tiny());
  auto options = tiny().encoder;
  options.num_classes = 3;
  options.mean_pooling = true;
  ViT vit(options);
  copy_encoder(mae, vit);
  CHECK(at::equal(vit->blocks->at<TransformerBlockImpl>(1).attn->qkv->weight,
                  mae->blocks->at<TransformerBlockImpl>(1).attn->qkv->weight));
  CHECK(at::equal(vit->pos_embed, mae->pos_embed));
  CHECK(vit->pos_embed.requires_grad());

  options.image_size = 24;
  ViT larger(options);
  copy_encoder(mae, larger);
  CHECK(at::allclose(larger->pos_embed, resample_position(mae->pos_embed, 6, 1)));

  options.depth = 3;
  ViT deeper(options);
  CHECK_THROWS_WITH(copy_encoder(mae, deeper),
                    Catch::Contains("depth 3") && Catch::Contains("depth 2"));
}

TEST_CASE(
    "mae: images that are not square, a perceptron of the decoder's own, all tokens on request") {
  auto options = tiny();
  options.encoder.image_width = 24;
  options.decoder_mlp_ratio = 1.5;
  options.norm_pix_loss = false;
  MAE mae(options);
  CHECK(mae->decoder_blocks->at<TransformerBlockImpl>(0).mlp->fc1->weight.size(0) == 12);
  CHECK(mae->blocks->at<TransformerBlockImpl>(0).mlp->fc1->weight.size(0) == 64);
  const auto images = torch::randn({2, 3, 16, 24}), noise = torch::rand({2, 24});
  auto output = mae->forward(images, noise);
  output.prediction = mae->target(images);
  CHECK(at::allclose(mae->reconstruct(images, output), images, 1e-4, 1e-4));

  const auto masked = random_mask(noise, options.mask_ratio);
  std::vector<at::Tensor> encoder, decoder;
  const auto latent = mae->encode(images, masked.kept, &encoder);
  REQUIRE(encoder.size() == 3);
  CHECK(at::equal(encoder[0], mae->embed(images, masked.kept)));
  CHECK(at::equal(mae->norm->forward(encoder[2]), latent));
  const auto prediction = mae->decode(latent, masked.restore, &decoder);
  REQUIRE(decoder.size() == 2);
  CHECK(at::equal(decoder[0], mae->decoder_tokens(latent, masked.restore)));
  CHECK(decoder[1].sizes() == at::IntArrayRef({2, 25, 8}));
  CHECK(at::equal(prediction, mae->decode(latent, masked.restore)));
}

TEST_CASE("mae: bad options are one clear error") {
  auto options = tiny();
  options.mask_ratio = 1;
  CHECK_THROWS_WITH(MAE(options), Catch::Contains("mask_ratio in (0, 1), got 1"));
  options.mask_ratio = 0.99;
  CHECK_THROWS_WITH(MAE(options), Catch::Contains("at least one visible patch"));
  options = tiny();
  options.encoder.dim = 18;
  CHECK_THROWS_WITH(MAE(options), Catch::Contains("dim divisible by 4, got 18"));
  options = tiny();
  options.decoder_mlp_ratio = -1;
  CHECK_THROWS_WITH(MAE(options), Catch::Contains("decoder_mlp_ratio of at least 0, got -1"));
  options = tiny();
  options.decoder_dim = 10;
  CHECK_THROWS_WITH(MAE(options), Catch::Contains("decoder_dim"));
  MAE mae(tiny());
  CHECK_THROWS_WITH(mae->forward(torch::zeros({1, 3, 32, 32}), torch::rand({1, 64})),
                    Catch::Contains("[*, 3, 16, 16]"));
}
