#include "dermis/layers/adapters.hpp"

#include <torch/optim/sgd.h>

#include "dermis/models/flux.hpp"
#include "dermis/models/unet.hpp"
#include "dermis/models/vit.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

ViT small_vit() {
  return ViT(
      ViTOptions{
          .image_size = 16, .patch_size = 8, .dim = 12, .depth = 2, .heads = 2, .num_classes = 3},
      ParameterOptions{.generator = test::generator(1)});
}

std::vector<std::string> trainable(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& item : module.named_parameters())
    if (item.value().requires_grad()) names.push_back(item.key());
  return names;
}

/// B starts at zero; this makes adapters show.
void stir(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  auto noise = test::generator(9);
  for (const auto& [path, linear] : linear_layers(module))
    if (linear->low_rank().enabled()) linear->lora_B.normal_(0, 0.3, noise);
}

const auto images = randn({2, 3, 16, 16}, 3);

}  // namespace

TEST_CASE("adapters: patterns match the end of a path, component by component") {
  CHECK(matches_path("blocks.3.attn.qkv", "attn.qkv"));
  CHECK(matches_path("blocks.3.attn.qkv", "blocks.*.attn.*"));
  CHECK(matches_path("head", "*"));
  CHECK_FALSE(matches_path("blocks.3.attn.qkv", "ttn.qkv"));
  CHECK_FALSE(matches_path("blocks.3.attn.qkv", "blocks.4.attn.qkv"));
  CHECK_FALSE(matches_path("qkv", "attn.qkv"));
}

TEST_CASE("adapters: change nothing at first, and only they (and what is named) train") {
  auto vit = small_vit();
  const auto before = vit->forward(images);
  const auto layers =
      add_low_rank(*vit, {"attn.qkv"}, {.rank = 2, .alpha = 4}, test::generator(2), {"head.*"});
  CHECK(layers == std::vector<std::string>{"blocks.0.attn.qkv", "blocks.1.attn.qkv"});
  CHECK(at::equal(vit->forward(images), before));
  CHECK(trainable(*vit).size() == 6);
  for (const auto& name : trainable(*vit))
    CHECK((name.find(".lora_") != std::string::npos || name.rfind("head.", 0) == 0));

  const auto weights = vit->blocks[0]->as<TransformerBlock>()->attn->qkv->weight.clone();
  torch::optim::SGD optimizer(vit->parameters(), 0.5);
  vit->forward(images).square().sum().backward();
  optimizer.step();
  CHECK(difference(vit->forward(images), before) > 1e-4);
  CHECK(at::equal(vit->blocks[0]->as<TransformerBlock>()->attn->qkv->weight, weights));
}

TEST_CASE("adapters: merged, unmerged and folded models answer alike") {
  auto vit = small_vit();
  const torch::NoGradGuard no_grad;
  const auto base = vit->forward(images);
  add_low_rank(*vit, {"*"}, {.rank = 2, .alpha = 3}, test::generator(2));
  stir(*vit);
  const auto adapted = vit->forward(images);
  CHECK(difference(adapted, base) > 1e-2);
  merge_low_rank(*vit);
  merge_low_rank(*vit);  // the second does nothing
  CHECK(difference(vit->forward(images), adapted) < 1e-5);
  const auto copy = std::dynamic_pointer_cast<ViTImpl>(vit->clone());
  CHECK(at::equal(copy->forward(images), vit->forward(images)));
  unmerge_low_rank(*vit);
  CHECK(difference(vit->forward(images), adapted) < 1e-5);
  set_low_rank_strength(*vit, 0);
  CHECK(difference(vit->forward(images), base) < 1e-5);
  set_low_rank_strength(*vit, 1);
  fold_low_rank(*vit);
  CHECK(difference(vit->forward(images), adapted) < 1e-5);
  CHECK(vit->named_parameters().keys() == small_vit()->named_parameters().keys());
}

