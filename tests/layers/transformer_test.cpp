#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/layers/patch_embed.hpp"
#include "dermis/layers/position.hpp"
#include "dermis/layers/transformer.hpp"

using namespace dermis;

namespace {
at::Generator generator(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}
}  // namespace

TEST_CASE("attention: weights on request give the same output, and their rows sum to one") {
  Attention attention(16, 4, true, ParameterOptions{.generator = generator(1)});
  const auto x = torch::randn({2, 5, 16}, generator(2));
  at::Tensor weights;
  const auto with = attention->forward(x, &weights);
  CHECK(at::allclose(with, attention->forward(x), 1e-5, 1e-6));
  CHECK(weights.sizes() == at::IntArrayRef({2, 4, 5, 5}));
  CHECK(at::allclose(weights.sum(-1), torch::ones({2, 4, 5})));
  CHECK_THROWS_WITH(Attention(10, 4), Catch::Contains("dim 10 and 4 heads"));
}

TEST_CASE("scaled dot product: few tokens and many give the fused kernel's values and gradients") {
  const auto tokens = GENERATE(5, 150, 300);  // two products; two products in training only; fused
  auto draws = generator(3);
  const auto input = [&] { return torch::randn({2, 2, tokens, 8}, draws).set_requires_grad(true); };
  const auto q = input(), k = input(), v = input();
  const auto towards = torch::randn({2, 2, tokens, 8}, draws);
  const auto gradients = [&](const at::Tensor& y) {
    return torch::autograd::grad({y}, {q, k, v}, {towards});
  };
  const auto expected = at::scaled_dot_product_attention(q, k, v);
  const auto found = scaled_dot_product(q, k, v);
  CHECK(at::allclose(found, expected, 1e-5, 1e-6));
  const auto expected_gradients = gradients(expected), found_gradients = gradients(found);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(at::allclose(found_gradients[i], expected_gradients[i], 1e-5, 1e-6));
  torch::NoGradGuard no_grad;
  CHECK(at::allclose(scaled_dot_product(q, k, v), expected, 1e-5, 1e-6));
}

TEST_CASE("patchify: unpatchify is its inverse, channels come last within a patch") {
  const auto images = torch::arange(2 * 3 * 8 * 8, torch::kFloat).reshape({2, 3, 8, 8});
  const auto patches = patchify(images, 4);
  CHECK(patches.sizes() == at::IntArrayRef({2, 4, 48}));
  CHECK(at::equal(unpatchify(patches, 4), images));
  CHECK(patches[0][0][1].item<float>() ==
        images[0][1][0][0].item<float>());  // second value: the first pixel's second channel
  CHECK(patches[0][1][0].item<float>() ==
        images[0][0][0][4].item<float>());  // second patch: four columns to the right
  CHECK_THROWS_WITH(patchify(images, 3), Catch::Contains("divisible by 3"));
  CHECK_THROWS_WITH(unpatchify(torch::zeros({1, 3, 48}), 4), Catch::Contains("[unpatchify]"));
}

TEST_CASE("patch embedding: embedding only some patches equals picking from all") {
  PatchEmbed embed(3, 8, 4, ParameterOptions{.generator = generator(1)});
  const auto images = torch::randn({2, 3, 16, 16}, generator(2));
  const auto kept = torch::tensor({{3, 0, 15}, {1, 2, 7}}, torch::kLong);
  const auto all = embed->forward(images);
  const auto picked = all.gather(1, kept.unsqueeze(-1).expand({-1, -1, 8}));
  CHECK(at::allclose(embed->forward_kept(images, kept), picked, 1e-5, 1e-6));
}

TEST_CASE("position: sine-cosine table has the published values, columns first") {
  // papers.md section 7: D = 8, grid 2 x 2, no class token
  const auto expected =
      torch::tensor({{0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0},
                     {0.841471, 0.01, 0.540302, 0.99995, 0.0, 0.0, 1.0, 1.0},
                     {0.0, 0.0, 1.0, 1.0, 0.841471, 0.01, 0.540302, 0.99995},
                     {0.841471, 0.01, 0.540302, 0.99995, 0.841471, 0.01, 0.540302, 0.99995}});
  CHECK(at::allclose(sincos_position(8, 2, false)[0], expected.to(torch::kFloat), 1e-5, 1e-6));
  const auto with_token = sincos_position(8, 2, true);
  CHECK(with_token.sizes() == at::IntArrayRef({1, 5, 8}));
  CHECK(with_token[0][0].abs().max().item<double>() == 0);
  CHECK_THROWS_WITH(sincos_position(6, 2, true), Catch::Contains("divisible by 4"));
}

