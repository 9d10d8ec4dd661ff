#include "dermis/weights/skindistilvit.hpp"

#include "state_dicts.hpp"

using namespace dermis;

namespace {
const ViTOptions tiny{
    .image_size = 16, .patch_size = 4, .dim = 16, .depth = 2, .heads = 2, .num_classes = 3};
}  // namespace

TEST_CASE("SkinDistilViT: DistilViT and FCViT go to their names and back bit for bit") {
  auto options = tiny;
  const auto values = test::values_of(*ViT(options));
  const auto distilvit = vit_to_distilvit(values);
  test::check_same(vit_from_distilvit(distilvit), values);
  for (const auto& entry : distilvit)
    CHECK((entry.first.rfind("distilvit.", 0) == 0 || entry.first.rfind("classifier.", 0) == 0));

  options.num_classes = 0;
  DepthHeadTensors tensors{test::values_of(*ViT(options)), {}};
  for (const int level : {0, 1}) {
    tensors.heads.emplace_back(std::to_string(level) + ".weight", test::randn({3, 16}, level));
    tensors.heads.emplace_back(std::to_string(level) + ".bias", test::randn({3}, level));
  }
  const auto fcvit = depth_heads_to_fcvit(tensors);
  const auto again = depth_heads_from_fcvit(fcvit);
  test::check_same(again.vit, tensors.vit);
  test::check_same(again.heads, tensors.heads);
  CHECK_THROWS_WITH(
      vit_from_distilvit(fcvit, "a.safetensors"),
      Catch::Contains("a.safetensors") && Catch::Contains("looks like SkinDistilViT's FCViT"));
  CHECK_THROWS_WITH(depth_heads_from_fcvit(distilvit),
                    Catch::Contains("looks like SkinDistilViT's DistilViT"));
}
