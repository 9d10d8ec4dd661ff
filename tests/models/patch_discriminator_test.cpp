#include "dermis/models/patch_discriminator.hpp"

#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

const PatchDiscriminatorOptions tiny{.channels = 4, .layers = 2};

/// sin(0.7 i + k), what the reference below was fed with.
at::Tensor waves(at::IntArrayRef sizes, double k) {
  return torch::sin(torch::arange(c10::multiply_integers(sizes), torch::kDouble) * 0.7 + k)
      .reshape(sizes)
      .to(torch::kFloat);
}

PatchDiscriminator filled() {
  PatchDiscriminator discriminator(tiny);
  torch::NoGradGuard no_grad;
  double k = 0;
  for (auto& parameter : discriminator->parameters())
    parameter.copy_(waves(parameter.sizes(), k++) * 0.2);
  return discriminator;
}

}  // namespace

TEST_CASE("discriminator: names and sizes are taming's") {
  // pix2pix's 70 x 70 discriminator for 3 channels: 3136 + 131328 + 524800 + 2098176 + 8193.
  const PatchDiscriminator full(PatchDiscriminatorOptions{});
  CHECK(parameter_count(*full) == 2765633);
  std::vector<std::string> names;
  for (const auto& item : full->named_parameters()) names.push_back(item.key());
  CHECK(names == std::vector<std::string>{"main.0.weight", "main.0.bias", "main.2.weight",
                                          "main.3.weight", "main.3.bias", "main.5.weight",
                                          "main.6.weight", "main.6.bias", "main.8.weight",
                                          "main.9.weight", "main.9.bias", "main.11.weight",
                                          "main.11.bias"});
  CHECK(full->named_buffers().contains("main.3.running_mean"));
}

TEST_CASE("discriminator: first values come from the generator, N(0, 0.02) and N(1, 0.02)") {
  const PatchDiscriminatorOptions options{.channels = 32};
  const PatchDiscriminator a(options, ParameterOptions{.generator = test::generator(3)});
  const PatchDiscriminator b(options, ParameterOptions{.generator = test::generator(3)});
  const auto weights = a->named_parameters();
  for (const auto& item : b->named_parameters())
    CHECK(torch::equal(item.value(), weights[item.key()]));
  const auto& wide = weights["main.8.weight"];  // 128 x 256 x 16 values
  CHECK(wide.mean().item<double>() == Approx(0).margin(1e-4));
  CHECK(wide.std().item<double>() == Approx(0.02).epsilon(0.01));
  const auto& norm = weights["main.9.weight"];
  CHECK(norm.mean().item<double>() == Approx(1).margin(0.01));
  CHECK(norm.std().item<double>() == Approx(0.02).epsilon(0.3));
  CHECK(weights["main.9.bias"].abs().max().item<double>() == 0);
}

TEST_CASE("discriminator: keeps the laws of modules") {
  test::check_module<PatchDiscriminator>(
      PatchDiscriminator(tiny, ParameterOptions{.generator = test::generator(1)}),
      randn({2, 3, 20, 16}));
}

TEST_CASE("discriminator: logits and hinge losses of torch's layers") {
  // torch.nn.Sequential of the same layers in double precision.
  auto discriminator = filled();
  const auto images = waves({2, 3, 12, 16}, 3);
  const auto logits = discriminator->forward(images);
  CHECK(logits.sizes() == at::IntArrayRef{2, 1, 1, 2});
  CHECK(difference(logits.flatten(), torch::tensor({0.14739040789603944, 0.13705094412653113,
                                                    0.12768789307841757, 0.11103115143950305})) <
        1e-5);
  const auto real = logits.slice(0, 0, 1), fake = logits.slice(0, 1, 2);
  CHECK(hinge_discriminator_loss(real, fake).item<double>() ==
        Approx(0.9885694231238376).epsilon(1e-5));
  CHECK(hinge_generator_loss(fake).item<double>() == Approx(-0.11935952225896032).epsilon(1e-4));

  discriminator->eval();  // running means after one batch
  CHECK(difference(discriminator->forward(images).flatten(),
                   torch::tensor({0.057198787571592406, 0.03367931588804804, 0.05591601529661875,
                                  0.032917140871330276})) < 1e-5);

  // Beyond the margin of 1 nothing is lost.
  CHECK(hinge_discriminator_loss(torch::full({1}, 3.0), torch::full({1}, -2.0)).item<double>() ==
        0);
}

TEST_CASE("discriminator: what it cannot judge is refused") {
  PatchDiscriminator discriminator(tiny);
  CHECK(discriminator->forward(randn({1, 3, 12, 12})).numel() == 1);
  CHECK(test::message_of([&] {
          discriminator->forward(randn({1, 3, 11, 16}));
        }) ==
        "[discriminator] expected images of shape [B, 3, H, W] with H and W of at least 12 for 2 "
        "layers, got [1, 3, 11, 16]");
  CHECK(test::message_of([] { PatchDiscriminator(PatchDiscriminatorOptions{.layers = 0}); }) ==
        "[discriminator] expected positive channels and 1 to 15 layers, got 3 -> 64 channels and 0 "
        "layers");
}
