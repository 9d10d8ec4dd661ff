#include "dermis/models/flux.hpp"

#include "dermis/core/options.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

FluxInput input_of(const FluxOptions& o, std::int64_t batch = 2) {
  return {.image = randn({batch, 6, o.in_channels}, 1),
          .image_ids = flux_image_ids(4, 6),
          .text = randn({batch, 3, o.text_dim}, 2),
          .text_ids = {},
          .time = at::tensor({0.9F, 0.2F}).slice(0, 0, batch),
          .pooled = randn({batch, o.pooled_dim}, 3),
          .guidance = o.guidance ? at::tensor({3.5F, 1.0F}).slice(0, 0, batch) : at::Tensor()};
}

Flux tiny(const FluxOptions& options = flux_tiny()) {
  return Flux(options, ParameterOptions{.generator = test::generator(5)});
}

}  // namespace

TEST_CASE("flux: the published models have the published numbers of parameters") {
  const ParameterOptions meta{.device = at::kMeta};
  Flux dev(flux_dev(), meta);
  CHECK(parameter_count(*dev) == 11'901'408'320);
  CHECK(parameter_count(*Flux(flux_schnell(), meta)) == 11'891'178'560);
  CHECK(parameter_count(*dev->double_blocks[0]) == 339'831'296);
  CHECK(parameter_count(*dev->single_blocks[0]) == 141'591'808);
  CHECK(parameter_count(*Flux(flux_small(), meta)) < 50'000'000);
}

TEST_CASE("flux: the frequencies of time are those of the original, to the last bit but two") {
  const auto frequencies = flux_frequencies();
  REQUIRE(frequencies.size(0) == 128);
  CHECK(frequencies[0].item<float>() == 1);
  const auto k = at::arange(128, at::kDouble);
  const auto exact = (k * (-std::log(10000.0) / 128)).exp();
  CHECK(((frequencies.to(at::kDouble) - exact) / exact).abs().max().item<double>() < 1e-6);
}

TEST_CASE("flux: names are those of black-forest-labs") {
  const auto names = tiny()->named_parameters();
  for (const auto* name :
       {"img_in.weight", "txt_in.bias", "time_in.in_layer.weight", "vector_in.out_layer.bias",
        "guidance_in.in_layer.weight", "double_blocks.0.img_mod.lin.weight",
        "double_blocks.0.txt_attn.qkv.bias", "double_blocks.0.img_attn.norm.query_norm.scale",
        "double_blocks.0.txt_attn.norm.key_norm.scale", "double_blocks.0.img_mlp.0.weight",
        "double_blocks.0.txt_mlp.2.bias", "single_blocks.0.linear1.weight",
        "single_blocks.0.linear2.bias", "single_blocks.0.norm.key_norm.scale",
        "single_blocks.0.modulation.lin.weight", "final_layer.linear.weight",
        "final_layer.adaLN_modulation.1.bias"})
    CHECK(names.contains(name));
  CHECK(names.size() == 52);  // as in a checkpoint of one block of each kind
  auto schnell = flux_tiny();
  schnell.guidance = false;
  CHECK(tiny(schnell)->named_parameters().size() == 48);
}

TEST_CASE("flux: the laws of modules") {
  auto options = flux_tiny();
  options.double_blocks = 2;
  options.single_blocks = 2;
  options.out_channels = 8;
  const auto in = input_of(options);
  test::check_module<Flux>(tiny(options),
                           [&](Flux& flux, const std::vector<at::Tensor>& x) {
                             return flux->forward({.image = x[0],
                                                   .image_ids = in.image_ids,
                                                   .text = x[1],
                                                   .text_ids = {},
                                                   .time = x[2],
                                                   .pooled = x[3],
                                                   .guidance = x[4]});
                           },
                           {in.image, in.text, in.time, in.pooled, in.guidance});
}

TEST_CASE("flux: every input matters, the order of text and image tokens goes with their ids") {
  auto flux = tiny();
  const torch::NoGradGuard no_grad;
  const auto in = input_of(flux->options);
  const auto out = flux->forward(in);
  const auto changed = [&](auto&& change) {
    auto other = in;
    change(other);
    return difference(flux->forward(other), out);
  };
  CHECK(changed([](FluxInput& i) { i.time = i.time + 0.1; }) > 1e-4);
  CHECK(changed([](FluxInput& i) { i.guidance = i.guidance + 1; }) > 1e-5);
  CHECK(changed([](FluxInput& i) { i.text = i.text + 0.1; }) > 1e-4);
  CHECK(changed([](FluxInput& i) { i.pooled = i.pooled + 0.1; }) > 1e-4);
  CHECK(changed([](FluxInput& i) { i.image_ids = i.image_ids * 2; }) > 1e-5);
  // Zeros are what text has when nothing is given; with a batch axis they are the same.
  CHECK(changed([](FluxInput& i) {
          i.text_ids = at::zeros({2, 3, 3});
          i.image_ids = i.image_ids.expand({2, -1, -1});
        }) == 0);
  // Text is a set: its tokens have one position.
  CHECK(changed([](FluxInput& i) { i.text = i.text.flip(1); }) < 1e-5);
  CHECK(changed([](FluxInput& i) { i.image = i.image.flip(1); }) > 1e-2);
}

TEST_CASE("flux: weights in bf16 answer in the input's type, about the same") {
  auto flux = tiny();
  const torch::NoGradGuard no_grad;
  const auto in = input_of(flux->options);
  const auto out = flux->forward(in);
  flux->to(at::kBFloat16);
  const auto rough = flux->forward(in);
  CHECK(rough.scalar_type() == at::kFloat);
  CHECK(difference(rough, out) > 0);
  CHECK(difference(rough, out) < 0.05 * out.abs().max().item<double>());
}

TEST_CASE("flux: packing keeps what lies together together, and comes back") {
  const auto latents = at::arange(2 * 3 * 4 * 6, at::kFloat).view({2, 3, 4, 6});
  const auto tokens = pack_latents(latents);
  REQUIRE(tokens.sizes() == at::IntArrayRef({2, 6, 12}));
  CHECK(at::equal(unpack_latents(tokens, 4, 6), latents));
  // The second token of the first image: rows 0 and 1, columns 2 and 3, channel by channel.
  CHECK(at::equal(tokens[0][1].slice(0, 0, 4), at::tensor({2.0F, 3.0F, 8.0F, 9.0F})));
  const auto ids = flux_image_ids(4, 6);
  CHECK(at::equal(ids[4], at::tensor({0.0F, 1.0F, 1.0F})));
  CHECK(flux_latent_side(512) == 64);
}

TEST_CASE("flux: sizes that cannot be are refused") {
  CHECK_THROWS_WITH(flux_latent_side(520), Catch::Contains("divisible by 16, got 520"));
  CHECK_THROWS_WITH(pack_latents(randn({1, 4, 5, 6})),
                    Catch::Contains("even h and w") && Catch::Contains("[1, 4, 5, 6]"));
  CHECK_THROWS_WITH(unpack_latents(randn({1, 5, 16}), 4, 6), Catch::Contains("got [1, 5, 16]"));
  auto options = flux_tiny();
  options.axes = {4, 6, 8};
  CHECK_THROWS_WITH(Flux(options), Catch::Contains("add up to dim / heads = 16, got 18"));
  options = flux_tiny();
  options.heads = 3;
  CHECK_THROWS_WITH(Flux(options), Catch::Contains("dim divisible by heads"));

  auto flux = tiny();
  const auto refused = [&](auto&& change) {
    auto in = input_of(flux->options);
    change(in);
    return test::message_of([&] { flux->forward(in); });
  };
  using Catch::Contains;
  CHECK_THAT(refused([](FluxInput& i) {
               i.image = randn({2, 6, 15});
             }),
             Contains("image of shape [B, N, in_channels] with 16 channels, got [2, 6, 15]"));
  CHECK_THAT(refused([](FluxInput& i) { i.text = randn({2, 3, 21}); }), Contains("text of shape"));
  CHECK_THAT(refused([](FluxInput& i) { i.guidance = at::Tensor(); }),
             Contains("guidance of shape [B]"));
  CHECK_THAT(refused([](FluxInput& i) { i.image_ids = flux_image_ids(4, 4); }),
             Contains("image_ids of 6 tokens, got [4, 3]"));
  CHECK_THAT(refused([](FluxInput& i) {
               i.text_ids = at::zeros({4, 3});
             }),
             Contains("text_ids of 3 tokens, got [4, 3]"));
  auto schnell = flux_tiny();
  schnell.guidance = false;
  CHECK_THROWS_WITH(tiny(schnell)->forward(input_of(flux_tiny())), Contains("no guidance"));
}

TEST_CASE("flux: options go to JSON and back") {
  auto options = flux_small();
  options.guidance = false;
  FluxOptions read;
  options_from_json(read, options_to_json(options), "test");
  CHECK(options_to_json(read) == options_to_json(options));
}
