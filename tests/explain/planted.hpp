#pragma once
/// \file
/// Classifiers whose answer is known to come from one place, and images for them.

#include "dermis/data/masks.hpp"
#include "dermis/train/resnet_classifier.hpp"

namespace dermis::test {

/// 16 x 16 pixels with a corner (upper left, 4 x 4) of brightness `corner` on grey `rest`.
inline at::Tensor corner_images(const std::vector<int>& corner, int rest) {
  auto images =
      torch::full({static_cast<std::int64_t>(corner.size()), 3, 16, 16}, rest, torch::kByte);
  for (std::size_t i = 0; i < corner.size(); ++i)
    images[static_cast<std::int64_t>(i)].slice(1, 0, 4).slice(2, 0, 4).fill_(corner[i]);
  return images;
}

/// The images with labels (bright corners are class 1) and the corner as mask.
inline MaskedSet corner_set(const std::vector<int>& corner, int rest) {
  MaskedSet data;
  data.set.classes = {"dark", "bright"};
  data.set.images = corner_images(corner, rest);
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < corner.size(); ++i) {
    Sample sample;
    sample.id = "image" + std::to_string(i);
    sample.label = corner[i] > 127;
    data.set.samples.push_back(sample);
    labels.push_back(sample.label);
  }
  data.set.labels = torch::tensor(labels, torch::kLong);
  data.masks = torch::zeros({data.set.size(), 16, 16}, torch::kByte);
  data.masks.slice(1, 0, 4).slice(2, 0, 4).fill_(1);
  return data;
}

/// A ViT of one block whose class token attends to the upper left patch alone and says how bright
/// that is. With `mean_pooling` every token attends so, and the head sees their mean.
inline Classifier corner_vit(bool mean_pooling = false) {
  const ViTOptions options{.image_size = 16,
                           .patch_size = 4,
                           .dim = 8,
                           .depth = 1,
                           .heads = 1,
                           .num_classes = 2,
                           .mean_pooling = mean_pooling};
  ViT vit(options);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : vit->parameters()) parameter.zero_();
  const auto set = [](at::Tensor values, double value) { values.fill_(value); };
  auto* block = vit->blocks[0]->as<TransformerBlockImpl>();
  for (auto& norm : {block->norm1, block->norm2, mean_pooling ? vit->fc_norm : vit->norm})
    set(norm->weight, 1);
  set(vit->patch_embed->proj->weight[0][0], 10.0 / 16);  // component 0: the patch's mean red
  set(vit->pos_embed.select(2, 2), 10);                  // component 2: any other patch
  set(vit->pos_embed[0][1], 0);
  set(vit->pos_embed[0][1][1], 10);  // component 1: the corner
  set(vit->pos_embed[0][0], 0);
  set(vit->pos_embed[0][0][3], 10);         // component 3: the class token
  set(block->attn->qkv->bias[0], 30);       // everybody asks for
  set(block->attn->qkv->weight[8][1], 1);   // the corner
  set(block->attn->qkv->weight[16][0], 1);  // and is told its brightness
  set(block->attn->proj->weight[0][0], 20);
  set(vit->head->weight[1][0], 5);
  vit->eval();
  return {vit, {}, {"dark", "bright"}};
}

/// A ResNet of one block whose only map is the red of the image, at its own resolution, and whose
/// answer is the map's mean.
inline ResNetClassifier red_resnet() {
  ResNet network(ResNetOptions{
      .image_size = 16, .widths = {1}, .depths = {1}, .small_stem = true, .num_classes = 2});
  const torch::NoGradGuard no_grad;
  network->conv1->weight.zero_();
  network->conv1->weight[0][0][1][1].fill_(1);
  network->fc->weight.zero_();
  network->fc->bias.zero_();
  network->fc->weight[1].fill_(40);
  network->fc->bias[1].fill_(-0.5);
  network->eval();
  return {network, {}, {"dark", "bright"}};
}

}  // namespace dermis::test
