#include "dermis/train/optimizer.hpp"

#include <torch/optim/adamw.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "fixtures.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

namespace {

/// The names of a timm ViT of two blocks, without its work.
struct FakeViT : torch::nn::Module {
  FakeViT() {
    for (const char* name : {"cls_token", "pos_embed"})
      register_parameter(name, at::ones({1, 1, 4}));
    auto projection = register_module("patch_embed", std::make_shared<torch::nn::Module>());
    projection->register_parameter("proj", at::ones({4, 3}));
    auto blocks = register_module("blocks", std::make_shared<torch::nn::Module>());
    for (const char* block : {"0", "1"}) {
      auto child = blocks->register_module(block, std::make_shared<torch::nn::Module>());
      child->register_parameter("weight", at::ones({4, 4}));
      child->register_parameter("bias", at::ones({4}));
    }
    auto head = register_module("head", std::make_shared<torch::nn::Module>());
    head->register_parameter("weight", at::ones({2, 4}));
  }
};

const ParameterGroup& group_of(const std::vector<ParameterGroup>& groups, const std::string& name) {
  for (const ParameterGroup& group : groups) {
    if (std::count(group.names.begin(), group.names.end(), name) > 0) return group;
  }
  throw std::logic_error("no group holds " + name);
}

at::Tensor loss_of(TinyModule& module, std::uint64_t seed) {
  return (module.forward(normal({16, 4}, seed)) - normal({16, 3}, seed + 1)).square().mean();
}

}  // namespace

TEST_CASE(
    "parameter groups: one-dimensional and listed parameters do not decay, frozen are left out") {
  FakeViT vit;
  const auto groups = parameter_groups(
      vit, {.weight_decay = 0.05, .no_decay = no_decay_of({"cls_token", "pos_embed"})});
  REQUIRE(groups.size() == 2);
  CHECK(group_of(groups, "blocks.0.weight").weight_decay == 0.05);
  CHECK(group_of(groups, "blocks.0.bias").weight_decay == 0);
  CHECK(group_of(groups, "cls_token").weight_decay == 0);
  CHECK(group_of(parameter_groups(vit, {.weight_decay = 0.05}), "cls_token").weight_decay == 0.05);

  TinyModule tiny(1);
  CHECK_THROWS_AS(group_of(parameter_groups(tiny), "frozen"), std::logic_error);
}

TEST_CASE("parameter groups: a parameter of two names is taken once") {
  TinyModule module(1);
  module.register_parameter("tied", module.weight1);
  std::size_t count = 0;
  for (const auto& group : parameter_groups(module)) count += group.parameters.size();
  CHECK(count == 4);
}

TEST_CASE("layer decay: the published scales") {
  // Layer 0, first block, last block of ViT-B (0.65), L (0.75), H (0.75).
  struct Golden {
    std::int64_t depth;
    double decay, embedding, first, last;
  };
  for (const Golden& golden : {Golden{12, 0.65, 0.00369721, 0.00568801, 0.65},
                               Golden{24, 0.75, 7.52543e-4, 0.00100339, 0.75},
                               Golden{32, 0.75, 7.53393e-5, 1.00452e-4, 0.75}}) {
    torch::nn::Module vit;
    vit.register_parameter("cls_token", at::ones({1, 1, 4}));
    auto blocks = vit.register_module("blocks", std::make_shared<torch::nn::Module>());
    const std::string last = std::to_string(golden.depth - 1);
    for (const std::string& block : {std::string("0"), last}) {
      blocks->register_module(block, std::make_shared<torch::nn::Module>())
          ->register_parameter("weight", at::ones({4, 4}));
    }
    vit.register_parameter("fc_norm", at::ones({4}));
    const auto groups = layer_decay_groups(vit, 0.05, golden.decay, golden.depth);
    const auto scale = [&](const std::string& name) {
      return Approx(group_of(groups, name).learning_rate_scale).epsilon(1e-5);
    };
    CHECK(golden.embedding == scale("cls_token"));
    CHECK(golden.first == scale("blocks.0.weight"));
    CHECK(golden.last == scale("blocks." + last + ".weight"));
    CHECK(1.0 == scale("fc_norm"));
  }
}

