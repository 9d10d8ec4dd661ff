#pragma once
/// \file
/// Private to src/train: what training and applying a classifier have in common, whatever the
/// network.

#include "dermis/train/classifier.hpp"

namespace dermis::detail {

/// A network to be trained as a classifier.
struct NetworkTask {
  torch::nn::Module& module;
  /// Logits [B, C] of normalised images [B, 3, S, S]; the generator decides what is dropped.
  std::function<at::Tensor(const at::Tensor& images, const at::Generator& generator)> logits;
  std::vector<ParameterGroup> groups;
  Json configuration;                ///< what must agree on resume beside seed and schedule
  std::function<double()> validate;  ///< TrainHooks::validate; empty without validation part
};

/// Trains `task.module` as `options` say; of these, model, layer_decay and checkpoint_activations
/// are the caller's.
TrainResult train_network(NetworkTask task, const PixelSet& training,
                          const Normalization& normalization, const ClassifierOptions& options,
                          const Sampler& sampler, const StageContext& context,
                          const std::string& name);

/// Throws std::invalid_argument unless `validation` (null: none) has the classes of `training`.
void check_validation(const PixelSet& training, const PixelSet* validation);

/// The values of "validation" in a stage's configuration.
std::string validation_fingerprint(const PixelSet* validation);

/// Rows of `compute(normalised float images)` for all images, on the CPU; `module` is put into
/// evaluation mode.
at::Tensor apply_network(torch::nn::Module& module, const Normalization& normalization,
                         const at::Tensor& images, std::int64_t batch_size,
                         const std::function<at::Tensor(const at::Tensor& images)>& compute);

/// Mean over 1, 2 or 8 views of the softmax of `logits(images)`: [N, C].
Eigen::MatrixXd probabilities_of_views(
    const std::function<at::Tensor(const at::Tensor& images)>& logits, const at::Tensor& images,
    std::int64_t views);

/// The part of a classifier's file that does not depend on the network.
template <class AnyClassifier>
Json classifier_extra(const AnyClassifier& classifier) {
  return Json::object({{"classes", classifier.classes},
                       {"normalization", to_json(classifier.normalization)},
                       {"preprocessing", options_to_json(classifier.preprocessing)}});
}

/// A classifier of `model`, with what classifier_extra() stored.
template <class AnyClassifier, class Network>
AnyClassifier classifier_from_extra(Network model, const Json& extra, const std::string& source) {
  AnyClassifier classifier{model, normalization_from_json(extra.at("normalization")),
                           extra.at("classes").template get<std::vector<std::string>>()};
  if (extra.contains("preprocessing"))
    options_from_json(classifier.preprocessing, extra.at("preprocessing"), source);
  return classifier;
}

}  // namespace dermis::detail
