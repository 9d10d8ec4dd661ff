#include <torch/types.h>

#include <catch2/catch.hpp>
#include <set>

#include "dermis/core/options.hpp"
#include "dermis/models/vit.hpp"
#include "support.hpp"

using namespace dermis;

namespace {
const ViTOptions tiny{
    .image_size = 16, .patch_size = 4, .dim = 16, .depth = 3, .heads = 2, .num_classes = 5};
std::int64_t count(ViTOptions options, std::int64_t classes) {
  options.num_classes = classes;
  return parameter_count(*ViT(options, ParameterOptions{.device = at::kMeta}));
}
}  // namespace

TEST_CASE("vit: presets have the published parameter counts") {  // papers.md sections 1.8 and 7
  CHECK(count(vit_base(), 8) == 85'804'808);
  CHECK(count(vit_base(), 9) == 85'805'577);
  CHECK(count(vit_small(), 0) == 21'665'664);
  CHECK(count(vit_tiny(), 0) == 5'524'416);
  CHECK(count(vit_large(), 0) - 197 * 1024 == 303'099'904);
  CHECK(count(vit_huge(), 0) - 257 * 1280 == 630'435'840);
  auto half = vit_base();
  half.depth = 6;
  CHECK(count(half, 9) == 43'278'345);
}

TEST_CASE("vit: names are timm's") {
  std::set<std::string> names;
  ViT vit(tiny);
  for (const auto& item : vit->named_parameters()) names.insert(item.key());
  for (const auto* name :
       {"cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.2.attn.qkv.bias",
        "blocks.0.mlp.fc2.weight", "norm.weight", "head.bias"})
    CHECK(names.count(name) == 1);
  auto pooled = tiny;
  pooled.mean_pooling = true;
  const auto named = ViT(pooled)->named_parameters();
  CHECK(named.contains("fc_norm.weight"));
  CHECK_FALSE(named.contains("norm.weight"));
}

TEST_CASE("vit: clone, evaluation, batches and gradients behave") {
  const auto images = torch::randn({2, 3, 16, 16});
  test::check_module(ViT(tiny), images);
  auto other = tiny;
  other.mean_pooling = true;
  other.layer_scale = 0.1;
  other.drop_path = 0.2;
  ViT vit(other);
  vit->eval();
  test::check_module(vit, images);
}

TEST_CASE("vit: first values depend on the generator alone") {
  const auto make = [](std::uint64_t seed) {
    return ViT(tiny, ParameterOptions{.generator = at::make_generator<at::CPUGeneratorImpl>(seed)});
  };
  auto a = make(1), b = make(1), c = make(2);
  for (const auto& item : a->named_parameters())
    CHECK(at::equal(item.value(), b->named_parameters()[item.key()]));
  CHECK_FALSE(at::equal(a->pos_embed, c->pos_embed));
}

TEST_CASE("vit: drop path follows the generator in training and is off in evaluation") {
  auto options = tiny;
  options.drop_path = 0.5;
  options.mean_pooling = true;
  ViT vit(options);
  {
    torch::NoGradGuard no_grad;  // the head starts near zero; make differences visible
    vit->head->weight.normal_();
  }
  const auto images = torch::randn({8, 3, 16, 16});
  const auto draw = [&](std::uint64_t seed) {
    return vit->forward(images, at::make_generator<at::CPUGeneratorImpl>(seed));
  };
  CHECK(at::equal(draw(1), draw(1)));
  CHECK_FALSE(at::equal(draw(1), draw(2)));
  vit->eval();
  CHECK(at::equal(draw(1), draw(2)));
}

TEST_CASE("vit: hidden states and attention maps on request do not change the answer") {
  ViT vit(tiny);
  vit->eval();
  const auto images = torch::randn({2, 3, 16, 16});
  const auto plain = vit->forward_features(images);
  CHECK(plain.hidden_states.empty());
  CHECK(plain.attention_maps.empty());
  const auto full = vit->forward_features(images, {.hidden_states = true, .attention_maps = true});
  REQUIRE(full.hidden_states.size() == 4);
  REQUIRE(full.attention_maps.size() == 3);
  CHECK(full.attention_maps[1].sizes() == at::IntArrayRef({2, 2, 17, 17}));
  CHECK(at::allclose(full.pooled, plain.pooled, 1e-4, 1e-5));
  CHECK(at::allclose(vit->norm->forward(full.hidden_states.back()), full.tokens));
}

TEST_CASE("vit: options survive a trip through JSON, unknown keys do not") {
  auto options = tiny;
  options.mean_pooling = true;
  options.norm_eps = 1e-12;
  ViTOptions read;
  options_from_json(read, options_to_json(options), "test");
  CHECK(options_to_json(read) == options_to_json(options));
  CHECK_THROWS_WITH(options_from_json(read, Json::object({{"hedas", 3}}), "file.json"),
                    Catch::Contains("file.json: unknown key 'hedas'") && Catch::Contains("heads"));
  CHECK_THROWS_WITH(options_from_json(read, Json::object({{"heads", "three"}}), "file.json"),
                    Catch::Contains("key 'heads'"));
}

TEST_CASE("vit: bad options and images are one clear error") {
  CHECK_THROWS_WITH(ViT(ViTOptions{.image_size = 30, .patch_size = 16}),
                    Catch::Contains("image_size 30 and patch_size 16"));
  CHECK_THROWS_WITH(ViT(ViTOptions{.dim = 100, .heads = 3}),
                    Catch::Contains("dim 100 and 3 heads"));
  CHECK_THROWS_WITH(ViT(ViTOptions{.depth = 0}), Catch::Contains("depth"));
  ViT vit(tiny);
  CHECK_THROWS_WITH(vit->forward(torch::zeros({2, 1, 16, 16})),
                    Catch::Contains("[*, 3, 16, 16], got [2, 1, 16, 16]"));
}

TEST_CASE("vit: images need not be square, nor of the size of training") {
  auto options = tiny;
  options.image_width = 24;
  ViT vit(options);
  vit->eval();
  test::check_module(vit, torch::randn({2, 3, 16, 24}));
  CHECK(vit->pos_embed.sizes() == at::IntArrayRef({1, 1 + 4 * 6, 16}));
  CHECK_THROWS_WITH(vit->forward(torch::zeros({1, 3, 24, 16})), Catch::Contains("[*, 3, 16, 24]"));
  options.image_width = 22;
  CHECK_THROWS_WITH(ViT(options), Catch::Contains("image_width 22 and patch_size 4"));

  const auto images = torch::randn({2, 3, 16, 24});
  auto same = with_image_size(vit, 16, 24, /*antialias=*/true);
  CHECK(at::equal(same->forward(images), vit->forward(images)));
  auto turned = with_image_size(vit, 24, 16, /*antialias=*/false);
  CHECK_FALSE(turned->is_training());
  CHECK(turned->forward(torch::randn({2, 3, 24, 16})).sizes() == at::IntArrayRef({2, 5}));
  CHECK(at::equal(turned->pos_embed, resample_position(vit->pos_embed, {4, 6}, {6, 4}, 1)));
  CHECK_FALSE(at::equal(turned->pos_embed.slice(1, 1), vit->pos_embed.slice(1, 1)));
}
