#include "dermis/train/ema.hpp"

#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "fixtures.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

namespace {

void set_weights(TinyModule& module, double value) {
  const torch::NoGradGuard no_grad;
  for (at::Tensor& parameter : module.parameters()) parameter.fill_(value);
}

}  // namespace

TEST_CASE("ema: the decay warms up as (1 + n) / (10 + n), then stays") {
  TinyModule module(1);
  set_weights(module, 0);
  EMA ema(module, 0.3);
  double expected = 0;
  for (int n = 1; n <= 6; ++n) {
    set_weights(module, n);
    ema.update(module);
    const double decay = std::min(0.3, (1.0 + n) / (10.0 + n));  // 2/11, 3/12, then 0.3
    expected = decay * expected + (1 - decay) * n;
  }
  ema.copy_to(module);
  CHECK(module.weight1[0][0].item<double>() == Approx(expected));
}

TEST_CASE("ema: frozen parameters are left alone, buffers are copied") {
  TinyModule module(1);
  EMA ema(module, 0.9);
  set_weights(module, 5);
  module.calls.fill_(7);
  ema.update(module);
  TinyModule target(2);
  ema.copy_to(target);
  CHECK(at::equal(target.frozen, at::ones({2, 2})));
  CHECK(target.calls.item<double>() == 7);
  for (const auto& [name, tensor] : ema.state()) CHECK(name.find("frozen") == std::string::npos);
}

TEST_CASE("ema: two swaps change nothing, one exchanges bit for bit") {
  TinyModule module(1);
  EMA ema(module, 0.9);
  set_weights(module, 5);
  ema.update(module);
  const StateDict trained = snapshot(module);
  ema.swap(module);
  const StateDict averaged = snapshot(module);
  CHECK_FALSE(equal(averaged, trained));
  ema.swap(module);
  CHECK(equal(state_dict(module), trained));
  ema.copy_to(module);
  CHECK(equal(state_dict(module), averaged));
}

TEST_CASE("ema: saved and loaded it goes on as if nothing had happened") {
  TinyModule module(1);
  EMA ema(module, 0.99);
  for (int i = 0; i < 3; ++i) {
    set_weights(module, i);
    ema.update(module);
  }
  EMA other(TinyModule(7), 0.99);
  other.load(ema.state(), "checkpoint");
  set_weights(module, 9);
  ema.update(module);
  other.update(module);
  CHECK(equal(ema.state(), other.state()));
}

TEST_CASE("ema: a decay of 1, another module or another state is refused") {
  TinyModule module(1);
  CHECK_THROWS_AS(EMA(module, 1.0), std::invalid_argument);
  EMA ema(module, 0.9);
  torch::nn::Linear other(2, 2);
  CHECK_THROWS_WITH(ema.update(*other), Contains("[ema]") && Contains("'weight1'"));
  CHECK_THROWS_WITH(ema.load({}, "checkpoint"), Contains("6 missing keys"));
}

TEST_CASE("ema: decays of diffusers and timm, and one of the caller's") {
  CHECK(diffusers_ema_decay(1, 0.99) == 0);
  CHECK(diffusers_ema_decay(2, 0.99) == Approx(2.0 / 11));
  CHECK(diffusers_ema_decay(5, 0.3) == 0.3);
  CHECK(power_ema_decay(1, 0.99) == 0);
  CHECK(power_ema_decay(8, 0.99) == Approx(0.75));  // 1 - 8^(-2/3)
  CHECK(power_ema_decay(16, 0.99, 0.75) == Approx(0.875));
  CHECK(power_ema_decay(4, 0.99, 1, 3) == Approx(0.5));
  CHECK(power_ema_decay(1000, 0.9) == 0.9);

  TinyModule module(1);
  set_weights(module, 1);
  EMA ema(module, 0.5);
  set_weights(module, 5);
  ema.update(module, 0.75);
  ema.copy_to(module);
  CHECK(module.weight1[0][0].item<double>() == Approx(2));
  CHECK_THROWS_WITH(ema.update(module, 1.5), Contains("decay in [0, 1], got 1.5"));
}
