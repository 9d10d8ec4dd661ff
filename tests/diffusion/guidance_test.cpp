#include "dermis/diffusion/guidance.hpp"

#include "dermis/diffusion/ddim.hpp"
#include "dermis/models/unet.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

/// Answers label + 1 everywhere and counts its calls.
ConditionalDenoiser counting(std::vector<std::int64_t>& batches) {
  return [&batches](const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels) {
    CHECK(t.size(0) == x.size(0));
    CHECK(labels.size(0) == x.size(0));
    batches.push_back(x.size(0));
    return (labels.to(at::kFloat) + 1).view({-1, 1, 1, 1}) * torch::ones_like(x);
  };
}

}  // namespace

TEST_CASE("guidance: extrapolates from the null class in one batch") {
  std::vector<std::int64_t> batches;
  const auto labels = torch::tensor({0, 2}, torch::kLong);
  const auto x = torch::zeros({2, 1, 2, 2}), t = torch::zeros({2}, torch::kLong);
  const auto out = guided(counting(batches), labels, 8, 3.0)(x, t);
  CHECK(batches == std::vector<std::int64_t>{4});
  CHECK(out[0].mean().item<double>() == Approx(9 + 3 * (1 - 9)));
  CHECK(out[1].mean().item<double>() == Approx(9 + 3 * (3 - 9)));
}

TEST_CASE("guidance: scale 1 is the conditional model, scale 0 the unconditional one") {
  UNet unet(UNetOptions{.in_channels = 2,
                        .out_channels = 2,
                        .channels = {8},
                        .layers_per_block = 1,
                        .attention = {0},
                        .head_dim = 8,
                        .num_classes = 3,
                        .norm_groups = 4});
  torch::NoGradGuard no_grad;
  auto draws = test::generator(1);
  for (auto& p : unet->parameters()) p.add_(0.2 * torch::randn(p.sizes(), draws));
  const auto labels = torch::tensor({0, 2}, torch::kLong);
  const auto x = randn({2, 2, 4, 4});
  const auto t = torch::tensor({10, 900}, torch::kLong);
  const auto model = denoiser_of(unet);
  const auto conditional = unet->forward(x, t, labels);
  const auto unconditional =
      unet->forward(x, t, torch::full({2}, unet->null_class(), torch::kLong));
  CHECK(torch::equal(guided(model, labels, 3, 1.0)(x, t), conditional));
  CHECK(torch::equal(guided(model, labels, 3, 0.0)(x, t), unconditional));
  const auto expected = unconditional + 2.5 * (conditional - unconditional);
  CHECK(difference(guided(model, labels, 3, 2.5)(x, t), expected) < 1e-5);
  // The whole way through a sampler.
  const DDIM sampler(DiffusionProcess{}, {.steps = 4});
  const auto plain = [&](const at::Tensor& y, const at::Tensor& s) {
    return unet->forward(y, s, labels);
  };
  CHECK(torch::equal(sampler.sample(guided(model, labels, 3, 1.0), x), sampler.sample(plain, x)));
}

TEST_CASE("guidance: labels are dropped where the draw says so") {
  const auto labels = torch::tensor({0, 1, 2, 3}, torch::kLong);
  const auto u = torch::tensor({0.05f, 0.1f, 0.9f, 0.0999f});
  CHECK(torch::equal(drop_labels(labels, 8, u, 0.1), torch::tensor({8, 1, 2, 8}, torch::kLong)));
  CHECK(torch::equal(drop_labels(labels, 8, u, 0.0), labels));
  CHECK(torch::equal(drop_labels(labels, 8, u, 1.0), torch::full({4}, 8, torch::kLong)));
  CHECK_THROWS_AS(drop_labels(labels, 8, torch::zeros({3}), 0.1), std::invalid_argument);
}

TEST_CASE("guidance: labels of another kind or number are refused") {
  std::vector<std::int64_t> batches;
  CHECK_THROWS_AS(guided(counting(batches), torch::zeros({2}), 8, 2.0), std::invalid_argument);
  const auto two = guided(counting(batches), torch::zeros({2}, torch::kLong), 8, 2.0);
  CHECK(test::message_of([&] {
          two(torch::zeros({3, 1, 2, 2}), torch::zeros({3}, torch::kLong));
        }) == "[guidance] expected a batch of 2 as the labels, got 3");
}
