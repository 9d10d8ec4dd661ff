#include "dermis/layers/observe.hpp"

#include <thread>

#include "dermis/models/kl_vae.hpp"
#include "dermis/models/unet.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::randn;

namespace {

UNet tiny_unet() {
  UNet unet(UNetOptions{.in_channels = 2,
                        .out_channels = 2,
                        .channels = {8, 16},
                        .layers_per_block = 1,
                        .attention = {0, 1},
                        .head_dim = 8,
                        .norm_groups = 4});
  torch::NoGradGuard no_grad;
  auto draws = test::generator(3);
  for (auto& p : unet->parameters()) p.add_(0.1 * torch::randn(p.sizes(), draws));
  return unet;
}

}  // namespace

TEST_CASE("observe: keeps what the modules answered, by their names") {
  auto unet = tiny_unet();
  const auto x = randn({1, 2, 8, 8}), t = torch::tensor({30}, torch::kLong);
  const auto expected = unet->forward(x, t);
  Observer observer(*unet);
  CHECK(observer.outputs().empty());
  const auto out = unet->forward(x, t);
  CHECK(torch::equal(out, expected));
  CHECK(observer.at("").is_same(out));
  CHECK(torch::equal(observer.at("conv_in"), unet->conv_in->forward(x)));
  CHECK(observer.at("down_blocks.0").sizes() == at::IntArrayRef({1, 8, 4, 4}));
  CHECK(observer.at("down_blocks.0").is_same(observer.at("down_blocks.0.downsamplers.0")));
  CHECK(observer.at("mid_block").sizes() == at::IntArrayRef({1, 16, 4, 4}));
  CHECK(observer.at("mid_block.attentions.0.to_out.0").sizes() == at::IntArrayRef({1, 16, 16}));
  CHECK(observer.at("time_embedding").sizes() == at::IntArrayRef({1, 32}));
  // Every module that has parameters of its own answered.
  for (const auto& item : unet->named_modules("", false))
    if (!item.value()->parameters(false).empty()) {
      INFO(item.key());
      CHECK(observer.contains(item.key()));
    }
}

TEST_CASE("observe: a module that runs twice leaves its last answer") {
  Linear layer(2, 2);
  Observer observer(*layer);
  layer->forward(randn({1, 2}, 1));
  const auto last = layer->forward(randn({1, 2}, 2));
  CHECK(observer.at("").is_same(last));
}

TEST_CASE("observe: what is kept can be differentiated through") {
  auto unet = tiny_unet();
  Observer observer(*unet);
  const auto out = unet->forward(randn({1, 2, 8, 8}), torch::tensor({30}, torch::kLong));
  const auto gradient = torch::autograd::grad({out.sum()}, {observer.at("mid_block")});
  CHECK(gradient[0].abs().max().item<double>() > 0);
}

TEST_CASE("observe: observers see their own root, their own thread and their own lifetime") {
  auto unet = tiny_unet();
  KLVAE vae(KLVAEOptions{.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4});
  const torch::NoGradGuard no_grad;
  Observer of_vae(*vae), of_encoder(*vae->encoder);
  {
    Observer of_unet(*unet);
    vae->encode(randn({1, 3, 8, 8}));
    CHECK(of_unet.outputs().empty());
  }
  CHECK(of_vae.contains("quant_conv"));
  CHECK_FALSE(of_vae.contains("decoder.conv_in"));
  CHECK(of_encoder.at("mid_block").is_same(of_vae.at("encoder.mid_block")));
  std::thread([&] {
    const torch::NoGradGuard none;
    vae->decode(randn({1, 4, 4, 4}));
  }).join();
  CHECK_FALSE(of_vae.contains("decoder.conv_in"));
  vae->decode(randn({1, 4, 4, 4}));
  CHECK(of_vae.contains("decoder.conv_in"));
}

TEST_CASE("observe: an unknown or silent module is named") {
  auto unet = tiny_unet();
  const Observer observer(*unet);
  CHECK(test::message_of([&] { observer.at("mid_block"); }) ==
        "[observer] no output of 'mid_block': no such module, or it has not run");
}
