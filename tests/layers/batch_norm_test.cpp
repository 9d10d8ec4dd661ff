#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/layers/batch_norm.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("batch norm: trains and evaluates as torch's") {
  BatchNorm ours(3);
  torch::nn::BatchNorm2d theirs(3);
  {
    torch::NoGradGuard no_grad;
    ours->weight.copy_(randn({3}, 1));
    ours->bias.copy_(randn({3}, 2));
    theirs->weight.copy_(ours->weight);
    theirs->bias.copy_(ours->bias);
  }
  for (std::uint64_t step = 0; step < 3; ++step) {
    const auto x = randn({4, 3, 5, 2}, 10 + step) * 2 + 1;
    CHECK(difference(ours->forward(x), theirs->forward(x)) < 1e-6);
  }
  CHECK(ours->num_batches_tracked.item<std::int64_t>() == 3);
  CHECK(difference(ours->running_mean, theirs->running_mean) < 1e-6);
  CHECK(difference(ours->running_var, theirs->running_var) < 1e-6);
  ours->eval();
  theirs->eval();
  const auto x = randn({1, 3, 2, 2}, 20);
  CHECK(difference(ours->forward(x), theirs->forward(x)) < 1e-6);
  CHECK(ours->num_batches_tracked.item<std::int64_t>() == 3);  // evaluation writes nothing
  const auto names = ours->named_buffers();
  CHECK(names.keys() == theirs->named_buffers().keys());
}

TEST_CASE("batch norm: the first batch by hand") {
  BatchNorm norm(1, 0.0, 0.5);
  const auto x = torch::tensor({1.0F, 2.0F, 3.0F, 6.0F}).view({2, 1, 1, 2});
  const auto y = norm->forward(x).flatten();  // mean 3, variance 3.5
  CHECK(y[3].item<float>() == Approx(3 / std::sqrt(3.5)));
  CHECK(norm->running_mean.item<float>() == Approx(1.5));
  CHECK(norm->running_var.item<float>() == Approx(0.5 + 0.5 * 14.0 / 3));  // unbiased
}

TEST_CASE("batch norm: laws of a module, device and type") {
  BatchNorm norm(3);
  norm->forward(randn({8, 3, 2, 2}, 1));
  check_module(norm, randn({2, 3, 4, 4}, 2));
  const BatchNorm counted(5, 1e-5, 0.1, ParameterOptions{.device = at::kMeta});
  CHECK(parameter_count(*counted) == 10);
  const BatchNorm half(5, 1e-5, 0.1, ParameterOptions{.dtype = at::kDouble});
  CHECK(half->running_var.scalar_type() == at::kDouble);
  CHECK(half->running_var.min().item<double>() == 1);
}

TEST_CASE("batch norm: errors say what was expected") {
  CHECK_THROWS_WITH(BatchNorm(0), Contains("positive number of channels, got 0"));
  CHECK_THROWS_WITH(BatchNorm(1, 1e-5, 0.0), Contains("momentum in (0, 1], got 0"));
  CHECK_THROWS_WITH(BatchNorm(3)->forward(randn({2, 4, 2, 2})),
                    Contains("maps [B, 3, H, W], got [2, 4, 2, 2]"));
}
