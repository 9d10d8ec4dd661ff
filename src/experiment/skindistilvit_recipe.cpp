#include "dermis/experiment/skindistilvit.hpp"

namespace dermis {

std::string name(LayerChoice choice) {
  return choice == LayerChoice::First       ? "first"
         : choice == LayerChoice::Alternate ? "alternate"
         : choice == LayerChoice::Spread    ? "spread"
                                            : "list";
}

void from_name(LayerChoice& choice, const std::string& text) {
  for (const auto candidate :
       {LayerChoice::First, LayerChoice::Alternate, LayerChoice::Spread, LayerChoice::List}) {
    if (name(candidate) != text) continue;
    choice = candidate;
    return;
  }
  check_argument(false, "expected layers first, alternate, spread or list, got ", text);
}

namespace {

/// Lengths of the stages, in steps.
struct Steps {
  std::int64_t teacher, student, fcvit, fcvit_probs, combined, cascade;
};

void set_size(SkinDistilViTRecipe& r, const ViTOptions& model, const StageSchedule& schedule,
              const Steps& steps) {
  const auto of = [&](std::int64_t count) {
    auto training = schedule;
    training.steps = count;
    training.validations = std::max<std::int64_t>(1, std::min<std::int64_t>(10, count / 100));
    return training;
  };
  r.teacher.model = r.student.model = r.cascade.model = model;
  r.fcvit.model = r.fcvit_probs.model = r.combined.model = model;
  r.teacher.training = of(steps.teacher);
  r.student.training = of(steps.student);
  r.fcvit.training = of(steps.fcvit);
  r.fcvit_probs.training = of(steps.fcvit_probs);
  r.combined.training = of(steps.combined);
  r.cascade.training = of(steps.cascade);
  r.data.image_size = model.image_size;
  r.student_depth = model.depth / 2;
}

/// A ViT that learns the phantom in minutes.
void set_small(SkinDistilViTRecipe& r, const Steps& steps) {
  set_size(r, {.image_size = 64, .patch_size = 8, .dim = 128, .depth = 6, .heads = 4},
           {.batch_size = 32,
            .learning_rate = 4e-4,
            .warmup_steps = 60,
            .decay = Decay::Linear,
            .weight_decay = 0,
            .ema_decay = 0.99},
           steps);
}

/// The published sizes and lengths.
void set_full(SkinDistilViTRecipe& r) {
  auto model = vit_base();
  model.norm_eps = 1e-12;
  set_size(r, model,
           {.batch_size = 64,
            .learning_rate = 2e-4,
            .warmup_steps = 0,
            .decay = Decay::Linear,
            .weight_decay = 0},
           {18'001, 6'340, 18'001, 9'001, 6'002, 6'002});
  r.best_on_validation = true;
  r.full_from_teacher = false;  // published: from ImageNet-21k's weights, see --init
}

/// Passes of `r.fcvit_probs` that are the share of warm-up of the published run.
double warmup_passes(const SkinDistilViTRecipe& r) {
  if (r.preset == "full") return 5;
  const auto images = static_cast<double>(r.data.phantom_images);
  return 0.18 * static_cast<double>(r.fcvit_probs.training.image_passes()) / images;
}

void set_variant(SkinDistilViTRecipe& r) {
  const bool fixed = r.variant == "fixed";
  r.unknown_class = r.data.split_by_image = !fixed;
  r.data.fit = fixed ? Fit::CenterSquare : Fit::Squash;
  r.teacher.loss.label_smoothing = 0;
  r.teacher.class_balanced = r.student.class_balanced = r.cascade.class_balanced = fixed;
  r.fcvit.class_balanced = r.fcvit_probs.class_balanced = r.combined.class_balanced = fixed;
  r.teacher.recipe = r.student.recipe = r.cascade.recipe = Recipe::SkinDistilViT;
  r.fcvit.recipe = r.fcvit_probs.recipe = r.combined.recipe = Recipe::SkinDistilViT;
  r.student.loss = r.cascade.loss =
      r.variant == "paper" ? skindistilvit_text_loss() : skindistilvit_loss();
  r.fcvit.loss = fcvit_loss();
  r.fcvit_probs.loss =
      fcvit_probs_loss(r.variant == "code" ? AgreementGrowth::Published : AgreementGrowth::Steps);
  r.fcvit_probs.loss.warmup_passes = warmup_passes(r);
  // At the published weight of 50 small networks end at chance on the phantom, in longer runs at 5,
  // too; at 1 they learn.
  if (fixed && r.preset != "full") r.fcvit_probs.loss.agreement = 1;
  r.combined.loss = combined_depth_loss();
}

}  // namespace

SkinDistilViTRecipe skindistilvit_recipe(const std::string& preset, const std::string& variant) {
  check_argument(variant == "code" || variant == "paper" || variant == "fixed",
                 "[skindistilvit] expected variant code, paper or fixed, got ", variant);
  SkinDistilViTRecipe r;
  r.preset = preset;
  r.variant = variant;
  if (preset == "quick") {
    set_small(r, {600, 300, 300, 300, 300, 200});
  } else if (preset == "default") {
    set_small(r, {1500, 800, 800, 800, 800, 600});
  } else {
    check_argument(preset == "full", "[skindistilvit] expected preset quick, default or full, got ",
                   preset);
    set_full(r);
  }
  set_variant(r);
  return r;
}

void validate(const SkinDistilViTRecipe& r) {
  auto model = r.teacher.model;
  model.image_size = r.data.image_size;
  validate(model);
  check_argument(
      !model.mean_pooling,
      "[skindistilvit] expected a teacher with class-token pooling: networks with a head "
      "at every depth have no other");
  check_argument(r.student_depth >= 1 && r.student_depth <= model.depth,
                 "[skindistilvit] expected student_depth in 1 .. ", model.depth, ", got ",
                 r.student_depth);
  student_layers(r);
  CascadeTeacher direction;
  for (const auto& teacher : r.cascade_teachers) from_name(direction, teacher);
}

std::vector<std::int64_t> student_layers(const SkinDistilViTRecipe& r) {
  const auto depth = r.teacher.model.depth;
  switch (r.student_layers) {
    case LayerChoice::First:
      return first_layers(r.student_depth);
    case LayerChoice::Spread:
      return spread_layers(depth, r.student_depth);
    case LayerChoice::Alternate: {
      auto layers = alternate_layers(depth);
      check_argument(r.student_depth <= static_cast<std::int64_t>(layers.size()),
                     "[skindistilvit] expected student_depth of at most ", layers.size(),
                     " with alternate layers, got ", r.student_depth);
      layers.resize(static_cast<std::size_t>(r.student_depth));
      return layers;
    }
    case LayerChoice::List:
      break;
  }
  check_argument(!r.student.layers.empty(),
                 "[skindistilvit] expected student.layers for student_layers list, got none");
  return r.student.layers;
}

std::vector<std::pair<std::string, DistillationOptions>> loss_ablation(
    const DistillationOptions& loss) {
  std::vector<std::pair<std::string, DistillationOptions>> arms;
  const auto toggle = [&](const std::string& term, double DistillationOptions::*weight, double on) {
    auto other = loss;
    other.*weight = loss.*weight == 0 ? on : 0;
    arms.emplace_back((loss.*weight == 0 ? "with_" : "without_") + term, other);
  };
  const auto usual = skindistilvit_loss();
  toggle("kl", &DistillationOptions::kl, usual.kl);
  toggle("cross_entropy", &DistillationOptions::cross_entropy, usual.cross_entropy);
  toggle("logit_mse", &DistillationOptions::logit_mse, usual.logit_mse);
  toggle("hidden_cosine", &DistillationOptions::hidden_cosine, 1);
  arms.emplace_back("with_labels_only", labels_only());
  return arms;
}

std::vector<StagePlan> plan(const SkinDistilViTRecipe& r, std::int64_t classes) {
  auto model = r.teacher.model;
  model.image_size = r.data.image_size;
  model.num_classes = classes + (r.unknown_class ? 1 : 0);
  const auto stage = [&](const std::string& name, const StageSchedule& schedule,
                         std::int64_t depth) {
    auto cut = model;
    cut.depth = depth;
    return plan(name, schedule, *ViT(cut, ParameterOptions{.device = at::kMeta}));
  };
  const auto depth = static_cast<std::int64_t>(student_layers(r).size());
  const auto student = [&](const std::string& name) {
    return stage(name, r.student.training, depth);
  };
  std::vector<StagePlan> stages = {stage("teacher", r.teacher.training, model.depth),
                                   student("student"), student("student_alone")};
  if (r.ablation)
    for (const auto& arm : loss_ablation(r.student.loss))
      stages.push_back(student("student_" + arm.first));
  if (r.ablation) stages.push_back(stage("teacher_longer", r.student.training, model.depth));
  if (r.balanced_subset) stages.push_back(student("student_balanced_subset"));
  stages.push_back(stage("fcvit", r.fcvit.training, model.depth));
  stages.push_back(stage("fcvit_probs", r.fcvit_probs.training, model.depth));
  stages.push_back(stage("combined", r.combined.training, model.depth));
  for (const auto& teacher : r.cascade_teachers)
    for (auto k = model.depth; k >= 1; --k)
      stages.push_back(stage(text(teacher == "down" ? "cascade_" : "cascade_" + teacher + "_", k),
                             r.cascade.training, k));
  return stages;
}

DataParts with_unknown_class(DataParts parts) {
  for (auto* part : {&parts.train, &parts.validation, &parts.test}) part->classes.push_back("UNK");
  return parts;
}

}  // namespace dermis
