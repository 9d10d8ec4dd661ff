#include "dermis/diffusion/reflow.hpp"

#include <torch/optim/adam.h>

#include "dermis/layers/linear.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

/// Data are -2 and 2, equally often: the flow's exact velocity, for any coupling that is
/// independent.
const Denoiser two_points = [](const at::Tensor& x, const at::Tensor& t) {
  const auto s = (t / 1000).view({-1, 1});
  const auto x0 = 2 * at::tanh(2 * (1 - s) * x / s.square());
  return (x - x0) / s;
};

/// Of noise that goes to the point on its side, as the trajectories of two_points do: lines that
/// never cross.
const Denoiser straight = [](const at::Tensor& x, const at::Tensor& t) {
  return (x - 2 * x.sign()) / (t / 1000).view({-1, 1});
};

const RectifiedFlow flow;

/// A network of x and time with one hidden layer.
struct Network : torch::nn::Module {
  Network() {
    const ParameterOptions seeded{.generator = test::generator(1)};
    in = register_module("in", Linear(2, 64, true, seeded));
    middle = register_module("middle", Linear(64, 64, true, seeded));
    out = register_module("out", Linear(64, 1, true, seeded));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& t) {
    const auto h = in->forward(at::cat({x, (t / 1000).view({-1, 1})}, 1));
    return out->forward(at::silu(middle->forward(at::silu(h))));
  }
  Linear in = nullptr, middle = nullptr, out = nullptr;
};

}  // namespace

TEST_CASE("reflow: pairs are the ends of the trajectories, straight ones measure zero") {
  const auto noise = randn({512, 1}, 1);
  const auto curved = flow_pairs(flow, two_points, noise, 64);
  CHECK(at::equal(curved.noise, noise));
  CHECK(at::equal(curved.data, flow.sample(two_points, noise, 64)));
  CHECK(difference(curved.data.abs(), at::full({512, 1}, 2)) < 0.05);
  CHECK(curved.straightness.mean().item<double>() > 0.1);
  const auto lines = flow_pairs(flow, straight, noise, 64);
  CHECK(lines.straightness.max().item<double>() < 1e-6);
  CHECK(difference(flow_pairs(flow, straight, noise, 1).data, lines.data) < 1e-4);
  CHECK(flow_pairs(flow, two_points, noise, 1).straightness.abs().max().item<double>() < 1e-9);
}

TEST_CASE("reflow: trained on its own pairs a flow becomes straighter, and one step will do") {
  const auto pairs = flow_pairs(flow, two_points, randn({2048, 1}, 1), 64);
  Network network;
  torch::optim::Adam optimizer(network.parameters(), torch::optim::AdamOptions(3e-3));
  auto draws = test::generator(2);
  for (int step = 0; step < 500; ++step) {
    const auto rows = at::randint(2048, {256}, draws, at::kLong);
    const auto batch =
        flow.corrupt(pairs.data.index_select(0, rows), pairs.noise.index_select(0, rows),
                     at::rand({256}, draws, at::kFloat));
    optimizer.zero_grad();
    at::mse_loss(network.forward(batch.x, batch.time), batch.target).backward();
    optimizer.step();
  }
  const Denoiser again = [&](const at::Tensor& x, const at::Tensor& t) {
    return network.forward(x, t);
  };
  const auto fresh = randn({512, 1}, 3);
  const auto before = flow_pairs(flow, two_points, fresh, 64);
  const auto after = flow_pairs(flow, again, fresh, 64);
  CHECK(after.straightness.mean().item<double>() < 0.3 * before.straightness.mean().item<double>());
  // One step of the first flow lands in the middle of the data, one of the second near the points.
  const auto distance = [&](const Denoiser& denoiser) {
    return (flow.sample(denoiser, fresh, 1).abs() - 2).abs().mean().item<double>();
  };
  CHECK(distance(again) < 0.3 * distance(two_points));
}
