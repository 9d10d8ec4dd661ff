#include "dermis/train/distillation.hpp"

#include "dermis/io/tensors.hpp"
#include "dermis/train/teacher_cache.hpp"

namespace dermis {

ClassifierOptions without_teacher(const StudentOptions& options) {
  return {.model = options.model,
          .training = options.training,
          .recipe = options.recipe,
          .augment = options.augment,
          .class_balanced = options.class_balanced,
          .real_share = options.real_share};
}

namespace {

/// Shape of the hidden state that is kept of a view; empty where none is asked for.
std::vector<std::int64_t> hidden_shape(const DistillationOptions& loss, const ViTOptions& teacher) {
  if (loss.hidden_cosine == 0) return {};
  const bool one = loss.hidden_tokens == HiddenTokens::Class;
  return {one ? 1 : 1 + teacher.patches(), teacher.dim};
}

}  // namespace

Classifier distill(const Classifier& teacher, const PixelSet& training, StudentOptions options,
                   const StageContext& context, const std::string& name, TrainResult* result,
                   const Classifier* initial) {
  check_argument(teacher.classes == training.classes,
                 "[distill] expected the teacher's classes and the data's to be the same, got ",
                 teacher.classes.size(), " and ", training.classes.size(), " classes");
  auto teacher_model = teacher.model;
  options.model.image_size = teacher_model->options.image_size;
  options.model.num_classes = teacher_model->options.num_classes;
  const auto parameters = first_weights(context, name);
  const auto& first = initial ? *initial : teacher;
  ViT student = options.layers.empty() ? ViT(options.model, parameters)
                                       : student_from_layers(first.model, options.layers);
  Distiller distiller(student, teacher_model, options.loss, parameters);
  distiller->to(context.device);

  const StageViews views{options.views.empty() ? name : options.views,
                         {options.recipe, options.augment, teacher.normalization}};
  const auto sampler =
      stage_sampler(training, options.class_balanced, context, views.name, options.real_share);
  auto cache = teacher_cache(distiller->teacher(), training, views, sampler, options.training,
                             context, hidden_shape(options.loss, teacher_model->options));
  const auto step = [&](const Batch& batch) -> StepLoss {
    const auto images = teacher.normalization(views(training, batch, context));
    const auto targets = training.labels.index_select(0, batch.indices).to(context.device);
    const auto answers = answers_to(cache, training, batch, context.device,
                                    [&] { return distiller->ask_teacher(images); });
    const auto terms = distiller->forward(images, targets, answers, batch.generator);
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
                                           {{"teacher", fingerprint(state_dict(*teacher_model))},
                                            {"initial", fingerprint(state_dict(*first.model))}});
  auto outcome = train(
      *distiller, parameter_groups(*distiller, {.weight_decay = options.training.weight_decay}),
      sampler, step, train_options(options.training, context, name, std::move(configuration)));
  cache.save();
  if (result) *result = std::move(outcome);
  return {student, teacher.normalization, teacher.classes, training.preprocessing};
}

}  // namespace dermis