TEST_CASE("position: tables of grids that are not square, in both orders") {
  // 2 rows of 3; D = 4: one frequency of 1, so sin and cos of the coordinates themselves
  const auto row = torch::tensor({0.0, 0.0, 0.0, 1.0, 1.0, 1.0});
  const auto column = torch::tensor({0.0, 1.0, 2.0, 0.0, 1.0, 2.0});
  const auto columns_first =
      at::stack({column.sin(), column.cos(), row.sin(), row.cos()}, 1).to(torch::kFloat);
  CHECK(at::allclose(sincos_position(4, GridSize{2, 3}, false)[0], columns_first));
  const auto rows_first =
      at::stack({row.sin(), row.cos(), column.sin(), column.cos()}, 1).to(torch::kFloat);
  CHECK(at::allclose(sincos_position(4, GridSize{2, 3}, false, SinCosOrder::RowFirst)[0],
                     rows_first));
  CHECK_THROWS_WITH(sincos_position(4, GridSize{2, 0}, false), Catch::Contains("2 x 0"));

  const auto table = torch::randn({1, 1 + 6, 4}, generator(1));
  CHECK(at::equal(resample_position(table, {2, 3}, {2, 3}, 1), table));
  const auto turned = resample_position(table, {2, 3}, {3, 2}, 1);
  CHECK(turned.sizes() == table.sizes());
  CHECK_FALSE(at::equal(turned, table));
  CHECK_THROWS_WITH(resample_position(table, {2, 4}, {3, 2}, 1),
                    Catch::Contains("1 + 2 x 4 rows, got [1, 7, 4]"));
  CHECK_THROWS_WITH(resample_position(table, {2, 3}, {0, 2}, 1), Catch::Contains("0 x 2"));
}

TEST_CASE("patchify: images that are not square come back by their rows") {
  const auto images = torch::randn({2, 1, 8, 12}, generator(1));
  CHECK(at::equal(unpatchify_rows(patchify(images, 4), 4, 1, 2), images));
  CHECK_THROWS_WITH(unpatchify_rows(patchify(images, 4), 4, 1, 4),
                    Catch::Contains("[B, 4 n, 16], got [2, 6, 16]"));
}

TEST_CASE("position: resampling keeps the prefix, the grid of its own size, and a constant table") {
  const auto table = torch::randn({1, 1 + 16, 8}, generator(1));
  CHECK(at::equal(resample_position(table, 4, 1), table));
  const auto larger = resample_position(table, 6, 1);
  CHECK(larger.sizes() == at::IntArrayRef({1, 37, 8}));
  CHECK(at::equal(larger.slice(1, 0, 1), table.slice(1, 0, 1)));
  const auto constant = torch::full({1, 1 + 16, 4}, 0.25);
  CHECK(at::allclose(resample_position(constant, 7, 1), torch::full({1, 50, 4}, 0.25)));
  CHECK(at::allclose(resample_position(constant, 2, 1, /*antialias=*/true),
                     torch::full({1, 5, 4}, 0.25)));
  CHECK_THROWS_WITH(resample_position(torch::zeros({1, 12, 8}), 4, 1),
                    Catch::Contains("[position]"));
}

TEST_CASE(
    "drop path: whole samples are dropped, the expectation stays, evaluation changes nothing") {
  const auto x = torch::ones({2000, 3, 2});
  CHECK(at::equal(drop_path(x, 0.3, false), x));
  CHECK(at::equal(drop_path(x, 0.0, true), x));
  const auto y = drop_path(x, 0.3, true, generator(1));
  const auto per_sample = y.flatten(1);
  CHECK(at::equal(per_sample.amin(1), per_sample.amax(1)));
  CHECK(y.mean().item<double>() == Approx(1.0).margin(0.05));
  CHECK(y.max().item<double>() == Approx(1 / 0.7));
  CHECK(at::equal(y, drop_path(x, 0.3, true, generator(1))));
  CHECK_THROWS_WITH(drop_path(x, 1.0, true), Catch::Contains("[drop_path]"));
}

TEST_CASE(
    "transformer block: LayerScale is there only when asked for, and zero gain is the identity") {
  TransformerBlock plain(TransformerBlockOptions{.dim = 8, .heads = 2});
  CHECK(plain->ls1.is_empty());
  TransformerBlock scaled(TransformerBlockOptions{.dim = 8, .heads = 2, .layer_scale = 1e-5});
  REQUIRE_FALSE(scaled->ls1.is_empty());
  CHECK(scaled->named_parameters().contains("ls2.gamma"));
  torch::NoGradGuard no_grad;
  scaled->ls1->gamma.zero_();
  scaled->ls2->gamma.zero_();
  const auto x = torch::randn({2, 3, 8});
  CHECK(at::equal(scaled->forward(x), x));
}
