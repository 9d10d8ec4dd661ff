#include "dermis/layers/autocast.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>

using namespace dermis;

namespace {

at::ScalarType product_type() {
  return at::matmul(at::ones({2, 2}), at::ones({2, 2})).scalar_type();
}

}  // namespace

TEST_CASE("autocast: bfloat16 inside the scope, float32 outside") {
  REQUIRE(product_type() == at::kFloat);
  {
    const Autocast autocast(true);
    CHECK(product_type() == at::kBFloat16);
    {
      const Autocast off(false);
      CHECK(product_type() == at::kFloat);
    }
    CHECK(product_type() == at::kBFloat16);
  }
  CHECK(product_type() == at::kFloat);
}

TEST_CASE("autocast: the state found is restored, also after an exception") {
  const at::ScalarType original = at::autocast::get_autocast_dtype(at::kCPU);
  at::autocast::set_autocast_dtype(at::kCPU, at::kHalf);
  CHECK_THROWS_AS(
      [] {
        const Autocast autocast(true);
        throw std::runtime_error("inside");
      }(),
      std::runtime_error);
  CHECK_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  CHECK(at::autocast::get_autocast_dtype(at::kCPU) == at::kHalf);
  at::autocast::set_autocast_dtype(at::kCPU, original);
  CHECK(at::autocast::increment_nesting() == 1);  // no scope was left open
  at::autocast::decrement_nesting();
}

TEST_CASE("autocast: changed weights are seen by the next scope") {
  const at::Tensor weight = at::ones({2, 2}).requires_grad_();
  const auto product = [&] {
    const Autocast autocast(true);
    return at::matmul(at::ones({2, 2}), weight).sum().item<double>();
  };
  CHECK(product() == 8);
  {
    const torch::NoGradGuard no_grad;
    at::Tensor(weight).mul_(2);
  }
  CHECK(product() == 16);  // a cast kept over the scope would still say 8
}
