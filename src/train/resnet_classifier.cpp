#include "dermis/train/resnet_classifier.hpp"

#include "dermis/io/tensors.hpp"
#include "network.hpp"

namespace dermis {

ResNetClassifier train_resnet(const PixelSet& training, const Normalization& normalization,
                              ResNetOptions model, ClassifierOptions options,
                              const StageContext& context, const std::string& name,
                              TrainResult* result, const PixelSet* validation) {
  detail::check_validation(training, validation);
  check_argument(options.layer_decay == 1 && !options.checkpoint_activations,
                 "[resnet] expected layer_decay 1 and no checkpoint_activations, which a ResNet "
                 "does not have, got layer_decay ",
                 options.layer_decay);
  model.image_size = training.images.size(2);
  model.num_classes = static_cast<std::int64_t>(training.classes.size());
  ResNet network(model, first_weights(context, name));
  network->to(context.device);

  const auto sampler =
      stage_sampler(training, options.class_balanced, context, name, options.real_share);
  auto recorded = options_to_json(options);
  recorded["model"] = options_to_json(model);
  detail::NetworkTask task{
      .module = *network,
      .logits = [&](const at::Tensor& images,
                    const at::Generator&) { return network->forward(images); },
      .groups = parameter_groups(*network, {.weight_decay = options.training.weight_decay}),
      .configuration =
          stage_configuration("resnet", std::move(recorded), sampler, training,
                              {{"validation", detail::validation_fingerprint(validation)}})};
  if (validation)
    task.validate = [&] {
      return evaluate(ResNetClassifier{network, normalization, training.classes}, *validation)
          .balanced_accuracy.mean;
    };
  auto outcome = detail::train_network(std::move(task), training, normalization, options, sampler,
                                       context, name);
  if (result) *result = std::move(outcome);
  return {network, normalization, training.classes, training.preprocessing};
}

at::Tensor predict_logits(const ResNetClassifier& classifier, const at::Tensor& images,
                          std::int64_t batch_size) {
  check_argument(!classifier.model.is_empty(), "[classifier] expected a model, got none");
  auto model = classifier.model;  // the holder's constness would reach the module
  return detail::apply_network(*model, classifier.normalization, images, batch_size,
                               [&](const at::Tensor& x) { return model->forward(x); });
}

Eigen::MatrixXd predict_probabilities(const ResNetClassifier& classifier, const at::Tensor& images,
                                      std::int64_t views) {
  return detail::probabilities_of_views(
      [&](const at::Tensor& view) { return predict_logits(classifier, view); }, images, views);
}

void save_classifier(const std::filesystem::path& path, const ResNetClassifier& classifier) {
  save_model(path, *classifier.model, "resnet", options_to_json(classifier.model->options),
             detail::classifier_extra(classifier));
}

ResNetClassifier load_resnet_classifier(const std::filesystem::path& path, at::Device device) {
  const auto file = read_model_file(path, "resnet");
  ResNetOptions options;
  options_from_json(options, file.options, path.string());
  ResNet model(options, ParameterOptions{.init = false});
  load_state_dict(*model, file.tensors, path.string());
  model->to(device);
  model->eval();
  return detail::classifier_from_extra<ResNetClassifier>(model, file.extra, path.string());
}

}  // namespace dermis
