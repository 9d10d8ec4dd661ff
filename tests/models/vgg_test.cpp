#include "dermis/models/vgg.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::randn;

TEST_CASE("vgg: names and sizes are torchvision's") {
  const VGG16Features vgg(VGG16Options{}, ParameterOptions{.device = at::kMeta});
  CHECK(parameter_count(*vgg) == 14714688);
  const auto weights = vgg->named_parameters();
  for (const int layer : {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28})
    CHECK(weights.contains("features." + std::to_string(layer) + ".weight"));
  CHECK(weights.size() == 26);
}

TEST_CASE("vgg: five maps, each at half the resolution of the one before") {
  const VGG16Options small{.channels = {3, 4, 5, 6, 7}};
  VGG16Features vgg(small, ParameterOptions{.generator = test::generator(1)});
  const auto maps = vgg->forward(randn({2, 3, 32, 16}));
  REQUIRE(maps.size() == 5);
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto& map = maps[static_cast<std::size_t>(i)];
    CHECK(map.sizes() == at::IntArrayRef{2, 3 + i, 32 >> i, 16 >> i});
    CHECK(map.min().item<double>() >= 0);
  }
  test::check_module<VGG16Features>(
      VGG16Features(small, ParameterOptions{.generator = test::generator(2)}),
      [](VGG16Features& module, const auto& x) { return module->forward(x[0]).back().flatten(1); },
      {randn({2, 3, 32, 32})});
  CHECK(test::message_of([&] {
          vgg->forward(randn({1, 3, 15, 16}));
        }) ==
        "[vgg] expected images of shape [B, 3, H, W] with H and W of at least 16, got "
        "[1, 3, 15, 16]");
}
