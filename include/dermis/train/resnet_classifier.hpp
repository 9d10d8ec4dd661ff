#pragma once
/// \file
/// A residual network trained and applied as the ViT classifiers are: the convolutional control.

#include "dermis/models/resnet.hpp"
#include "dermis/train/classifier.hpp"

namespace dermis {

/// A ResNet with what is needed to apply it to raw pixels.
struct ResNetClassifier {
  ResNet model{nullptr};
  Normalization normalization;
  std::vector<std::string> classes;
  DermoscopyOptions preprocessing = {};  ///< of the images it was trained on, and is to be shown
};

/// Trains a ResNet from scratch on `training` as train_classifier() trains a ViT with the same
/// `options`: the same order, augmentation, mixup, loss, schedule and resume. Of `options`, `model`
/// is not used; image_size and num_classes of `model` are taken from the data. Throws
/// std::invalid_argument where the options ask for what only a ViT has (layer_decay other than 1,
/// checkpoint_activations), else as train_classifier.
///
///     auto size = resnet_of_size(parameter_count(*vit.model), {.small_stem = true,
///                                                              .num_classes = 8});
///     auto control = train_resnet(training, normalization, size, recipe.teacher, context,
///     "resnet");
ResNetClassifier train_resnet(const PixelSet& training, const Normalization& normalization,
                              ResNetOptions model, ClassifierOptions options,
                              const StageContext& context, const std::string& name,
                              TrainResult* result = nullptr, const PixelSet* validation = nullptr);

/// As for a Classifier.
at::Tensor predict_logits(const ResNetClassifier& classifier, const at::Tensor& images,
                          std::int64_t batch_size = 128);
Eigen::MatrixXd predict_probabilities(const ResNetClassifier& classifier, const at::Tensor& images,
                                      std::int64_t views = 1);
inline Evaluation evaluate(const ResNetClassifier& classifier, const PixelSet& set) {
  return evaluate(predict_probabilities(classifier, set.images), set);
}

/// A ResNet file with classes and normalisation; load_resnet_classifier throws std::runtime_error
/// on any other file.
void save_classifier(const std::filesystem::path& path, const ResNetClassifier& classifier);
ResNetClassifier load_resnet_classifier(const std::filesystem::path& path,
                                        at::Device device = at::kCPU);

}  // namespace dermis
