#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/explain/attention_maps.hpp"
#include "dermis/explain/grad_cam.hpp"
#include "planted.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("Grad-CAM: weights are mean gradients, what speaks against the class is cut") {
  const auto maps = torch::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({1, 2, 1, 2});
  const auto gradients = torch::tensor({2.0F, 4.0F, -1.0F, -3.0F}).view({1, 2, 1, 2});
  // alpha = 3, -2: 3 - 6 and 6 - 8.
  CHECK(grad_cam(maps, gradients).eq(0).all().item<bool>());
  CHECK(difference(grad_cam(maps, -gradients), torch::tensor({3.0F, 2.0F}).view({1, 1, 2})) < 1e-6);
  CHECK_THROWS_WITH(grad_cam(maps, gradients[0]), Contains("[B, K, h, w]"));
}

TEST_CASE("Grad-CAM: of a ResNet is its class activation map") {
  ResNet network(ResNetOptions{.image_size = 16,
                               .widths = {4, 6},
                               .depths = {1, 1},
                               .small_stem = true,
                               .num_classes = 3},
                 ParameterOptions{.generator = generator(1)});
  const ResNetClassifier classifier{network, {}, {"a", "b", "c"}};
  const auto images = (randn({3, 3, 16, 16}, 2) * 50 + 128).clamp(0, 255).to(torch::kByte);
  const std::vector<int> classes = {2, 0, 1};
  const auto found = grad_cam(classifier, images, classes, 2);
  network->eval();
  const torch::NoGradGuard no_grad;
  const auto maps = network->forward_maps(classifier.normalization(images));
  for (std::int64_t i = 0; i < 3; ++i) {
    // After a mean over positions and a linear layer the gradient is the layer's row over their
    // number (Selvaraju et al., section 3.1).
    const auto weights = network->fc->weight[classes[static_cast<std::size_t>(i)]];
    const auto cam = at::relu((weights.view({-1, 1, 1}) * maps[i]).sum(0)) / (8 * 8);
    CHECK(difference(found[i], enlarged(cam.unsqueeze(0), 16, 16)[0]) < 1e-6);
  }
}

TEST_CASE("Grad-CAM: of a ViT by the last block written out") {
  for (const bool mean_pooling : {false, true}) {
    ViT vit(ViTOptions{.image_size = 16,
                       .patch_size = 4,
                       .dim = 16,
                       .depth = 2,
                       .heads = 2,
                       .num_classes = 3,
                       .mean_pooling = mean_pooling},
            ParameterOptions{.generator = generator(1)});
    {
      const torch::NoGradGuard no_grad;  // the head starts near zero
      vit->head->weight.copy_(randn({3, 16}, 2));
    }
    freeze(*vit);
    const Classifier classifier{vit, {}, {"a", "b", "c"}};
    const auto images = (randn({2, 3, 16, 16}, 3) * 50 + 128).clamp(0, 255).to(torch::kByte);
    const auto found = grad_cam(classifier, images, {1, 2});

    const auto hidden =
        vit->forward_features(classifier.normalization(images), {.hidden_states = true})
            .hidden_states[1];
    auto* block = vit->blocks[1]->as<TransformerBlockImpl>();
    const auto entering = block->norm1->forward(hidden).detach().requires_grad_();
    const auto y = hidden + block->attn->forward(entering);
    const auto x = y + block->mlp->forward(block->norm2->forward(y));
    const auto pooled = mean_pooling ? vit->fc_norm->forward(x.slice(1, 1).mean(1))
                                     : vit->norm->forward(x).select(1, 0);
    const auto logits = vit->classify(pooled);
    (logits[0][1] + logits[1][2]).backward();
    const auto as_maps = [](const at::Tensor& tokens) {
      return tokens.slice(1, 1).transpose(1, 2).reshape({2, 16, 4, 4});
    };
    const auto cam = grad_cam(as_maps(entering.detach()), as_maps(entering.grad()));
    CHECK(cam.max().item<float>() > 0);
    CHECK(difference(found, enlarged(cam, 16, 16)) <= 1e-5 * cam.max().item<double>());
  }
}

TEST_CASE("Grad-CAM: errors say what was expected, and no gradient is left behind") {
  const auto classifier = red_resnet();
  const auto images = corner_images({200, 10}, 50);
  CHECK_THROWS_WITH(grad_cam(classifier, images, {1}), Contains("each of 2 images, got 1"));
  CHECK_THROWS_WITH(grad_cam(classifier, images, {1, -1}), Contains("classes in 0 .. 1"));
  CHECK_THROWS_WITH(grad_cam(ResNetClassifier{}, images, {1, 1}), Contains("a model, got none"));
  const auto vit = corner_vit();
  grad_cam(vit, images, {1, 1});
  for (const auto& parameter : vit.model.ptr()->parameters())
    CHECK_FALSE(parameter.grad().defined());
}
