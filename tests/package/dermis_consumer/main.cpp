// Runs a small ViT, and one compiled function so that the static library is linked.
#include <ATen/Functions.h>

#include <iostream>

#include "dermis/data/pixels.hpp"
#include "dermis/models/vit.hpp"

int main() {
  dermis::ViT vit(dermis::ViTOptions{
      .image_size = 32, .patch_size = 8, .dim = 64, .depth = 2, .heads = 2, .num_classes = 8});
  const at::Tensor logits = vit->forward(at::zeros({2, 3, 32, 32}));
  const dermis::Image black = dermis::to_image(at::zeros({3, 4, 5}));
  std::cout << "logits " << logits.sizes() << '\n';
  return logits.sizes() == at::IntArrayRef({2, 8}) && black.width == 5 ? 0 : 1;
}
