#include "dermis/layers/resnet.hpp"

#include "dermis/layers/spatial_transformer.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::check_module;
using dermis::test::difference;
using dermis::test::randn;

TEST_CASE("resnet: keeps the laws of modules with and without time") {
  check_module(ResnetBlock(ResnetOptions{.in_channels = 8, .out_channels = 16, .norm_groups = 4}),
               randn({2, 8, 6, 5}));
  for (const bool scale_shift : {false, true}) {
    ResnetBlock block(ResnetOptions{.in_channels = 8,
                                    .out_channels = 8,
                                    .time_channels = 12,
                                    .norm_groups = 4,
                                    .scale_shift = scale_shift,
                                    .zero_init = true});
    check_module<ResnetBlock>(block,
                              [](ResnetBlock& m, const auto& x) { return m->forward(x[0], x[1]); },
                              {randn({2, 8, 4, 4}), randn({2, 12}, 1)});
  }
}

TEST_CASE("resnet: zero_init starts as the shortcut") {
  ResnetBlock block(
      ResnetOptions{.in_channels = 8, .out_channels = 8, .norm_groups = 4, .zero_init = true});
  const auto x = randn({1, 8, 4, 4});
  CHECK(torch::equal(block->forward(x), x));
  CHECK(block->conv_shortcut.is_empty());
}

TEST_CASE("resnet: a block that resamples starts as the average or the repetition") {
  ResnetOptions options{.in_channels = 8, .out_channels = 8, .norm_groups = 4, .zero_init = true};
  const auto x = randn({1, 8, 4, 6});
  options.resample = Resample::Down;
  const auto pairs = (x.slice(3, 0, 6, 2) + x.slice(3, 1, 6, 2)) / 2;
  CHECK(difference(ResnetBlock(options)->forward(x),
                   (pairs.slice(2, 0, 4, 2) + pairs.slice(2, 1, 4, 2)) / 2) < 1e-6);
  options.resample = Resample::Up;
  const auto doubled = ResnetBlock(options)->forward(x);
  CHECK(torch::equal(doubled, x.repeat_interleave(2, 2).repeat_interleave(2, 3)));
  const std::vector<std::int64_t> size = {7, 12};
  CHECK(ResnetBlock(options)->forward(x, {}, at::IntArrayRef(size)).sizes() ==
        at::IntArrayRef({1, 8, 7, 12}));
}

TEST_CASE("resnet: scale_shift of zero changes nothing but the sum of time does") {
  const ResnetOptions plain{.in_channels = 8, .out_channels = 8, .norm_groups = 4};
  auto adaptive = plain;
  adaptive.time_channels = 4;
  adaptive.scale_shift = true;
  ResnetBlock a(plain), b(adaptive);
  torch::NoGradGuard no_grad;
  for (const auto& item : a->named_parameters())
    b->named_parameters()[item.key()].copy_(item.value());
  b->time_emb_proj->weight.zero_();
  b->time_emb_proj->bias.zero_();
  const auto x = randn({2, 8, 4, 4});
  CHECK(difference(a->forward(x), b->forward(x, randn({2, 4}, 1))) == 0.0);
  // scale -1 removes the normalised map: only the shift is left, whatever x is.
  b->time_emb_proj->bias.slice(0, 0, 8).fill_(-1.0);
  b->conv_shortcut = nullptr;
  const auto left = b->forward(x, randn({2, 4}, 1)) - x;
  const auto other = b->forward(2 * x + 1, randn({2, 4}, 1)) - (2 * x + 1);
  CHECK(difference(left, other) < 1e-5);
}

TEST_CASE("resnet: a time embedding must be given exactly when the block has one") {
  ResnetBlock without(ResnetOptions{.in_channels = 8, .out_channels = 8, .norm_groups = 4});
  ResnetBlock with(
      ResnetOptions{.in_channels = 8, .out_channels = 8, .time_channels = 4, .norm_groups = 4});
  const auto x = randn({1, 8, 4, 4});
  CHECK(test::message_of([&] { with->forward(x); }) ==
        "[resnet] expected a time embedding of width 4, got none");
  CHECK_THROWS_AS(without->forward(x, randn({1, 4})), std::invalid_argument);
  CHECK_THROWS_AS(ResnetBlock(ResnetOptions{.in_channels = 6, .out_channels = 6, .norm_groups = 4}),
                  std::invalid_argument);
}

TEST_CASE("resnet: the resamplers halve and double, and pad where the reference pads") {
  check_module(Upsample(4), randn({2, 4, 3, 5}));
  check_module(Downsample(4, true), randn({2, 4, 6, 4}));
  check_module(Downsample(4, false), randn({2, 4, 6, 4}));
  CHECK(Upsample(4)->forward(randn({1, 4, 3, 5})).sizes() == at::IntArrayRef({1, 4, 6, 10}));
  CHECK(Upsample(4)->forward(randn({1, 4, 3, 5}), at::IntArrayRef({5, 9})).sizes() ==
        at::IntArrayRef({1, 4, 5, 9}));
  CHECK(Downsample(4, false)->forward(randn({1, 4, 7, 8})).sizes() ==
        at::IntArrayRef({1, 4, 4, 4}));
  CHECK(Downsample(4, true)->forward(randn({1, 4, 7, 8})).sizes() == at::IntArrayRef({1, 4, 3, 4}));

  // Asymmetric: with a kernel that reads its top left tap only, pixel (2i, 2j) is what arrives.
  Downsample down(1, true);
  torch::NoGradGuard no_grad;
  down->conv->weight.zero_();
  down->conv->bias.zero_();
  down->conv->weight[0][0][0][0] = 1.0;
  const auto x = torch::arange(16, torch::kFloat).view({1, 1, 4, 4});
  CHECK(torch::equal(down->forward(x).flatten(), torch::tensor({0.0f, 2.0f, 8.0f, 10.0f})));
}

TEST_CASE("spatial attention: keeps the laws of modules, permutes with its pixels") {
  SpatialAttention attention(SpatialAttentionOptions{.channels = 8, .heads = 2, .norm_groups = 4});
  check_module(attention, randn({2, 8, 3, 4}));
  const auto x = randn({1, 8, 3, 4});
  CHECK(difference(attention->forward(x.flip({3})), attention->forward(x).flip({3})) < 1e-5);
  SpatialAttention identity(
      SpatialAttentionOptions{.channels = 8, .norm_groups = 4, .zero_init = true});
  CHECK(torch::equal(identity->forward(x), x));
  CHECK_THROWS_AS(
      SpatialAttention(SpatialAttentionOptions{.channels = 8, .heads = 3, .norm_groups = 4}),
      std::invalid_argument);
}

TEST_CASE("spatial transformer: keeps the laws of modules and starts as the identity") {
  SpatialTransformer transformer(SpatialTransformerOptions{
      .channels = 8, .context_dim = 6, .heads = 2, .depth = 2, .norm_groups = 4});
  const auto x = randn({2, 8, 3, 4}), context = randn({2, 5, 6}, 1);
  CHECK(torch::equal(transformer->forward(x, context), x));
  check_module<SpatialTransformer>(
      transformer, [](auto& m, const auto& in) { return m->forward(in[0], in[1]); }, {x, context});
  // Now perturbed: the context matters, the order of its tokens does not.
  const auto out = transformer->forward(x, context);
  CHECK(difference(transformer->forward(x, randn({2, 5, 6}, 2)), out) > 1e-3);
  CHECK(difference(transformer->forward(x, context.flip({1})), out) < 1e-5);
}
