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

namespace {

/// Answers what numpy was given below, whatever x is; counts its calls.
ConditionalDenoiser tabulated(std::vector<std::int64_t>& batches) {
  return [&batches](const at::Tensor& x, const at::Tensor&, const at::Tensor& labels) {
    batches.push_back(x.size(0));
    const auto null =
        torch::tensor({{0.5f, -1.0f, 2.0f, 0.0f}, {1.0f, 1.0f, -2.0f, 3.0f}}).view({2, 1, 2, 2});
    const auto conditional =
        torch::tensor({{1.0f, 0.0f, -1.0f, 2.0f}, {-0.5f, 2.0f, 0.0f, 1.0f}}).view({2, 1, 2, 2});
    return (labels[0].item<std::int64_t>() == 8) ? torch::cat({null, conditional}) : conditional;
  };
}

const at::Tensor kPlain = torch::tensor({{2.0f, 2.0f, -7.0f, 6.0f}, {-3.5f, 4.0f, 4.0f, -3.0f}});

}  // namespace

TEST_CASE("guidance: rescaling gives every image its conditional contrast back") {
  std::vector<std::int64_t> batches;
  const auto labels = torch::tensor({0, 2}, torch::kLong);
  const auto x = torch::zeros({2, 1, 2, 2}), t = torch::full({2}, 300, torch::kLong);
  const auto answer = [&](double phi) {
    return guided(tabulated(batches), labels, 8, GuidanceOptions{.scale = 3, .rescale = phi})(x, t)
        .flatten(1);
  };
  CHECK(difference(answer(0), kPlain) < 1e-6);
  // numpy: phi g c.std() / g.std() + (1 - phi) g
  CHECK(difference(answer(0.7), torch::tensor({{0.92861677, 0.92861677, -3.25015869, 2.78585031},
                                               {-1.69815415, 1.94074759, 1.94074759, -1.4555607}},
                                              torch::kDouble)) < 1e-6);
  CHECK(difference(answer(1), torch::tensor({{0.46945253, 0.46945253, -1.64308384, 1.40835758},
                                             {-0.92593449, 1.05821085, 1.05821085, -0.79365814}},
                                            torch::kDouble)) < 1e-6);
  CHECK(batches == std::vector<std::int64_t>{4, 4, 4});
  const auto flat = torch::ones({1, 1, 2, 2});
  CHECK(torch::isfinite(rescaled_guidance(flat, flat, 0.7)).all().item<bool>());
}

TEST_CASE("guidance: outside its interval the conditional model answers, in half the batch") {
  std::vector<std::int64_t> batches;
  const auto labels = torch::tensor({0, 2}, torch::kLong);
  const auto x = torch::zeros({2, 1, 2, 2});
  const auto conditional = torch::tensor({{1.0f, 0.0f, -1.0f, 2.0f}, {-0.5f, 2.0f, 0.0f, 1.0f}});
  const auto model =
      guided(tabulated(batches), labels, 8, GuidanceOptions{.scale = 3, .low = 0.25, .high = 0.5});
  const auto at_times = [&](double first, double second) {
    return model(x, torch::tensor({first, second})).flatten(1);
  };
  CHECK(difference(at_times(250, 500), kPlain) < 1e-6);  // both ends belong to it
  CHECK(difference(at_times(249, 501), conditional) < 1e-6);
  const auto mixed = at_times(100, 300);  // every image by its own time
  CHECK(difference(mixed[0], conditional[0]) < 1e-6);
  CHECK(difference(mixed[1], kPlain[1]) < 1e-6);
  CHECK(batches == std::vector<std::int64_t>{4, 2, 4});

  batches.clear();  // a time of another scale
  const auto flow = guided(tabulated(batches), labels, 8,
                           GuidanceOptions{.scale = 3, .low = 0.25, .high = 0.5, .time_scale = 1});
  CHECK(difference(flow(x, torch::tensor({0.3f, 0.4f})).flatten(1), kPlain) < 1e-6);
  CHECK(difference(flow(x, torch::tensor({300.0f, 400.0f})).flatten(1), conditional) < 1e-6);
}

TEST_CASE("guidance: options that cannot be are named") {
  std::vector<std::int64_t> batches;
  const auto labels = torch::tensor({0, 2}, torch::kLong);
  const auto complaint = [&](const GuidanceOptions& options, const at::Tensor& of) {
    return test::message_of([&] { guided(tabulated(batches), of, 8, options); });
  };
  CHECK(complaint({.scale = 2, .rescale = 1.5}, labels) ==
        "[guidance] expected a rescale in 0..1, got 1.5");
  CHECK(complaint({.scale = 2, .low = 0.6, .high = 0.4}, labels) ==
        "[guidance] expected an interval in 0..1 of a positive time, got 0.6 to 0.4 of 1000");
  CHECK(complaint({.scale = 2, .rescale = 0.5}, torch::zeros({2})) ==
        "[guidance] expected int64 labels of shape [B]");
  const auto two = guided(tabulated(batches), labels, 8, GuidanceOptions{.scale = 2, .rescale = 1});
  CHECK(test::message_of([&] {
          two(torch::zeros({3, 1, 2, 2}), torch::zeros({3}, torch::kLong));
        }) == "[guidance] expected a batch of 2 as the labels, got 3");
}
