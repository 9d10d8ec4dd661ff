#include "dermis/train/perceptual.hpp"

#include <catch2/catch.hpp>

#include "dermis/io/tensors.hpp"
#include "dermis/models/mae.hpp"
#include "dermis/models/vgg.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::randn;

namespace {

/// sin(step i + k), what the reference was fed with.
at::Tensor waves(at::IntArrayRef sizes, double k, double step = 2.3) {
  return torch::sin(torch::arange(c10::multiply_integers(sizes), torch::kDouble) * step + k)
      .reshape(sizes);
}

/// A narrow VGG-16 and channel weights, under the names `prefix` + "N.weight" of each stage.
StateDict small_lpips(const std::function<std::string(std::size_t stage)>& prefix) {
  const std::array<std::int64_t, 5> channels = {3, 4, 4, 5, 5};
  StateDict tensors;
  std::int64_t index = 0, in = 3;
  for (std::size_t stage = 0; stage < 5; ++stage, ++index) {
    const auto out = channels[stage];
    for (std::int64_t i = 0; i < VGG16FeaturesImpl::stages[stage]; ++i, index += 2, in = out) {
      const auto name = prefix(stage) + std::to_string(index);
      const double k = static_cast<double>(index);
      tensors.emplace_back(name + ".weight", waves({out, in, 3, 3}, k) *
                                                 std::sqrt(2.0 / static_cast<double>(in * 9)));
      tensors.emplace_back(name + ".bias", waves({out}, k + 0.5) * 0.2 + 0.3);
    }
    tensors.emplace_back(text("lin", stage, ".model.1.weight"),
                         waves({1, out, 1, 1}, 100 + static_cast<double>(stage)).abs());
  }
  return tensors;
}
std::string torchvision(std::size_t) {
  return "features.";
}

Encoder small_mae() {
  const MAEOptions options{
      .encoder = {.image_size = 16, .patch_size = 4, .dim = 8, .depth = 3, .heads = 2},
      .decoder_dim = 8,
      .decoder_depth = 1,
      .decoder_heads = 2};
  const MAE mae(options, ParameterOptions{.generator = test::generator(1)});
  return {mae.ptr(), options.encoder, {{0.6, 0.5, 0.4}, {0.2, 0.3, 0.4}}};
}

}  // namespace

TEST_CASE("perceptual: the distance of two maps by hand") {
  // One image, two channels, two places: (3, 4) against (4, 3) and (1, 0) against (0, 2).
  const auto a = torch::tensor({3.0, 1.0, 4.0, 0.0}).view({1, 2, 1, 2});
  const auto b = torch::tensor({4.0, 0.0, 3.0, 2.0}).view({1, 2, 1, 2});
  // 0.2^2 + 0.2^2 = 0.08 and 1 + 1 = 2, their mean 1.04
  CHECK(perceptual_distance({a}, {b}).item<double>() == Approx(1.04));
  CHECK(perceptual_distance({a, a}, {b, b}).item<double>() == Approx(2.08));
  // weights 3 and 0.5: (0.04 * 3.5 + 1 * 3.5) / 2
  CHECK(perceptual_distance({a}, {b}, {torch::tensor({3.0, 0.5})}).item<double>() == Approx(1.82));
  CHECK(perceptual_distance({a}, {a * 7}).item<double>() == Approx(0).margin(1e-12));

  auto nothing = torch::zeros({1, 2, 1, 1}).set_requires_grad(true);
  perceptual_distance({at::relu(nothing)}, {torch::ones({1, 2, 1, 1})}).sum().backward();
  CHECK(at::isfinite(nothing.grad()).all().item<bool>());
}

TEST_CASE("perceptual: maps that do not belong together are refused") {
  const auto a = randn({1, 2, 3, 3});
  CHECK(test::message_of([&] { perceptual_distance({a}, {}); }) ==
        "[perceptual] expected as many maps of either image, at least one, and no weights or as "
        "many, got 1, 0 and 0 weights");
  CHECK(test::message_of([&] {
          perceptual_distance({a}, {randn({1, 2, 3, 4})});
        }) ==
        "[perceptual] expected maps of one shape [B, C, h, w], got [1, 2, 3, 3] and [1, 2, 3, 4]");
  CHECK(test::message_of([&] { perceptual_distance({a}, {a}, {torch::ones({3})}); }) ==
        "[perceptual] expected 2 weights for map 0, got 3");
  CHECK(test::message_of([&] { perceptual_distance(PerceptualFeatures(), a, a); }) ==
        "[perceptual] expected feature maps, see feature_maps and load_lpips");
}

