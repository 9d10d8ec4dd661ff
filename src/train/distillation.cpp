#include "dermis/train/distillation.hpp"

#include "dermis/io/tensors.hpp"

namespace dermis {

ClassifierOptions without_teacher(const StudentOptions& options) {
  return {.model = options.model,
          .training = options.training,
          .augment = options.augment,
          .class_balanced = options.class_balanced,
          .real_share = options.real_share};
}

Classifier distill(const Classifier& teacher, const PixelSet& training, StudentOptions options,
                   const StageContext& context, const std::string& name, TrainResult* result) {
  check_argument(teacher.classes == training.classes,
                 "[distill] expected the teacher's classes and the data's to be the same, got ",
                 teacher.classes.size(), " and ", training.classes.size(), " classes");
  auto teacher_model = teacher.model;
  options.model.image_size = teacher_model->options.image_size;
  options.model.num_classes = teacher_model->options.num_classes;
  const auto parameters = first_weights(context, name);
  ViT student = options.layers.empty() ? ViT(options.model, parameters)
                                       : student_from_layers(teacher_model, options.layers);
  Distiller distiller(student, teacher_model, options.loss, parameters);
  distiller->to(context.device);

  const auto sampler =
      stage_sampler(training, options.class_balanced, context, name, options.real_share);
  const auto step = [&](const Batch& batch) -> StepLoss {
    const auto images = augmented(training, batch, options.augment, context.seed, "augment/" + name,
                                  context.device);
    const auto targets = training.labels.index_select(0, batch.indices).to(context.device);
    const auto terms = distiller->forward(teacher.normalization(images), targets, batch.generator);
    StepLoss loss{terms.total, {}};
    const auto log = [&](const char* key, const at::Tensor& term) {
      if (term.defined()) loss.values.emplace_back(key, term.item<double>());
    };
    log("kl", terms.kl);
    log("cross_entropy", terms.cross_entropy);
    log("logit_mse", terms.logit_mse);
    log("hidden_cosine", terms.hidden_cosine);
    return loss;
  };
  auto configuration = stage_configuration("student", options_to_json(options), sampler, training,
                                           {{"teacher", fingerprint(state_dict(*teacher_model))}});
  auto outcome = train(
      *distiller, parameter_groups(*distiller, {.weight_decay = options.training.weight_decay}),
      sampler, step, train_options(options.training, context, name, std::move(configuration)));
  if (result) *result = std::move(outcome);
  return {student, teacher.normalization, teacher.classes, training.preprocessing};
}

}  // namespace dermis
