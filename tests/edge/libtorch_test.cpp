// What a phone computes beside what LibTorch computed in training.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "dermis/data/pixels.hpp"
#include "dermis/distill/depth_heads.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/edge/model.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/classifier.hpp"
#include "folder.hpp"
#include "support.hpp"

namespace dermis {
namespace {

/// First values leave biases at zero and a head near it: here every parameter matters.
void stir(torch::nn::Module& module, std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  auto draws = test::generator(seed);
  for (auto& item : module.named_parameters()) {
    auto& value = item.value();
    const double fan_in = value.dim() > 1 ? static_cast<double>(value[0].numel()) : 100;
    value.add_(at::randn(value.sizes(), draws) * (1 / std::sqrt(fan_in)));
  }
  module.eval();
}

at::Tensor pixels_of(std::int64_t size, std::uint64_t seed) {
  return at::randn({3, size, size}, test::generator(seed));
}

at::Tensor logits_of(edge::Model& model, const at::Tensor& pixels) {
  const auto& m = model.manifest();
  const auto logits = model.logits(pixels.const_data_ptr<float>());
  return at::tensor(logits).reshape({m.network.exits(), m.network.num_classes});
}

const std::vector<std::string> classes = {"MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC"};

TEST_CASE("Every preset of a ViT says on a phone what LibTorch says") {
  auto options = GENERATE(vit_tiny(), vit_small(), vit_huge());
  options.depth = options.dim > 1000 ? 1 : 2;
  options.image_size = 5 * options.patch_size;
  options.num_classes = 8;
  options.mean_pooling = GENERATE(false, true);
  options.layer_scale = options.mean_pooling ? 0.1 : 0;
  ViT vit(options, ParameterOptions{.generator = test::generator(4)});
  stir(*vit, 5);
  const test::ScratchFolder folder;
  save_classifier(folder / "vit.safetensors", {vit, {}, classes});
  edge::export_model(folder / "vit.safetensors", folder / "vit.edge");
  edge::Model model(folder / "vit.edge");
  const auto pixels = pixels_of(options.image_size, 6);
  const auto expected = vit->forward(pixels.unsqueeze(0));
  CHECK(expected.abs().max().item<double>() > 0.5);
  CHECK(at::allclose(logits_of(model, pixels), expected, 0, 1e-4));
}

TEST_CASE("A student answers at every depth as LibTorch's does") {
  ViTOptions options{
      .image_size = 64, .patch_size = 8, .dim = 96, .depth = 5, .heads = 4, .num_classes = 8};
  const auto use = GENERATE(DepthHeadUse::Own, DepthHeadUse::Last);
  DepthViT student(options, use, ParameterOptions{.generator = test::generator(4)});
  stir(*student, 7);
  const test::ScratchFolder folder;
  save_model(folder / "student.safetensors", *student, "depth_vit", options_to_json(options),
             Json::object({{"heads", use == DepthHeadUse::Own ? "own" : "last"},
                           {"classes", classes},
                           {"normalization", to_json(Normalization{})},
                           {"temperatures", std::vector<double>{1, 2, 3, 4, 5}}}));
  edge::export_model(folder / "student.safetensors", folder / "student.edge");
  edge::Model model(folder / "student.edge");
  CHECK(model.manifest().temperatures == std::vector<double>{1, 2, 3, 4, 5});
  const auto pixels = pixels_of(64, 8);
  const auto expected = student->forward(pixels.unsqueeze(0)).squeeze(1);
  CHECK(at::allclose(logits_of(model, pixels), expected, 0, 1e-4));
}

TEST_CASE("The pixels of a photograph are those of training, bit for bit") {
  edge::Manifest manifest;
  manifest.network.image_size = 56;
  manifest.preprocessing = {.crop_border = true, .colour_constancy = true, .remove_hair = true};
  manifest.mean = {0.763, 0.546, 0.571};
  manifest.std = {0.141, 0.153, 0.17};
  Image image = make_image(211, 140);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>((i * 2654435761u >> 13) % 256);
  const Normalization normalization{manifest.mean, manifest.std};
  const auto expected =
      normalization(to_tensor(squared(image, 56, {.preprocessing = manifest.preprocessing})));
  const auto pixels = edge::pixels_of(image, manifest);
  CHECK(at::equal(at::tensor(pixels).reshape({3, 56, 56}), expected));
}

TEST_CASE("In bytes the most probable class stays what it was") {
  ViTOptions options = vit_tiny();
  options.depth = 4;
  options.image_size = 64;
  options.num_classes = 8;
  ViT vit(options, ParameterOptions{.generator = test::generator(4)});
  stir(*vit, 9);
  const test::ScratchFolder folder;
  save_classifier(folder / "vit.safetensors", {vit, {}, classes});
  edge::export_model(folder / "vit.safetensors", folder / "vit.edge",
                     {.precision = edge::Precision::I8});
  edge::Model model(folder / "vit.edge");
  int agree = 0, sure = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto pixels = pixels_of(64, 100 + i);
    const auto expected = vit->forward(pixels.unsqueeze(0))[0];
    const auto best = std::get<0>(expected.topk(2));
    // Where two classes are as good as even, which is first means nothing.
    if ((best[0] - best[1]).item<double>() < 0.05) continue;
    ++sure;
    agree += expected.argmax().equal(logits_of(model, pixels)[0].argmax());
  }
  CHECK(sure > 40);
  CHECK(agree == sure);
}

}  // namespace
}  // namespace dermis
