#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/layers/conv.hpp"
#include "dermis/layers/linear.hpp"

using namespace dermis;

namespace {
at::Generator generator(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

template <class Holder>
double clone_difference(const Holder& module, const at::Tensor& x) {
  using Impl = typename Holder::ContainedType;
  const auto copy = std::dynamic_pointer_cast<Impl>(module.ptr()->clone());
  REQUIRE(copy->parameters().size() == module.ptr()->parameters().size());
  return (copy->forward(x) - module.ptr()->forward(x)).abs().max().template item<double>();
}
}  // namespace

TEST_CASE("linear: the same numbers as torch::nn::Linear with the same weights") {
  torch::nn::Linear theirs(5, 3);
  Linear ours(5, 3);
  torch::NoGradGuard no_grad;
  for (const auto& item : theirs->named_parameters())
    ours->named_parameters()[item.key()].copy_(item.value());
  const auto x = torch::randn({2, 7, 5});
  CHECK(at::equal(ours->forward(x), theirs->forward(x)));
}

TEST_CASE("linear: device, type and first values are the caller's") {
  CHECK(Linear(4, 4, true, ParameterOptions{.dtype = at::kDouble})->weight.scalar_type() ==
        at::kDouble);
  CHECK(Linear(100'000, 100'000, true, ParameterOptions{.device = at::kMeta})->weight.is_meta());
  const Linear a(4, 3, true, ParameterOptions{.generator = generator(1)});
  const Linear b(4, 3, true, ParameterOptions{.generator = generator(1)});
  const Linear c(4, 3, true, ParameterOptions{.generator = generator(2)});
  CHECK(at::equal(a.ptr()->weight, b.ptr()->weight));
  CHECK_FALSE(at::equal(a.ptr()->weight, c.ptr()->weight));
  const double bound = 1 / std::sqrt(4.0);
  CHECK(a.ptr()->weight.abs().max().item<double>() <= bound);
}

TEST_CASE("linear: a given generator leaves LibTorch's own alone") {
  torch::manual_seed(7);
  const auto expected = torch::rand({3});
  torch::manual_seed(7);
  Linear(8, 8, true, ParameterOptions{.generator = generator(1)});
  Linear(8, 8, true, ParameterOptions{.init = false});
  CHECK(at::equal(torch::rand({3}), expected));
}

TEST_CASE("linear: the low-rank slot changes nothing until trained, and clone reproduces it") {
  Linear layer(6, 4, true, ParameterOptions{.generator = generator(3)});
  const auto x = torch::randn({5, 6}, generator(4));
  const auto before = layer->forward(x);
  CHECK(clone_difference(layer, x) == 0);
  CHECK(layer->parameters().size() == 2);

  layer->add_low_rank({.rank = 2, .alpha = 4});
  CHECK(at::equal(layer->forward(x), before));
  CHECK_FALSE(layer->weight.requires_grad());
  CHECK(layer->lora_A.sizes() == at::IntArrayRef({2, 6}));
  CHECK(layer->lora_B.sizes() == at::IntArrayRef({4, 2}));
  {
    torch::NoGradGuard no_grad;
    layer->lora_B.normal_(0, 1, generator(5));
  }
  const auto merged = layer->weight + 2.0 * at::matmul(layer->lora_B, layer->lora_A);
  CHECK(at::allclose(layer->forward(x), at::linear(x, merged, layer->bias), 1e-5, 1e-6));
  CHECK(clone_difference(layer, x) == 0);
  CHECK_THROWS_WITH(layer->add_low_rank({.rank = 1}),
                    Catch::Contains("already has a low-rank adapter of rank 2"));
}

TEST_CASE("linear: a rank out of range and sizes of zero are refused") {
  Linear layer(6, 4);
  CHECK_THROWS_WITH(layer->add_low_rank({.rank = 5}), Catch::Contains("rank in 1..4, got 5"));
  CHECK_THROWS_WITH(Linear(0, 4), Catch::Contains("got 0 -> 4"));
}

TEST_CASE("conv: the same numbers as torch::nn::Conv2d, adapter and clone included") {
  torch::nn::Conv2d theirs(torch::nn::Conv2dOptions(3, 8, 3).stride(2).padding(1));
  Conv2d ours(
      Conv2dOptions{.in_channels = 3, .out_channels = 8, .kernel = 3, .stride = 2, .padding = 1});
  {
    torch::NoGradGuard no_grad;
    for (const auto& item : theirs->named_parameters())
      ours->named_parameters()[item.key()].copy_(item.value());
  }
  const auto x = torch::randn({2, 3, 9, 9});
  CHECK(at::equal(ours->forward(x), theirs->forward(x)));
  CHECK(clone_difference(ours, x) == 0);
  const auto before = ours->forward(x);
  ours->add_low_rank({.rank = 2, .alpha = 2});
  CHECK(at::equal(ours->forward(x), before));
  {
    torch::NoGradGuard no_grad;
    ours->lora_B.normal_(0, 1, generator(5));
  }
  CHECK_FALSE(at::equal(ours->forward(x), before));
  CHECK(clone_difference(ours, x) == 0);
  CHECK_THROWS_WITH(Conv2d(Conv2dOptions{.in_channels = 0, .out_channels = 2}),
                    Catch::Contains("[conv]"));
}