TEST_CASE("layer decay: one group a layer and kind of decay; frozen parameters are left out") {
  FakeViT vit;
  vit.named_parameters()["pos_embed"].requires_grad_(false);
  const auto groups = layer_decay_groups(vit, 0.05, 0.5, 2);
  CHECK(groups.size() == 7);  // 0 decayed, 0 free, two a block, head
  CHECK_THROWS_AS(group_of(groups, "pos_embed"), std::logic_error);
  CHECK(group_of(groups, "cls_token").weight_decay == 0);
  CHECK(group_of(groups, "blocks.1.bias").learning_rate_scale == 0.5);
  CHECK(group_of(groups, "blocks.1.bias").weight_decay == 0);
  CHECK(group_of(groups, "head.weight").learning_rate_scale == 1);
  CHECK_THROWS_WITH(layer_decay_groups(vit, 0.05, 0.5, 1),
                    Contains("depth 1") && Contains("blocks.1."));
  CHECK_THROWS_AS(layer_decay_groups(vit, 0.05, 1.5, 2), std::invalid_argument);
}

TEST_CASE("adamw: the same numbers as torch::optim::AdamW, group by group") {
  TinyModule ours(1), theirs(1);
  auto groups = parameter_groups(ours, {.weight_decay = 0.1});
  groups[1].learning_rate_scale = 0.5;
  AdamW optimizer(groups, {.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-7});
  const auto options = [](double rate, double decay) {
    return std::make_unique<torch::optim::AdamWOptions>(
        torch::optim::AdamWOptions(rate).betas({0.9, 0.95}).eps(1e-7).weight_decay(decay));
  };
  torch::optim::AdamW reference(std::vector<torch::optim::OptimizerParamGroup>{
      {{theirs.weight1, theirs.weight2}, options(0.01, 0.1)},
      {{theirs.bias1, theirs.bias2}, options(0.005, 0.0)}});
  const StateDict start = snapshot(ours);
  for (std::uint64_t i = 0; i < 50; ++i) {
    optimizer.zero_grad();
    reference.zero_grad();
    loss_of(ours, i).backward();
    loss_of(theirs, i).backward();
    optimizer.step(0.01);
    reference.step();
  }
  const StateDict a = state_dict(ours), b = state_dict(theirs);
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO(a[i].first);
    CHECK(at::allclose(a[i].second, b[i].second, 1e-6, 1e-6));
  }
  CHECK_FALSE(at::allclose(ours.weight1, start[0].second, 1e-2, 1e-2));
  CHECK(at::equal(ours.frozen, at::ones({2, 2})));
}

TEST_CASE("adamw: strided parameters (channels last) are updated element by element") {
  const at::Tensor start = normal({4, 3, 2, 2}, 5);
  at::Tensor plain = start.clone().requires_grad_();
  at::Tensor strided = start.clone(at::MemoryFormat::ChannelsLast).requires_grad_();
  REQUIRE_FALSE(strided.is_contiguous());
  for (at::Tensor* parameter : {&plain, &strided}) {
    AdamW optimizer({{.names = {"w"}, .parameters = {*parameter}}});
    for (std::uint64_t i = 0; i < 5; ++i) {
      optimizer.zero_grad();
      (at::conv2d(normal({2, 3, 5, 5}, i), *parameter) * normal({2, 4, 4, 4}, i + 9))
          .sum()
          .backward();
      optimizer.step(0.01);
    }
  }
  CHECK(at::allclose(plain, strided, 1e-5, 1e-6));
}

