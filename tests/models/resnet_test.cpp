#include <torch/types.h>

#include <catch2/catch.hpp>
#include <set>

#include "dermis/core/options.hpp"
#include "dermis/models/resnet.hpp"
#include "support.hpp"

using namespace dermis;
using Catch::Matchers::Contains;

namespace {

const ResNetOptions tiny{.image_size = 16,
                         .widths = {4, 6, 8},
                         .depths = {1, 2, 1},
                         .small_stem = true,
                         .num_classes = 5};

std::int64_t count(ResNetOptions options, std::int64_t classes) {
  options.num_classes = classes;
  return parameter_count(*ResNet(options, ParameterOptions{.device = at::kMeta}));
}

}  // namespace

TEST_CASE("resnet: presets have torchvision's parameter counts") {
  CHECK(count(resnet18(), 1000) == 11'689'512);
  CHECK(count(resnet34(), 1000) == 21'797'672);
  CHECK(count(resnet50(), 1000) == 25'557'032);
  CHECK(count(resnet18(), 0) == 11'176'512);
}

TEST_CASE("resnet: names are torchvision's") {
  std::set<std::string> names;
  const ResNet basic(resnet18(), ParameterOptions{.device = at::kMeta});
  for (const auto& item : basic->named_parameters()) names.insert(item.key());
  for (const auto& item : basic->named_buffers()) names.insert(item.key());
  CHECK(names.size() == 120);  // of torchvision.models.resnet18(num_classes=0).state_dict()
  for (const auto* name :
       {"conv1.weight", "bn1.running_var", "layer1.1.conv2.weight", "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.running_mean", "layer4.1.bn2.num_batches_tracked"})
    CHECK(names.count(name) == 1);
  CHECK(names.count("layer1.0.downsample.0.weight") == 0);
  const ResNet bottleneck(resnet50(), ParameterOptions{.device = at::kMeta});
  const auto deep = bottleneck->named_parameters();
  CHECK(deep["layer1.0.downsample.0.weight"].sizes() == at::IntArrayRef({256, 64, 1, 1}));
  CHECK(deep["layer4.2.conv3.weight"].sizes() == at::IntArrayRef({2048, 512, 1, 1}));
  auto headed = tiny;
  CHECK(ResNet(headed)->named_parameters().contains("fc.bias"));
}

TEST_CASE("resnet: clone, evaluation, batches and gradients behave") {
  const auto images = test::randn({2, 3, 16, 16}, 1);
  for (const bool bottleneck : {false, true}) {
    auto options = tiny;
    options.bottleneck = bottleneck;
    ResNet network(options, ParameterOptions{.generator = test::generator(2)});
    network->forward(test::randn({8, 3, 16, 16}, 3));  // running values of their own
    network->eval();
    test::check_module(network, images);
  }
}

TEST_CASE("resnet: maps by stem") {
  auto options = tiny;
  ResNet small(options);
  CHECK(small->forward_maps(test::randn({2, 3, 16, 16})).sizes() == at::IntArrayRef({2, 8, 4, 4}));
  options.small_stem = false;
  ResNet published(options);
  CHECK(published->forward_maps(test::randn({2, 3, 32, 48})).sizes() ==
        at::IntArrayRef({2, 8, 2, 3}));
  const auto maps = test::randn({2, 8, 4, 4}, 5);
  CHECK(test::difference(small->classify(maps), small->fc->forward(maps.mean({2, 3}))) == 0);
  options.num_classes = 0;
  CHECK(ResNet(options)->forward(test::randn({2, 3, 32, 32})).sizes() == at::IntArrayRef({2, 8}));
}

TEST_CASE("resnet: blocks start as their shortcut, from the generator alone") {
  const auto make = [](std::uint64_t seed) {
    return ResNet(tiny, ParameterOptions{.generator = test::generator(seed)});
  };
  auto a = make(1), b = make(1), c = make(2);
  for (const auto& item : a->named_parameters())
    CHECK(at::equal(item.value(), b->named_parameters()[item.key()]));
  CHECK_FALSE(at::equal(a->conv1->weight, c->conv1->weight));
  const auto maps = test::randn({2, 4, 4, 4}, 3).relu();
  auto* block = a->stages[0][0]->as<ResNetBlockImpl>();
  CHECK(test::difference(block->forward(maps), maps) == 0);
}

TEST_CASE("resnet: as many parameters as another network") {
  const ResNetOptions shape{.image_size = 64, .small_stem = true, .num_classes = 8};
  const auto options = resnet_of_size(1'220'000, shape);
  CHECK(options.widths[3] == 8 * options.widths[0]);
  CHECK(options.depths == shape.depths);
  const auto found = count(options, 8);
  CHECK(std::abs(found - 1'220'000) < 61'000);  // 5 %: one channel more is 10 %
  for (const std::int64_t step : {-1, 1}) {
    auto other = options;
    for (std::size_t s = 0; s < 4; ++s) other.widths[s] = (options.widths[0] + step) << s;
    CHECK(std::abs(count(other, 8) - 1'220'000) >= std::abs(found - 1'220'000));
  }
  CHECK(resnet_of_size(1, shape).widths[0] == 1);
  CHECK_THROWS_WITH(resnet_of_size(0, shape), Contains("positive number of parameters, got 0"));
}

TEST_CASE("resnet: options survive a trip through JSON; errors say what was expected") {
  ResNetOptions read;
  options_from_json(read, options_to_json(tiny), "test");
  CHECK(options_to_json(read) == options_to_json(tiny));
  const auto refused = [](auto change) {
    auto options = tiny;
    change(options);
    return test::message_of([&] { ResNet network(options); });
  };
  CHECK_THAT(refused([](auto& o) { o.widths.pop_back(); }), Contains("got 2 and 3"));
  CHECK_THAT(refused([](auto& o) { o.depths[1] = 0; }), Contains("got 6 and 0 in stage 2"));
  CHECK_THAT(refused([](auto& o) { o.in_channels = 0; }), Contains("got 16, 0 and 5"));
  CHECK_THROWS_WITH(ResNet(tiny)->forward(test::randn({2, 1, 16, 16})),
                    Contains("[B, 3, H, W], got [2, 1, 16, 16]"));
}
