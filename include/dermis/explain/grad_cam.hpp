#pragma once
/// \file
/// Grad-CAM (Selvaraju et al., arXiv 1610.02391): which positions of a layer's maps raise the logit
/// of a class.

#include "dermis/train/resnet_classifier.hpp"

namespace dermis {

/// ReLU(sum_k alpha_k A_k), alpha_k the mean over positions of the gradient (equations 1 and 2).
/// \param maps       A, what a layer answered, [B, K, h, w]
/// \param gradients  of the class's logit by A, the same shape
/// \return [B, h, w], not negative; all 0 where nothing speaks for the class
/// \throws std::invalid_argument for another shape
at::Tensor grad_cam(const at::Tensor& maps, const at::Tensor& gradients);

/// Maps [N, S, S] on the CPU of uint8 images [N, 3, S, S] for the class `classes[i]` of each, at
/// the last stage of a ResNet. Throws std::invalid_argument for classes that are not as many as the
/// images or that the model does not know, or without a model.
at::Tensor grad_cam(const ResNetClassifier& classifier, const at::Tensor& images,
                    const std::vector<int>& classes, std::int64_t batch_size = 64);

/// The same at the patch tokens that enter the last attention (the last block's first norm, as
/// pytorch-grad-cam takes them for a ViT): behind it a class token alone, if it is what the head
/// sees, would have a gradient.
at::Tensor grad_cam(const Classifier& classifier, const at::Tensor& images,
                    const std::vector<int>& classes, std::int64_t batch_size = 64);

}  // namespace dermis
