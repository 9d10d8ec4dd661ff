// Whitened colours: what they are, and that a trained autoencoder takes them in.

#include <catch2/catch.hpp>

#include "dermis/io/tensors.hpp"
#include "dermis/layers/autocast.hpp"
#include "dermis/train/autoencoder.hpp"
#include "dermis/train/colour_whitening.hpp"
#include "folder.hpp"
#include "stripes.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

const KLVAEOptions tiny{.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4};

/// Lightness varies widely, hue little.
at::Tensor skin_like() {
  const auto lightness = torch::rand({8, 1, 16, 16}, generator(1));
  const auto hue = torch::rand({8, 3, 1, 1}, generator(2)) * 0.1;
  return ((lightness * 0.8 + hue) * 255).to(at::kByte);
}

at::Tensor second_moments(const at::Tensor& images) {
  const auto pixels = images.transpose(0, 1).flatten(1);
  return pixels.matmul(pixels.t()) / pixels.size(1);
}

at::Tensor as_signed(const at::Tensor& images) {
  return images.to(at::kFloat) / 127.5 - 1;
}

}  // namespace

TEST_CASE("colour whitening: every direction of colour has one mean square") {
  const auto images = skin_like();
  const auto whitening = colour_whitening(images);
  const auto before = second_moments(as_signed(images));
  const auto after = second_moments(recoloured(as_signed(images), whitening.forward));
  const auto largest = std::get<0>(at::linalg_eigh(before)).max().item<double>();
  CHECK(std::get<0>(at::linalg_eigh(before)).min().item<double>() < 0.01 * largest);
  CHECK(at::allclose(after / largest, torch::eye(3), 1e-3, 1e-3));
  CHECK(
      at::allclose(recoloured(recoloured(as_signed(images), whitening.forward), whitening.inverse),
                   as_signed(images), 1e-4, 1e-4));
}

TEST_CASE("colour whitening: colours are not rounded under autocast") {
  const auto images = as_signed(skin_like());
  const auto whitening = colour_whitening(skin_like());
  const auto expected = recoloured(images, whitening.forward);
  const Autocast autocast(true, at::kCPU);
  CHECK(at::equal(recoloured(images, whitening.forward), expected));
}

TEST_CASE("colour whitening: grey images are not amplified without bound") {
  const auto grey = torch::randint(256, {4, 1, 8, 8}, generator(3)).expand({4, 3, 8, 8});
  const auto whitening = colour_whitening(grey.to(at::kByte));
  CHECK(std::get<0>(at::linalg_eigh(whitening.forward)).max().item<double>() ==
        Approx(100).epsilon(0.01));
  CHECK_THROWS_WITH(colour_whitening(torch::zeros({4, 8, 8})), Contains("[N, 3, S, S]"));
}

TEST_CASE("colour whitening: an autoencoder that absorbs it does the same to plain images") {
  KLVAE autoencoder(tiny, ParameterOptions{.generator = generator(4)});
  const torch::NoGradGuard no_grad;
  autoencoder->decoder->conv_out->bias.normal_(0, 1, generator(5));
  const auto images = skin_like();
  const auto whitening = colour_whitening(images);
  const auto latents = autoencoder->encode(recoloured(as_signed(images), whitening.forward)).mean;
  const auto rebuilt = recoloured(autoencoder->decode(latents), whitening.inverse);
  absorb(autoencoder, whitening);
  CHECK(at::allclose(autoencoder->encode(as_signed(images)).mean, latents, 1e-4, 1e-4));
  CHECK(at::allclose(autoencoder->decode(latents), rebuilt, 1e-4, 1e-4));
}

TEST_CASE("colour whitening: a finished training is loaded as it was left") {
  const ScratchFolder folder;
  AutoencoderOptions options{.model = tiny, .training = steps(5), .whiten_colours = true};
  auto context = quiet(folder / "run");
  const auto images = striped(16, 6);
  const auto trained = train_autoencoder(images, options, context);
  context.resume = true;
  const auto loaded = train_autoencoder(images, options, context);
  CHECK(fingerprint(state_dict(*loaded)) == fingerprint(state_dict(*trained)));
  options.whiten_colours = false;
  const auto plain = train_autoencoder(images, options, quiet());
  CHECK(fingerprint(state_dict(*plain)) != fingerprint(state_dict(*trained)));
}
