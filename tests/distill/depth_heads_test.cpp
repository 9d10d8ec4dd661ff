#include "dermis/distill/depth_heads.hpp"

#include "support.hpp"

using namespace dermis;

namespace {
const ViTOptions tiny{
    .image_size = 16, .patch_size = 4, .dim = 16, .depth = 3, .heads = 2, .num_classes = 5};
}  // namespace

TEST_CASE("depth vit: clone, evaluation, batches and gradients behave") {
  DepthViT model(tiny, DepthHeadUse::Own, ParameterOptions{.generator = test::generator(1)});
  test::check_module<DepthViT>(
      model,
      [](DepthViT& m, const std::vector<at::Tensor>& x) {
        return m->forward(x[0]).transpose(0, 1).contiguous();  // batch first
      },
      {test::randn({2, 3, 16, 16}, 2)});
}

TEST_CASE("depth vit: every level has its features and its head, the last those of a plain ViT") {
  DepthViT model(tiny, DepthHeadUse::Own, ParameterOptions{.generator = test::generator(1)});
  model->eval();
  const auto images = test::randn({2, 3, 16, 16}, 2);
  const auto logits = model->forward(images);
  REQUIRE(logits.sizes() == at::IntArrayRef({3, 2, 5}));
  const auto head = [&](std::size_t i) { return model->heads[i]->as<LinearImpl>(); };
  const auto features = model->vit->forward_features(images, {.hidden_states = true});
  CHECK(at::allclose(logits[2], head(2)->forward(features.pooled)));
  const auto borrowed =
      model->vit->blocks[1]->as<TransformerBlockImpl>()->norm1->forward(features.hidden_states[1]);
  CHECK(at::allclose(logits[0], head(0)->forward(borrowed.select(1, 0))));

  model->use = DepthHeadUse::Last;
  const auto shared = model->forward(images);
  CHECK(at::equal(shared[2], logits[2]));
  CHECK(at::allclose(shared[0], head(2)->forward(borrowed.select(1, 0))));
}

TEST_CASE("depth vit: losses by level, and agreement with the level above") {
  const auto logits = test::randn({3, 4, 5}, 3);
  const auto labels = torch::tensor({0, 4, 2, 2});
  const auto terms = depth_cross_entropy(logits, labels);
  REQUIRE(terms.sizes() == at::IntArrayRef({3}));
  CHECK(at::allclose(terms[1], at::cross_entropy_loss(logits[1], labels)));

  const auto divergence = [&](std::int64_t level) {  // KL(above || level), mean over the batch
    const auto p = at::softmax(logits[level + 1], -1), q = at::softmax(logits[level], -1);
    return (p * (p / q).log()).sum() / 4;
  };
  CHECK(at::allclose(depth_agreement_loss(logits, labels, 0), terms[2]));
  CHECK(at::allclose(depth_agreement_loss(logits, labels, 2),
                     terms[2] + 50 * (divergence(1) + divergence(0))));
  CHECK(at::allclose(depth_agreement_loss(logits, labels, 1, /*weight=*/2),
                     terms[2] + 2 * divergence(1)));

  auto leaf = logits.clone().requires_grad_();  // the level above is held fixed
  depth_agreement_loss(leaf, labels, 1).backward();
  auto plain = logits.clone().requires_grad_();
  depth_agreement_loss(plain, labels, 0).backward();
  CHECK(at::allclose(leaf.grad()[2], plain.grad()[2]));
  CHECK(leaf.grad()[1].abs().max().item<double>() > 0);
  CHECK(leaf.grad()[0].abs().max().item<double>() == 0);
}

TEST_CASE("depth vit: what cannot be is one clear error") {
  auto options = tiny;
  options.num_classes = 0;
  CHECK_THROWS_WITH(DepthViT(options), Catch::Contains("num_classes above 0"));
  options = tiny;
  options.mean_pooling = true;
  CHECK_THROWS_WITH(DepthViT(options), Catch::Contains("mean_pooling"));
  DepthViT model(tiny);
  CHECK_THROWS_WITH(model->classify({}), Catch::Contains("4 hidden states, got 0"));
  const auto labels = torch::tensor({0});
  CHECK_THROWS_WITH(depth_cross_entropy(torch::zeros({1, 5}), labels),
                    Catch::Contains("[levels, B, C], got [1, 5]"));
  CHECK_THROWS_WITH(depth_agreement_loss(torch::zeros({3, 1, 5}), labels, 3),
                    Catch::Contains("0 to 2 levels below the last, got 3"));
  CHECK_THROWS_WITH(depth_agreement_loss(torch::zeros({1, 5}), labels, 0),
                    Catch::Contains("[levels, B, C]"));
}
