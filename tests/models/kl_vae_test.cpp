#include "dermis/models/kl_vae.hpp"

#include <torch/optim/adam.h>

#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

const KLVAEOptions tiny{.latent_channels = 2,
                        .channels = {8, 16, 16},
                        .layers_per_block = 1,
                        .norm_groups = 4,
                        .scaling_factor = 0.5,
                        .shift_factor = 0.25};

}  // namespace

TEST_CASE("kl_vae: published sizes have the published number of parameters") {
  const ParameterOptions meta{.device = at::kMeta};
  CHECK(parameter_count(*KLVAE(kl_f4(), meta)) == 55312063);
  const KLVAE f8(kl_f8(), meta);
  CHECK(parameter_count(*f8) == 83653863);
  CHECK(parameter_count(*f8->encoder) + parameter_count(*f8->quant_conv) == 34163592 + 72);
  CHECK(kl_f8().factor() == 8);
  CHECK(kl_f4().factor() == 4);
  // Flux's autoencoder: 16 latent channels, no quant convolutions.
  const KLVAE flux(flux_autoencoder(), meta);
  CHECK(parameter_count(*flux) == 83819683);
  CHECK(parameter_count(*flux->encoder) == 34274208);
  CHECK(parameter_count(*flux->decoder) == 49545475);
}

TEST_CASE("kl_vae: names are diffusers'") {
  const auto names = KLVAE(tiny)->named_parameters();
  for (const auto* name :
       {"encoder.conv_in.weight", "encoder.down_blocks.0.downsamplers.0.conv.weight",
        "encoder.down_blocks.1.resnets.0.conv_shortcut.weight",
        "encoder.mid_block.attentions.0.to_out.0.weight",
        "decoder.up_blocks.0.upsamplers.0.conv.bias", "decoder.up_blocks.2.resnets.1.norm2.weight",
        "decoder.conv_norm_out.weight", "quant_conv.weight", "post_quant_conv.bias"})
    CHECK(names.contains(name));
  CHECK_FALSE(names.contains("encoder.down_blocks.2.downsamplers.0.conv.weight"));
}

TEST_CASE("kl_vae: encoder and decoder keep the laws of modules") {
  test::check_module<KLVAE>(KLVAE(tiny),
                            [](KLVAE& vae, const auto& x) {
                              const auto posterior = vae->encode(x[0]);
                              return vae->decode(posterior.sample(x[1]));
                            },
                            {randn({2, 3, 16, 12}), randn({2, 2, 4, 3}, 1)});
  auto bare = tiny;
  auto attending = tiny;  // attention on levels, another depth inside the quant convolutions
  attending.attention = {0, 1, 0};
  attending.inner_channels = 5;
  attending.stem_channels = 12;
  test::check_module<KLVAE>(KLVAE(attending),
                            [](KLVAE& vae, const auto& x) {
                              const auto posterior = vae->encode(x[0]);
                              return vae->decode(posterior.sample(x[1]));
                            },
                            {randn({2, 3, 8, 8}), randn({2, 2, 2, 2}, 1)});
  const auto names = KLVAE(attending)->named_parameters();
  CHECK(names.contains("encoder.down_blocks.1.attentions.0.to_q.weight"));
  CHECK(names.contains("decoder.up_blocks.1.attentions.1.to_q.weight"));
  CHECK_FALSE(names.contains("encoder.down_blocks.0.attentions.0.to_q.weight"));
  CHECK(names["quant_conv.weight"].sizes() == at::IntArrayRef({4, 10, 1, 1}));
  CHECK(names["post_quant_conv.weight"].sizes() == at::IntArrayRef({5, 2, 1, 1}));
  bare.mid_attention = bare.use_quant_conv = bare.use_post_quant_conv = false;
  test::check_module<KLVAE>(KLVAE(bare),
                            [](KLVAE& vae, const auto& x) {
                              const auto posterior = vae->encode(x[0]);
                              return vae->decode(posterior.sample(x[1]));
                            },
                            {randn({2, 3, 8, 8}), randn({2, 2, 2, 2}, 1)});
}

TEST_CASE("kl_vae: shapes, a contiguous result and scaling there and back") {
  KLVAE vae(tiny);
  torch::NoGradGuard no_grad;
  const auto posterior = vae->encode(randn({2, 3, 16, 8}));
  CHECK(posterior.mean.sizes() == at::IntArrayRef({2, 2, 4, 2}));
  CHECK(posterior.logvar.sizes() == posterior.mean.sizes());
  const auto images = vae->decode(posterior.mean);
  CHECK(images.sizes() == at::IntArrayRef({2, 3, 16, 8}));
  CHECK(images.is_contiguous());
  const auto scaled = vae->scale(posterior.mean);
  CHECK(difference(scaled, (posterior.mean - 0.25) * 0.5) < 1e-7);
  CHECK(difference(vae->unscale(scaled), posterior.mean) < 1e-6);
  vae->options.scaling_factor = latent_scale(posterior.mean);
  vae->options.shift_factor = 0;
  CHECK(vae->scale(posterior.mean).std().item<double>() == Approx(1.0).epsilon(1e-5));
  const auto copy = std::dynamic_pointer_cast<KLVAEImpl>(vae->clone());
  CHECK(copy->options.scaling_factor == vae->options.scaling_factor);
}

