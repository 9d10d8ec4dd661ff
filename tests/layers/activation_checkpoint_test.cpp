#include "dermis/layers/activation_checkpoint.hpp"

#include <catch2/catch.hpp>

#include "dermis/layers/autocast.hpp"
#include "dermis/models/mae.hpp"
#include "dermis/models/vit.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;

namespace {

const ViTOptions kOptions{.image_size = 16,
                          .patch_size = 4,
                          .dim = 16,
                          .depth = 3,
                          .heads = 2,
                          .num_classes = 3,
                          .drop_path = 0.4};

/// Gradients of one pass, and the generator's state after it.
template <class Model, class Forward>
std::pair<std::vector<at::Tensor>, at::Tensor> gradients(Model model, Forward forward,
                                                         bool checkpoint, bool bf16 = false) {
  model->zero_grad();
  model->train();
  model->checkpoint_activations = checkpoint;
  const auto drawing = generator(5);
  at::Tensor out;
  {
    const Autocast autocast(bf16);
    out = forward(drawing);
  }
  out.backward();
  std::vector<at::Tensor> all;
  for (const auto& parameter : model->parameters())
    if (parameter.grad().defined()) all.push_back(parameter.grad().clone());
  return {all, drawing.get_state()};
}

}  // namespace

TEST_CASE("activation checkpoint: a ViT's gradients, with dropped paths, are the same to the bit") {
  ViT model(kOptions, ParameterOptions{.generator = generator(1)});
  const auto images = randn({8, 3, 16, 16}, 2);
  const auto forward = [&](const at::Generator& drawing) {
    return model->forward(images, drawing).square().sum();
  };
  for (const bool bf16 : {false, true}) {
    const auto [plain, plain_state] = gradients(model, forward, false, bf16);
    const auto [saved, saved_state] = gradients(model, forward, true, bf16);
    REQUIRE(saved.size() == plain.size());
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(at::equal(saved[i], plain[i]));
    CHECK(at::equal(saved_state, plain_state));
  }
}

TEST_CASE("activation checkpoint: an MAE's gradients are the same to the bit") {
  auto encoder = kOptions;
  encoder.drop_path = 0;
  encoder.num_classes = 0;
  MAE model(
      MAEOptions{.encoder = encoder, .decoder_dim = 16, .decoder_depth = 1, .decoder_heads = 2},
      ParameterOptions{.generator = generator(1)});
  const auto images = randn({4, 3, 16, 16}, 2);
  const auto noise = torch::rand({4, 16}, generator(3));
  const auto forward = [&](const at::Generator&) { return model->forward(images, noise).loss; };
  const auto plain = gradients(model, forward, false).first;
  const auto saved = gradients(model, forward, true).first;
  REQUIRE(saved.size() == plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(at::equal(saved[i], plain[i]));
}

TEST_CASE(
    "activation checkpoint: the body runs twice with a gradient, once without, and keeps nothing") {
  int runs = 0;
  const auto weight = randn({4, 4}, 1).requires_grad_();
  at::Tensor watched;  // an intermediate result of the first run
  const auto body = [&](const at::Tensor& x) {
    ++runs;
    const auto inner = at::matmul(x, weight).exp();
    if (runs == 1) watched = inner;
    return inner.square();
  };
  const auto x =
      randn({2, 4}, 2);  // needs no gradient itself: the weight must get one all the same
  const auto y = checkpoint_activations(body, x);
  CHECK(watched.use_count() == 1);  // nobody else holds it
  CHECK(runs == 1);
  y.sum().backward();
  CHECK(runs == 2);
  const auto got = weight.grad().clone();
  weight.mutable_grad().reset();
  body(x).sum().backward();
  CHECK(at::equal(got, weight.grad()));
  {
    const torch::NoGradGuard no_grad;
    runs = 0;
    checkpoint_activations(body, x);
    CHECK(runs == 1);
  }
  CHECK(message_of([&] { checkpoint_activations({}, x); }).find("[checkpoint]") == 0);
}
