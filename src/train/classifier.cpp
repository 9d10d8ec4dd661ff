#include "dermis/train/classifier.hpp"

#include <algorithm>
#include <chrono>

#include "dermis/io/tensors.hpp"
#include "dermis/metrics/calibration.hpp"
#include "network.hpp"

namespace dermis {

Classifier train_classifier(const PixelSet& training, const Normalization& normalization,
                            ClassifierOptions options, const StageContext& context,
                            const std::string& name, TrainResult* result, const Encoder& encoder,
                            const PixelSet* validation) {
  detail::check_validation(training, validation);
  options.model.image_size = training.images.size(2);
  options.model.num_classes = static_cast<std::int64_t>(training.classes.size());
  ViT model(options.model, first_weights(context, name));
  if (encoder.module) copy_encoder(*encoder.module, encoder.options, model);
  model->to(context.device);
  model->checkpoint_activations = options.checkpoint_activations;

  const auto sampler =
      stage_sampler(training, options.class_balanced, context, name, options.real_share);
  detail::NetworkTask task{
      .module = *model,
      .logits = [&](const at::Tensor& images,
                    const at::Generator& generator) { return model->forward(images, generator); },
      .groups = layer_decay_groups(*model, options.training.weight_decay, options.layer_decay,
                                   options.model.depth),
      .configuration = stage_configuration(
          "classifier", options_to_json(options), sampler, training,
          {{"encoder", encoder.module ? fingerprint(state_dict(*encoder.module)) : "none"},
           {"validation", detail::validation_fingerprint(validation)}})};
  if (validation)
    task.validate = [&] {
      return evaluate(Classifier{model, normalization, training.classes}, *validation)
          .balanced_accuracy.mean;
    };
  auto outcome = detail::train_network(std::move(task), training, normalization, options, sampler,
                                       context, name);
  if (result) *result = std::move(outcome);
  return {model, normalization, training.classes, training.preprocessing};
}

ClassifierOptions mae_finetuning(ViTOptions model) {
  const bool base = model.depth <= 12;
  model.mean_pooling = true;
  model.drop_path = base ? 0.1 : model.depth <= 24 ? 0.2 : 0.3;
  return {.model = model,
          .training = {.batch_size = 256,
                       .learning_rate = base ? 5e-4 : 1e-3,
                       .minimum_learning_rate = 1e-6,
                       .weight_decay = 0.05},
          .layer_decay = base ? 0.65 : 0.75};
}

namespace {

/// Rows of `compute(normalised float images)` for all images, on the CPU.
template <class Compute>
at::Tensor apply(const Classifier& classifier, const at::Tensor& images, std::int64_t batch_size,
                 Compute compute) {
  check_argument(!classifier.model.is_empty(), "[classifier] expected a model, got none");
  auto model = classifier.model;  // the holder's constness would reach the module
  return detail::apply_network(*model, classifier.normalization, images, batch_size,
                               [&](const at::Tensor& x) { return compute(model, x); });
}

}  // namespace

at::Tensor predict_logits(const Classifier& classifier, const at::Tensor& images,
                          std::int64_t batch_size) {
  return apply(classifier, images, batch_size,
               [](ViT& model, const at::Tensor& x) { return model->forward(x); });
}

Eigen::MatrixXd predict_probabilities(const Classifier& classifier, const at::Tensor& images,
                                      std::int64_t views) {
  return detail::probabilities_of_views(
      [&](const at::Tensor& view) { return predict_logits(classifier, view); }, images, views);
}

Eigen::MatrixXd predict_probabilities(const std::vector<Classifier>& ensemble,
                                      const at::Tensor& images, std::int64_t views) {
  check_argument(!ensemble.empty(), "[classifier] expected an ensemble of at least 1, got none");
  Eigen::MatrixXd sum = predict_probabilities(ensemble[0], images, views);
  for (std::size_t i = 1; i < ensemble.size(); ++i) {
    check_argument(ensemble[i].classes == ensemble[0].classes,
                   "[classifier] expected an ensemble with the same classes in the same order; ",
                   "member ", i, " has others than member 0");
    sum += predict_probabilities(ensemble[i], images, views);
  }
  return sum / static_cast<double>(ensemble.size());
}

Eigen::MatrixXd encoder_features(const Classifier& classifier, const at::Tensor& images) {
  return to_eigen(apply(classifier, images, 128, [](ViT& model, const at::Tensor& x) {
    return model->forward_features(x).pooled;
  }));
}

Eigen::MatrixXd to_eigen(const at::Tensor& matrix) {
  const auto values = matrix.to(at::kCPU, at::kDouble).contiguous();
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(values.const_data_ptr<double>(), values.size(0),
                                    values.size(1));
}

Evaluation evaluate(const Eigen::MatrixXd& probabilities, const PixelSet& set) {
  Evaluation e;
  e.classes = set.classes;
  e.probabilities = probabilities;
  e.labels = labels_of(set);
  e.lesions = lesions_of(set);
  e.predictions = predict_labels(probabilities);
  e.balanced_accuracy = balanced_accuracy_interval(e.labels, e.predictions, e.lesions);
  e.accuracy = accuracy(e.labels, e.predictions);
  e.macro_auc = macro_auc(e.labels, probabilities);
  e.calibration_error = expected_calibration_error(probabilities, e.labels);
  e.per_class = per_class(e.labels, e.predictions, static_cast<int>(set.classes.size()));
  return e;
}

Json to_json(const Evaluation& e) {
  Json recall = Json::object(), precision = Json::object(), f1 = Json::object(),
       confusion = Json::array();
  for (std::size_t c = 0; c < e.classes.size(); ++c) {
    recall[e.classes[c]] = e.per_class.recall[c];
    precision[e.classes[c]] = e.per_class.precision[c];
    f1[e.classes[c]] = e.per_class.f1[c];
  }
  const auto matrix = confusion_matrix(e.labels, e.predictions, static_cast<int>(e.classes.size()));
  for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
    std::vector<int> row(static_cast<std::size_t>(matrix.cols()));
    for (Eigen::Index c = 0; c < matrix.cols(); ++c)
      row[static_cast<std::size_t>(c)] = matrix(r, c);
    confusion.push_back(Json(row));
  }
  return Json::object({{"balanced_accuracy", to_json(e.balanced_accuracy)},
                       {"accuracy", e.accuracy},
                       {"macro_auc", e.macro_auc},
                       {"calibration_error", e.calibration_error},
                       {"per_class_recall", recall},
                       {"per_class_precision", precision},
                       {"per_class_f1", f1},
                       {"confusion", confusion}});
}