TEST_CASE("adamw: a parameter without a gradient is not touched, decay included") {
  at::Tensor used = at::ones({2}).requires_grad_(), unused = at::ones({2}).requires_grad_();
  AdamW optimizer(
      {{.names = {"used", "unused"}, .parameters = {used, unused}, .weight_decay = 0.5}});
  used.sum().backward();
  optimizer.step(0.1);
  CHECK(at::equal(unused, at::ones({2})));
  CHECK_FALSE(at::equal(used, at::ones({2})));
  optimizer.zero_grad();
  CHECK_FALSE(used.grad().defined());
}

TEST_CASE("adamw: gradients are clipped by their common norm") {
  at::Tensor a = at::zeros({2}).requires_grad_(), b = at::zeros({1}).requires_grad_();
  AdamW optimizer({{.names = {"a"}, .parameters = {a}}, {.names = {"b"}, .parameters = {b}}});
  const auto set = [&] {
    a.mutable_grad() = torch::tensor({3.0f, 0.0f});
    b.mutable_grad() = torch::tensor({4.0f});
  };
  set();
  CHECK(optimizer.clip_gradients(0) == Approx(5));
  CHECK(a.grad()[0].item<double>() == 3);
  CHECK(optimizer.clip_gradients(10) == Approx(5));
  CHECK(a.grad()[0].item<double>() == 3);
  CHECK(optimizer.clip_gradients(1) == Approx(5));
  CHECK(a.grad()[0].item<double>() == Approx(0.6));
  CHECK(b.grad()[0].item<double>() == Approx(0.8));
  b.mutable_grad()[0] = std::numeric_limits<float>::infinity();
  CHECK_FALSE(std::isfinite(optimizer.clip_gradients(1)));
  optimizer.zero_grad();
  CHECK(optimizer.clip_gradients(1) == 0);
}

TEST_CASE("adamw: saved and loaded it goes on bit for bit") {
  TinyModule a(1), b(2);
  AdamW first(parameter_groups(a, {.weight_decay = 0.1}));
  const auto train = [](TinyModule& module, AdamW& optimizer, std::uint64_t from,
                        std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) {
      optimizer.zero_grad();
      loss_of(module, i).backward();
      optimizer.step(0.01);
    }
  };
  train(a, first, 0, 5);
  load_state_dict(b, state_dict(a), "a");
  AdamW second(parameter_groups(b, {.weight_decay = 0.1}));
  second.load(first.state(), "checkpoint");
  train(a, first, 5, 9);
  train(b, second, 5, 9);
  CHECK(equal(state_dict(a), state_dict(b)));
  CHECK(equal(first.state(), second.state()));
  CHECK_THROWS_WITH(second.load({}, "checkpoint"), Contains("[load] checkpoint: 12 missing keys"));
}

TEST_CASE("adamw: nothing to train, a parameter twice and options out of range are refused") {
  at::Tensor w = at::zeros({2}).requires_grad_();
  CHECK_THROWS_AS(AdamW({}), std::invalid_argument);
  CHECK_THROWS_WITH(AdamW({{.names = {"a", "b"}, .parameters = {w, w}}}), Contains("'b' twice"));
  CHECK_THROWS_AS(AdamW({{.names = {"a", "b"}, .parameters = {w}}}), std::invalid_argument);
  CHECK_THROWS_AS(AdamW({{.names = {"a"}, .parameters = {w}}}, {.beta2 = 1}),
                  std::invalid_argument);
  CHECK_THROWS_AS(AdamW({{.names = {"a"}, .parameters = {w}}}, {.epsilon = 0}),
                  std::invalid_argument);
  CHECK_THROWS_AS(AdamW({{.names = {"a"}, .parameters = {w}, .weight_decay = -1}}),
                  std::invalid_argument);
}

TEST_CASE("layer decay: timm puts the final norm with the last block") {
  CHECK(vit_layer("norm.weight", 3) == 4);
  CHECK(vit_layer("norm.weight", 3, LayerRule::Timm) == 3);
  for (const char* name : {"pos_embed", "blocks.1.norm1.weight", "fc_norm.weight", "head.bias"})
    CHECK(vit_layer(name, 3, LayerRule::Timm) == vit_layer(name, 3));
}
