#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/explain/attention_maps.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("attention: the row that the head sees, over patches") {
  auto attention = torch::zeros({1, 5, 5});
  attention[0][0] = torch::tensor({0.2F, 0.1F, 0.3F, 0.4F, 0.0F});
  for (int i = 1; i < 5; ++i) attention[0][i][i] = 1;
  const GridSize grid{2, 2};
  const auto token = patch_map(attention, grid, false);
  CHECK(difference(token, torch::tensor({0.1F, 0.3F, 0.4F, 0.0F}).view({1, 2, 2})) < 1e-7);
  // The class token's row does not matter where the head does not see it.
  CHECK(difference(patch_map(attention, grid, true), torch::full({1, 2, 2}, 0.25)) < 1e-7);
  CHECK_THROWS_WITH(patch_map(attention, {2, 3}, false), Contains("[B, 7, 7], got [1, 5, 5]"));
}

TEST_CASE("attention: enlarging keeps a constant and the place of the maximum") {
  CHECK(difference(enlarged(torch::full({2, 2, 3}, 0.5), 8, 12), torch::full({2, 8, 12}, 0.5)) <
        1e-7);
  auto maps = torch::zeros({1, 4, 4});
  maps[0][1][2] = 1;
  const auto large = enlarged(maps, 16, 16);
  CHECK(large.min().item<float>() >= 0);
  const auto best = large.flatten().argmax().item<std::int64_t>();
  CHECK(best / 16 / 4 == 1);
  CHECK(best % 16 / 4 == 2);
  CHECK_THROWS_WITH(enlarged(torch::zeros({2, 2}), 4, 4), Contains("[B, h, w]"));
}

TEST_CASE("attention: maps of a ViT are its own, whatever the batches") {
  ViT vit(
      ViTOptions{
          .image_size = 16, .patch_size = 4, .dim = 16, .depth = 2, .heads = 2, .num_classes = 2},
      ParameterOptions{.generator = generator(1)});
  const Classifier classifier{vit, {}, {"a", "b"}};
  const auto images = (randn({5, 3, 16, 16}, 2) * 50 + 128).clamp(0, 255).to(torch::kByte);
  const auto maps = attention_maps(classifier, images);
  const torch::NoGradGuard no_grad;
  const auto attention =
      vit->forward_features(classifier.normalization(images), {.attention_maps = true})
          .attention_maps;
  const auto patches = attention[1].mean(1).select(1, 0).slice(1, 1).reshape({5, 4, 4});
  CHECK(difference(maps.last, enlarged(patches, 16, 16)) < 1e-6);
  const auto mixed = [&](int layer) {
    return 0.5 * attention[layer].mean(1) + 0.5 * torch::eye(17);
  };
  const auto rolled = at::matmul(mixed(1), mixed(0)).select(1, 0).slice(1, 1).reshape({5, 4, 4});
  CHECK(difference(maps.rollout, enlarged(rolled, 16, 16)) < 1e-6);
  CHECK(difference(attention_maps(classifier, images, 2).last, maps.last) < 1e-6);
  CHECK_THROWS_WITH(attention_maps(Classifier{}, images), Contains("a model, got none"));
}
