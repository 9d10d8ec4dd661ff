// A ViT learns from images of one's own. train() does all that surrounds the loss: order, learning
// rate, weight decay, checkpoints, metrics.jsonl, Ctrl-C.
#include <ATen/CPUGeneratorImpl.h>

#include <iostream>

#include "dermis/models/vit.hpp"
#include "dermis/train/loop.hpp"

using namespace dermis;

struct Bars {  // noise with a brighter left (class 0) or right (class 1) half
  Bars(std::int64_t size, at::Generator generator)
      : images(at::rand({size, 3, 16, 16}, generator)), labels(at::arange(size) % 2) {
    const at::Tensor right = 0.5 * labels.view({-1, 1, 1, 1});
    images.slice(3, 0, 8) += 0.5 - right;
    images.slice(3, 8, 16) += right;
  }
  at::Tensor images, labels;  // float [N, 3, 16, 16], int64 [N]
};

int main() {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const Bars training(256, generator), test(100, generator);
  ViT vit(
      ViTOptions{
          .image_size = 16, .patch_size = 4, .dim = 32, .depth = 2, .heads = 2, .num_classes = 2},
      ParameterOptions{.generator = generator});

  const auto step = [&](const Batch& batch) -> StepLoss {
    const auto logits = vit->forward(training.images.index_select(0, batch.indices));
    return {at::cross_entropy_loss(logits, training.labels.index_select(0, batch.indices))};
  };
  train(*vit, parameter_groups(*vit, {.weight_decay = 0.05}), Sampler::natural(256, 7, "bars"),
        step, {.directory = "bars", .steps = 60, .batch_size = 32, .learning_rate = 3e-3});

  const at::Tensor right = vit->forward(test.images).argmax(1) == test.labels;
  std::cout << right.sum().item<int>() << " of 100 new images are named rightly\n";
  return right.sum().item<int>() > 90 ? 0 : 1;
}