TEST_CASE("kl_vae: the posterior is a Gaussian with its divergence to N(0, 1)") {
  const DiagonalGaussian standard{torch::zeros({3, 2, 2, 2}), torch::zeros({3, 2, 2, 2})};
  CHECK(difference(standard.kl(), torch::zeros({3})) == 0.0);
  const DiagonalGaussian other{torch::full({1, 1, 1, 2}, 2.0), torch::full({1, 1, 1, 2}, 1.0)};
  CHECK(other.kl()[0].item<double>() == Approx(4.0 + std::exp(1.0) - 2.0));
  // Law of large numbers for sample(), and the divergence as the mean log ratio of densities.
  const auto noise = randn({40000, 1, 1, 2});
  const auto z = other.sample(noise);
  CHECK(z.mean().item<double>() == Approx(2.0).margin(0.02));
  CHECK(z.std().item<double>() == Approx(std::exp(0.5)).epsilon(0.01));
  const auto log_ratio =
      (0.5 * z.square() - 0.5 * (z - 2.0).square() / std::exp(1.0) - 0.5).flatten(1).sum(1);
  CHECK(log_ratio.mean().item<double>() == Approx(other.kl()[0].item<double>()).epsilon(0.02));
}

TEST_CASE("kl_vae: the log variance stays in -30..20") {
  KLVAE vae(tiny);
  torch::NoGradGuard no_grad;
  vae->quant_conv->bias.slice(0, 2, 4).fill_(1e4);
  CHECK(vae->encode(randn({1, 3, 8, 8})).logvar.max().item<float>() == 20.0f);
  vae->quant_conv->bias.slice(0, 2, 4).fill_(-1e4);
  CHECK(vae->encode(randn({1, 3, 8, 8})).logvar.min().item<float>() == -30.0f);
}

TEST_CASE("kl_vae: the same generator gives the same weights, init = false draws none") {
  const auto first = KLVAE(tiny, ParameterOptions{.generator = test::generator(5)});
  const auto second = KLVAE(tiny, ParameterOptions{.generator = test::generator(5)});
  const auto a = first->named_parameters(), b = second->named_parameters();
  for (const auto& item : a) CHECK(torch::equal(item.value(), b[item.key()]));
  auto untouched = test::generator(5);
  const KLVAE unset(tiny, ParameterOptions{.init = false, .generator = untouched});
  CHECK(torch::equal(torch::randn({4}, untouched), torch::randn({4}, test::generator(5))));
}

TEST_CASE("kl_vae: learns to repeat an image better than its mean") {
  KLVAE vae(KLVAEOptions{.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4},
            ParameterOptions{.generator = test::generator(1)});
  const auto grid = torch::linspace(-1, 1, 16);
  const auto images =
      torch::stack({grid.view({1, 16}).expand({16, 16}), grid.view({16, 1}).expand({16, 16}),
                    (grid.view({16, 1}) * grid).contiguous()})
          .unsqueeze(0);  // [1, 3, 16, 16]
  torch::optim::Adam optimizer(vae->parameters(), torch::optim::AdamOptions(3e-3));
  for (int i = 0; i < 60; ++i) {
    optimizer.zero_grad();
    const auto posterior = vae->encode(images);
    const auto noise = randn(posterior.mean.sizes(), static_cast<std::uint64_t>(i));
    const auto error = (vae->decode(posterior.sample(noise)) - images).square().mean();
    (error + 1e-6 * posterior.kl().mean()).backward();
    optimizer.step();
  }
  torch::NoGradGuard no_grad;
  const auto error = (vae->decode(vae->encode(images).mean) - images).square().mean();
  const auto baseline = (images - images.mean({2, 3}, true)).square().mean();
  CHECK(error.item<double>() < 0.5 * baseline.item<double>());
}

TEST_CASE("kl_vae: bad options and shapes are named") {
  CHECK_THROWS_AS(KLVAE(KLVAEOptions{.channels = {}}), std::invalid_argument);
  CHECK(test::message_of([] {
          KLVAE(KLVAEOptions{.channels = {16, 32}});
        }) == "[kl_vae] expected channels divisible by norm_groups 32, got 16");
  CHECK_THROWS_AS(KLVAE(KLVAEOptions{.layers_per_block = 0}), std::invalid_argument);
  CHECK_THROWS_AS(KLVAE(KLVAEOptions{.scaling_factor = 0}), std::invalid_argument);
  CHECK(test::message_of([] { KLVAE(KLVAEOptions{.stem_channels = 48}); }) ==
        "[kl_vae] expected stem_channels divisible by norm_groups 32, got 48");
  CHECK(test::message_of([] { KLVAE(KLVAEOptions{.attention = {1}}); }) ==
        "[kl_vae] expected no attention flags or one a level, got 1 flags for 4 levels");
  CHECK(
      test::message_of([] { KLVAE(KLVAEOptions{.use_quant_conv = false, .inner_channels = 3}); }) ==
      "[kl_vae] expected inner_channels 0 or equal to latent_channels without quant "
      "convolutions, got 3");
  KLVAE vae(tiny);
  CHECK(test::message_of([&] {
          vae->encode(randn({2, 1, 16, 16}));
        }) ==
        "[kl_vae] expected floating-point images of shape [B, 3, H, W] with H and W of at least "
        "4, got [2, 1, 16, 16] of float");
  CHECK_THROWS_AS(vae->encode(randn({2, 3, 2, 16})), std::invalid_argument);
  CHECK_THROWS_AS(vae->encode(torch::zeros({1, 3, 8, 8}, torch::kByte)), std::invalid_argument);
  CHECK(test::message_of([&] {
          vae->decode(randn({2, 4, 4, 4}));
        }) == "[kl_vae] expected latents of shape [B, 2, h, w], got [2, 4, 4, 4]");
  CHECK_THROWS_AS(latent_scale(torch::zeros({4, 2, 2, 2})), std::invalid_argument);
}
