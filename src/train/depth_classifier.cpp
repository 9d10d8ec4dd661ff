#include "dermis/train/depth_classifier.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/io/tensors.hpp"
#include "dermis/metrics/calibration.hpp"
#include "dermis/train/teacher_cache.hpp"

namespace dermis {

std::string name(AgreementGrowth growth) {
  return growth == AgreementGrowth::Steps       ? "steps"
         : growth == AgreementGrowth::Published ? "published"
                                                : "all";
}

void from_name(AgreementGrowth& growth, const std::string& text) {
  for (const auto candidate :
       {AgreementGrowth::Steps, AgreementGrowth::Published, AgreementGrowth::All}) {
    if (name(candidate) != text) continue;
    growth = candidate;
    return;
  }
  check_argument(false, "[depth classifier] expected growth steps, published or all, got ", text);
}

std::int64_t agreeing_levels(AgreementGrowth growth, std::int64_t step, double warmup_steps,
                             std::int64_t steps, std::int64_t depth) {
  check_argument(step >= 0 && warmup_steps >= 0 && steps >= 1 && depth >= 1,
                 "[depth classifier] expected step and warmup_steps of at least 0, steps and depth "
                 "of at least 1, got ",
                 step, ", ", warmup_steps, ", ", steps, " and ", depth);
  if (growth == AgreementGrowth::All) return depth - 1;
  const auto warmup = std::floor(warmup_steps);
  if (growth == AgreementGrowth::Published && warmup != warmup_steps) return 0;
  const auto since = step - static_cast<std::int64_t>(warmup);
  if (since < 0) return 0;
  const auto interval = std::max<std::int64_t>(1, steps / depth);
  return std::min(depth - 1, 1 + since / interval);
}

DepthLossOptions fcvit_loss() {
  return {};
}

DepthLossOptions fcvit_probs_loss(AgreementGrowth growth) {
  return {.heads = DepthHeadUse::Last, .last_level_only = true, .agreement = 50, .growth = growth};
}

DepthLossOptions combined_depth_loss() {
  return {.terms = {.temperature = 2, .kl = 0.5, .cross_entropy = 1},
          .agreement = 1,
          .growth = AgreementGrowth::All};
}

namespace {

bool asks_teacher(const DepthLossOptions& loss) {
  return loss.terms.kl != 0 || loss.terms.logit_mse != 0;
}

void check(const DepthLossOptions& loss, const PixelSet& training, const DepthStart& start) {
  check_argument(
      loss.terms.hidden_cosine == 0,
      "[depth classifier] expected hidden_cosine 0: hidden states of one depth have none "
      "of the other to be compared with");
  check_argument(!asks_teacher(loss) || start.teacher,
                 "[depth classifier] expected a teacher for the terms kl and logit_mse");
  check_argument(!start.initial || !start.encoder.module,
                 "[depth classifier] expected an encoder or an initial classifier, not both");
  for (const auto* other : {start.teacher, start.initial})
    check_argument(!other || other->classes == training.classes,
                   "[depth classifier] expected teacher and initial classifier to have the data's "
                   "classes");
}

DepthViT first_model(const DepthClassifierOptions& options, const StageContext& context,
                     const std::string& name, const DepthStart& start) {
  DepthViT model(options.model, options.loss.heads, first_weights(context, name));
  if (start.encoder.module) copy_encoder(*start.encoder.module, start.encoder.options, model->vit);
  if (start.initial) {
    auto vit = start.initial->model;
    copy_encoder(*vit, vit->options, model->vit);
    torch::NoGradGuard no_grad;
    for (const auto& head : *model->heads) {
      head->as<LinearImpl>()->weight.copy_(vit->head->weight);
      head->as<LinearImpl>()->bias.copy_(vit->head->bias);
    }
  }
  model->to(context.device);
  return model;
}

/// The loss of one batch. `answers` [B, C]: the teacher's logits, undefined without one.
StepLoss depth_loss(const DepthLossOptions& loss, const at::Tensor& logits,
                    const at::Tensor& answers, const at::Tensor& labels, std::int64_t agreeing) {
  const auto last = logits.size(0) - 1;
  at::Tensor total;
  for (auto level = loss.last_level_only ? last : 0; level <= last; ++level) {
    const auto terms = distillation_terms(loss.terms, logits[level], answers, labels);
    check_argument(terms.total.defined(),
                   "[depth classifier] expected at least one term with a weight above 0");
    total = total.defined() ? total + terms.total : terms.total;
  }
  if (loss.agreement != 0 && agreeing > 0)
    total = total + loss.agreement * depth_agreement(logits, agreeing);
  const double correct =
      logits[last].detach().argmax(1).eq(labels).to(torch::kDouble).mean().item<double>();
  return {total, {{"accuracy", correct}, {"levels", static_cast<double>(agreeing)}}};
}

}  // namespace

DepthClassifier train_depth_classifier(const PixelSet& training, const Normalization& normalization,
                                       DepthClassifierOptions options, const StageContext& context,
                                       const std::string& name, const DepthStart& start,
                                       TrainResult* result) {
  check(options.loss, training, start);
  options.model.image_size = training.images.size(2);
  options.model.num_classes = static_cast<std::int64_t>(training.classes.size());
  auto model = first_model(options, context, name, start);
  const bool taught = asks_teacher(options.loss);
  const ViT teacher = taught ? locked(start.teacher->model) : ViT(nullptr);

  const StageViews views{options.views.empty() ? name : options.views,
                         {options.recipe, options.augment, normalization}};
  const auto sampler =
      stage_sampler(training, options.class_balanced, context, views.name, options.real_share);
  auto cache = taught ? teacher_cache(teacher, training, views, sampler, options.training, context)
                      : TeacherCache();
  const double warmup = options.loss.warmup_passes * static_cast<double>(training.size()) /
                        static_cast<double>(options.training.batch_size);
  const auto step = [&](const Batch& batch) -> StepLoss {
    const auto pixels = views(training, batch, context);
    const auto labels = training.labels.index_select(0, batch.indices).to(context.device);
    TeacherAnswers answers;
    if (taught)
      answers = answers_to(cache, training, batch, context.device, [&] {
        torch::NoGradGuard no_grad;
        auto asked = teacher;
        return TeacherAnswers{asked->forward(start.teacher->normalization(pixels)), {}};
      });
    const auto logits = model->forward(normalization(pixels), batch.generator);
    return depth_loss(options.loss, logits, answers.logits, labels,
                      agreeing_levels(options.loss.growth, batch.step, warmup,
                                      options.training.steps, options.model.depth));
  };
  const auto weights = [](const torch::nn::Module& module) {
    return fingerprint(state_dict(module));
  };
  auto configuration = stage_configuration(
      "depth_classifier", options_to_json(options), sampler, training,
      {{"encoder", start.encoder.module ? weights(*start.encoder.module) : "none"},
       {"initial", start.initial ? weights(*start.initial->model) : "none"},
       {"teacher", taught ? weights(*teacher) : "none"}});
  auto outcome = train(
      *model, parameter_groups(*model, {.weight_decay = options.training.weight_decay}), sampler,
      step, train_options(options.training, context, name, std::move(configuration)));
  cache.save();
  if (result) *result = std::move(outcome);
  return {model, normalization, training.classes, training.preprocessing};
}

at::Tensor predict_depth_logits(const DepthClassifier& classifier, const at::Tensor& images,
                                std::int64_t batch_size) {
  check_argument(!classifier.model.is_empty(), "[depth classifier] expected a model, got none");
  auto model = classifier.model;
  model->eval();
  const auto device = model->vit->cls_token.device();
  std::vector<at::Tensor> columns;
  in_batches(images.size(0), batch_size, [&](std::int64_t first, std::int64_t last) {
    const auto pixels = images.slice(0, first, last).to(device);
    columns.push_back(model->forward(classifier.normalization(pixels)).to(at::kCPU, at::kFloat));
  });
  return at::cat(columns, 1);  // [L, N, C]
}

void calibrate(DepthClassifier& classifier, const PixelSet& validation) {
  const auto labels = labels_of(validation);
  classifier.temperatures.clear();
  for (const auto& logits : predict_depth_logits(classifier, validation.images).unbind(0)) {
    double temperature = 1;
    try {
      temperature = fit_temperature(to_eigen(logits), labels);
    } catch (const std::invalid_argument&) {  // all right, or no better than chance
    }
    classifier.temperatures.push_back(temperature);
  }
}

ProbabilitiesByDepth probabilities_by_depth(const DepthClassifier& classifier,
                                            const at::Tensor& images) {
  ProbabilitiesByDepth by_depth;
  for (const auto& logits : predict_depth_logits(classifier, images).unbind(0)) {
    const auto level = by_depth.size();
    by_depth.push_back(softmax(
        to_eigen(logits), classifier.temperatures.empty() ? 1 : classifier.temperatures.at(level)));
  }
  return by_depth;
}

Classifier classifier_at(const DepthClassifier& classifier, std::int64_t depth) {
  auto model = classifier.model;
  const auto levels = classifier.depth();
  check_argument(depth >= 1 && depth <= levels, "[depth classifier] expected a depth in 1 .. ",
                 levels, ", got ", depth);
  auto options = model->options;
  options.depth = depth;
  const auto& reference = model->vit->cls_token;
  ViT cut(options,
          ParameterOptions{
              .device = reference.device(), .dtype = reference.scalar_type(), .init = false});
  const auto theirs = model->named_parameters();
  const auto head = text("heads.", (model->use == DepthHeadUse::Own ? depth : levels) - 1, ".");
  const auto norm =
      depth == levels ? std::string("vit.norm.") : text("vit.blocks.", depth, ".norm1.");
  torch::NoGradGuard no_grad;
  for (auto& item : cut->named_parameters()) {
    const auto& key = item.key();
    const auto source = key.rfind("head.", 0) == 0   ? head + key.substr(5)
                        : key.rfind("norm.", 0) == 0 ? norm + key.substr(5)
                                                     : "vit." + key;
    item.value().copy_(theirs[source]);
  }
  cut->eval();
  return {cut, classifier.normalization, classifier.classes, classifier.preprocessing};
}

void save_depth_classifier(const std::filesystem::path& path, const DepthClassifier& classifier) {
  const auto model = classifier.model;
  save_model(path, *model, "depth_vit", options_to_json(model->options),
             Json::object({{"heads", name(model->use)},
                           {"classes", classifier.classes},
                           {"normalization", to_json(classifier.normalization)},
                           {"preprocessing", options_to_json(classifier.preprocessing)},
                           {"temperatures", classifier.temperatures}}));
}

DepthClassifier load_depth_classifier(const std::filesystem::path& path, at::Device device) {
  const auto file = read_model_file(path, "depth_vit");
  ViTOptions options;
  options_from_json(options, file.options, path.string());
  DepthHeadUse use = DepthHeadUse::Own;
  from_name(use, file.extra.at("heads").get<std::string>());
  DepthViT model(options, use, ParameterOptions{.init = false});
  load_state_dict(*model, file.tensors, path.string());
  model->to(device);
  model->eval();
  DepthClassifier classifier{
      .model = model,
      .normalization = normalization_from_json(file.extra.at("normalization")),
      .classes = file.extra.at("classes").get<std::vector<std::string>>(),
      .temperatures = file.extra.at("temperatures").get<std::vector<double>>()};
  options_from_json(classifier.preprocessing, file.extra.at("preprocessing"), path.string());
  return classifier;
}

}  // namespace dermis