TEST_CASE("adapters: of Flux and of the UNet's attention") {
  Flux flux(flux_dev(), ParameterOptions{.device = at::kMeta});
  CHECK(add_low_rank(*flux, flux_adapter_layers(), {.rank = 64, .alpha = 64}).size() == 304);
  std::int64_t trained = 0;
  for (const auto& parameter : flux->parameters())
    if (parameter.requires_grad()) trained += parameter.numel();
  CHECK(trained == 306'315'264);  // DermaFlux's adapter of rank 64

  UNet unet(UNetOptions{.in_channels = 2,
                        .out_channels = 2,
                        .channels = {8, 16},
                        .layers_per_block = 1,
                        .attention = {0, 1},
                        .head_dim = 8,
                        .norm_groups = 4});
  CHECK(add_low_rank(*unet, {"to_q", "to_k", "to_v", "to_out.0"}, {.rank = 2}).size() % 4 == 0);
}

TEST_CASE("adapters: rank-stabilised scale, dropout from a given generator in training alone") {
  CHECK(LowRankOptions{.rank = 16, .alpha = 8}.scale() == 0.5);
  CHECK(LowRankOptions{.rank = 16, .alpha = 8, .rank_stabilised = true}.scale() == 2);
  auto vit = small_vit();
  add_low_rank(*vit, {"mlp.fc1"}, {.rank = 4, .alpha = 4, .dropout = 0.5}, test::generator(2));
  stir(*vit);
  vit->eval();
  const auto whole = vit->forward(images);
  vit->train();
  CHECK_THROWS_WITH(vit->forward(images), Catch::Contains("set_low_rank_generator"));
  const auto at_step = [&](std::uint64_t step) {
    set_low_rank_generator(*vit, test::generator(step));
    return vit->forward(images);
  };
  CHECK(at::equal(at_step(1), at_step(1)));
  CHECK(difference(at_step(1), at_step(2)) > 0);
  CHECK(difference(at_step(1), whole) > 0);
  vit->eval();
  CHECK(at::equal(vit->forward(images), whole));
}

TEST_CASE("adapters: weights in bf16 take adapters in fp32") {
  Linear layer(8, 6, true,
               ParameterOptions{.dtype = at::kBFloat16, .generator = test::generator(1)});
  layer->add_low_rank({.rank = 2, .alpha = 2}, test::generator(2), at::kFloat);
  CHECK(layer->lora_A.scalar_type() == at::kFloat);
  const auto x = randn({3, 8}).to(at::kBFloat16);
  CHECK(layer->forward(x).scalar_type() == at::kBFloat16);
  layer->forward(x).sum().backward();
  CHECK(layer->lora_B.grad().scalar_type() == at::kFloat);
  const auto copy = std::dynamic_pointer_cast<LinearImpl>(layer->clone());
  CHECK(copy->lora_A.scalar_type() == at::kFloat);
}

TEST_CASE("adapters: what cannot be is refused before anything changes") {
  auto vit = small_vit();
  using Catch::Contains;
  CHECK_THROWS_WITH(add_low_rank(*vit, {"attn.qkv", "to_q"}, {.rank = 2}),
                    Contains("'to_q' to match one of the Linear layers") && Contains("attn.qkv"));
  CHECK_THROWS_WITH(add_low_rank(*vit, {}, {.rank = 2}), Contains("got none"));
  CHECK_THROWS_WITH(add_low_rank(*vit, {"*"}, {.rank = 5}),
                    Contains("head: expected a rank in 1..3, got 5"));
  CHECK_THROWS_WITH(add_low_rank(*vit, {"attn.qkv"}, {.rank = 2}, {}, {"tail.*"}),
                    Contains("'tail.*' to match one of the parameters"));
  CHECK(trainable(*vit).size() == vit->parameters().size());
  add_low_rank(*vit, {"attn.qkv"}, {.rank = 2});
  CHECK_THROWS_WITH(add_low_rank(*vit, {"attn.*"}, {.rank = 2}),
                    Contains("blocks.0.attn.qkv: this layer already has"));
  CHECK_THROWS_WITH(Linear(4, 4)->add_low_rank({.rank = 1, .dropout = 1.0}),
                    Contains("dropout in [0, 1)"));
  CHECK_THROWS_WITH(Linear(4, 3)->add_low_rank({}, randn({2, 4}), randn({3, 3})),
                    Contains("[r, 4] and [3, r], got [2, 4] and [3, 3]"));
}