TEST_CASE("perceptual: an encoder's hidden states lie on the grid of its patches") {
  const auto encoder = small_mae();
  auto& mae = *encoder.module->as<MAEImpl>();
  const auto images = randn({2, 3, 16, 16}).tanh();
  const auto maps = feature_maps(encoder)(images);
  REQUIRE(maps.size() == 3);  // 3 / 4 and 6 / 4 of the blocks are one
  CHECK(maps[0].sizes() == at::IntArrayRef{2, 8, 4, 4});

  // The token of the patch in row 1, column 2 after the second block.
  std::vector<at::Tensor> states;
  const auto pixels = (images + 1) / 2;
  const auto mean = torch::tensor({0.6, 0.5, 0.4}, torch::kFloat).view({3, 1, 1}),
             std = torch::tensor({0.2, 0.3, 0.4}, torch::kFloat).view({3, 1, 1});
  mae.encode((pixels - mean) / std, torch::arange(16).expand({2, 16}), &states);
  const auto chosen = feature_maps(encoder, {2})(images);
  REQUIRE(chosen.size() == 1);
  CHECK(test::difference(chosen[0].select(2, 1).select(2, 2), states[2].select(1, 1 + 4 + 2)) <
        1e-5);
  CHECK(feature_maps(encoder)(randn({1, 3, 24, 24}))[0].sizes() == at::IntArrayRef{1, 8, 4, 4});

  // A ViT of the same weights sees the same.
  ViT vit(encoder.options);
  copy_encoder(mae, encoder.options, vit);
  const auto same = feature_maps({vit.ptr(), encoder.options, encoder.normalization}, {2})(images);
  CHECK(test::difference(same[0], chosen[0]) < 1e-5);
}

TEST_CASE("perceptual: gradients reach the images and no weight") {
  const auto encoder = small_mae();
  const PerceptualFeatures features(feature_maps(encoder));
  auto images = randn({2, 3, 16, 16}).set_requires_grad(true);
  auto target = randn({2, 3, 16, 16}, 5).set_requires_grad(true);
  const auto distance = perceptual_distance(features, images, target);
  CHECK(distance.sizes() == at::IntArrayRef{2});
  CHECK(distance.min().item<double>() > 0);
  distance.sum().backward();
  CHECK(images.grad().abs().max().item<double>() > 0);
  CHECK_FALSE(target.grad().defined());
  for (const auto& parameter : encoder.module->parameters())
    CHECK_FALSE(parameter.grad().defined());

  CHECK(test::message_of([] { feature_maps(Encoder()); }) ==
        "[perceptual] expected an encoder that is a MAE or a ViT, got none");
  for (const auto& blocks : std::vector<std::vector<std::int64_t>>{{0}, {4}, {2, 2}})
    CHECK(test::message_of([&] { feature_maps(encoder, blocks); }) ==
          text("[perceptual] expected ascending blocks in 1..3, got ", blocks.back()));
}

TEST_CASE("perceptual: LPIPS from a file, under either name of the network") {
  // lpips' forward in torch, double precision, on the same narrow VGG-16.
  const auto expected = torch::tensor({0.8551633552641775, 0.8294472579737996}, torch::kDouble);
  const auto a = waves({2, 3, 20, 16}, 1).to(torch::kFloat),
             b = waves({2, 3, 20, 16}, 2, 1.3).to(torch::kFloat);
  const test::ScratchFolder folder;
  auto lpips = small_lpips([](std::size_t stage) { return text("net.slice", stage + 1, "."); });
  lpips.emplace_back("scaling_layer.shift", torch::zeros({1, 3, 1, 1}));
  lpips.emplace_back("lins.0.model.1.weight", torch::zeros({1, 3, 1, 1}));
  auto vision = small_lpips(torchvision);
  vision.emplace_back("classifier.0.weight", torch::zeros({2, 2}));
  for (const auto& tensors : {lpips, vision}) {
    write_tensors(folder / "lpips.safetensors", tensors);
    const auto features = load_lpips(folder / "lpips.safetensors");
    CHECK(test::difference(perceptual_distance(features, a, b), expected) < 2e-5);
    CHECK(perceptual_distance(features, a, a).abs().max().item<double>() == 0);
  }
  const PerceptualFeatures flat(load_lpips(folder / "lpips.safetensors").maps);
  CHECK(test::difference(perceptual_distance(flat, a, b),
                         torch::tensor({1.2550383275540986, 1.2234157122984886}, torch::kDouble)) <
        2e-5);
}

TEST_CASE("perceptual: an LPIPS file that lacks something is named") {
  const test::ScratchFolder folder;
  const auto path = folder / "lpips.safetensors";
  const auto error_without = [&](const std::string& name, const at::Tensor& instead = {}) {
    StateDict tensors;
    for (const auto& entry : small_lpips(torchvision))
      if (entry.first != name) tensors.push_back(entry);
    if (instead.defined()) tensors.emplace_back(name, instead);
    write_tensors(path, tensors);
    return test::message_of<std::runtime_error>([&] { load_lpips(path); });
  };
  CHECK(error_without("lin3.model.1.weight") ==
        text("[lpips] ", path.string(), ": expected 'lin3.model.1.weight' of 4 dimensions"));
  CHECK(error_without("lin3.model.1.weight", torch::zeros({1, 4, 1, 1})) ==
        text("[lpips] ", path.string(), ": expected 'lin3.model.1.weight' of 5 channels, got 4"));
  CHECK(error_without("features.10.weight") ==
        text("[lpips] ", path.string(), ": expected 'features.10.weight' of 4 dimensions"));
  CHECK(error_without("features.2.bias") ==
        text("[load] ", path.string(), ": 1 missing key (features.2.bias)"));
  CHECK_THAT(error_without("head.weight", torch::zeros({1})),
             Catch::Contains(path.string()) && Catch::Contains("LPIPS with VGG-16") &&
                 Catch::Contains("head.weight"));
}