double latency_ms(const Classifier& classifier, std::int64_t batch_size, int repeats) {
  check_argument(batch_size >= 1 && repeats >= 1,
                 "[classifier] expected batch_size and repeats of at least 1, got ", batch_size,
                 " and ", repeats);
  torch::NoGradGuard no_grad;
  auto model = classifier.model;
  model->eval();
  const auto& o = model->options;
  const auto images = torch::zeros({batch_size, o.in_channels, o.image_size, o.image_size},
                                   model->cls_token.options());
  std::vector<double> times;
  for (int i = -5; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    model->forward(images);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    if (i >= 0) times.push_back(elapsed.count());
  }
  std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
  return times[static_cast<std::size_t>(repeats / 2)];
}

Json to_json(const Normalization& n) {
  return Json::object({{"mean", n.mean}, {"std", n.std}});
}

Normalization normalization_from_json(const Json& json) {
  return {json.at("mean").get<std::vector<double>>(), json.at("std").get<std::vector<double>>()};
}

void save_classifier(const std::filesystem::path& path, const Classifier& classifier) {
  save_model(path, *classifier.model, "vit", options_to_json(classifier.model->options),
             detail::classifier_extra(classifier));
}

Classifier load_classifier(const std::filesystem::path& path, at::Device device) {
  const auto file = read_model_file(path, "vit");
  ViTOptions options;
  options_from_json(options, file.options, path.string());
  ViT model(options, ParameterOptions{.init = false});
  load_state_dict(*model, file.tensors, path.string());
  model->to(device);
  model->eval();
  return detail::classifier_from_extra<Classifier>(model, file.extra, path.string());
}

}  // namespace dermis
