#include "dermis/experiment/skindistilvit.hpp"

#include <algorithm>
#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/data/balanced_subset.hpp"

namespace dermis {

Classifier train_teacher(const SkinDistilViTRecipe& recipe, const DataParts& parts,
                         const StageContext& context, const Encoder& encoder) {
  // Where weights come from elsewhere, so does the scale of the pixels that they are used to.
  const auto normalization =
      encoder.module ? encoder.normalization : measure_normalization(parts.train);
  return train_classifier(parts.train, normalization, recipe.teacher, context, "teacher", nullptr,
                          encoder, recipe.best_on_validation ? &parts.validation : nullptr);
}

NamedClassifiers train_students(const SkinDistilViTRecipe& recipe, const Classifier& teacher,
                                const DataParts& parts, const StageContext& context) {
  auto options = recipe.student;
  options.layers = student_layers(recipe);
  options.views = "student";  // all see the same images in the same order
  NamedClassifiers students;
  const auto teach = [&](const std::string& name, const StudentOptions& student,
                         const PixelSet& training) {
    students.emplace_back(name, distill(teacher, training, student, context, name));
  };
  teach("student", options, parts.train);
  auto alone = without_teacher(options);
  alone.model = recipe.teacher.model;
  alone.model.depth = static_cast<std::int64_t>(options.layers.size());
  alone.loss = recipe.teacher.loss;
  students.emplace_back("student_alone", train_classifier(parts.train, teacher.normalization, alone,
                                                          context, "student_alone"));
  if (recipe.ablation) {
    for (const auto& [what, loss] : loss_ablation(options.loss)) {
      auto other = options;
      other.loss = loss;
      teach("student_" + what, other, parts.train);
    }
    auto longer = options;
    longer.layers = first_layers(recipe.teacher.model.depth);
    longer.loss = labels_only();
    teach("teacher_longer", longer, parts.train);
  }
  if (recipe.balanced_subset)
    teach("student_balanced_subset", options, class_balanced_subset(parts.train, 0, context.seed));
  return students;
}

NamedDepthClassifiers train_full_distillation(const SkinDistilViTRecipe& recipe,
                                              const Classifier& teacher, const DataParts& parts,
                                              const StageContext& context, const Encoder& encoder) {
  NamedDepthClassifiers networks;
  const auto add = [&](const std::string& name, DepthClassifierOptions options,
                       const DepthStart& start) {
    options.model = recipe.teacher.model;
    auto network =
        train_depth_classifier(parts.train, teacher.normalization, options, context, name, start);
    calibrate(network, parts.validation);
    networks.emplace_back(name, network);
  };
  const auto start =
      recipe.full_from_teacher ? DepthStart{.initial = &teacher} : DepthStart{.encoder = encoder};
  add("fcvit", recipe.fcvit, start);
  add("fcvit_probs", recipe.fcvit_probs, start);
  add("combined", recipe.combined, {.initial = &teacher, .teacher = &teacher});
  return networks;
}

NamedCascades train_cascades(const SkinDistilViTRecipe& recipe, const Classifier& teacher,
                             const DataParts& parts, const StageContext& context) {
  NamedCascades cascades;
  for (const auto& text : recipe.cascade_teachers) {
    CascadeTeacher direction;
    from_name(direction, text);
    const auto name = direction == CascadeTeacher::Down ? "cascade" : "cascade_" + text;
    cascades.emplace_back(
        name, train_cascade(teacher, parts.train, recipe.cascade, direction, context, name));
  }
  return cascades;
}

namespace {

/// The cost of the teacher's network cut at each depth; what the numbers in it are does not matter.
std::vector<DepthCost> costs(const Classifier& teacher, const std::filesystem::path& scratch) {
  std::vector<DepthCost> all;
  for (std::int64_t depth = 1; depth <= teacher.model.ptr()->options.depth; ++depth) {
    auto cut = teacher;
    cut.model = student_from_layers(teacher.model, first_layers(depth));
    save_classifier(scratch, cut);
    all.push_back({depth, parameter_count(*cut.model),
                   static_cast<std::int64_t>(std::filesystem::file_size(scratch)),
                   latency_ms(cut, 1), latency_ms(cut, 64, 10)});
  }
  std::filesystem::remove(scratch);
  return all;
}

/// All stages with one seed.
class SeedRun {
 public:
  SeedRun(const SkinDistilViTRecipe& recipe, const DataParts& parts, StageContext context,
          const Encoder& encoder)
      : recipe_(recipe), parts_(parts), context_(std::move(context)), encoder_(encoder) {
    context_.cache = context_.out / "answers";
    found_.seed = context_.seed;
    teacher_ = train_teacher(recipe, parts, context_, encoder);
    judge("teacher", teacher_);
  }

  void run(SkinDistilViTStage stage) {
    if (stage == SkinDistilViTStage::Student)
      for (const auto& [name, student] : train_students(recipe_, teacher_, parts_, context_))
        judge(name, student);
    if (stage == SkinDistilViTStage::Full)
      for (const auto& [name, network] :
           train_full_distillation(recipe_, teacher_, parts_, context_, encoder_))
        judge(name, network);
    if (stage == SkinDistilViTStage::Cascade) cascade();
  }

  const Classifier& teacher() const { return teacher_; }
  SkinDistilViTSeed found() && { return std::move(found_); }

 private:
  void cascade() {
    for (const auto& [name, models] : train_cascades(recipe_, teacher_, parts_, context_))
      for (std::size_t i = 0; i < models.size(); ++i) {
        save_classifier(context_.out / text(name, "_", i + 1, ".safetensors"), models[i]);
        add(name, static_cast<std::int64_t>(i + 1), evaluate(models[i], parts_.test));
      }
  }

  void judge(const std::string& name, const Classifier& classifier) {
    save_classifier(context_.out / (name + ".safetensors"), classifier);
    add(name, classifier.model.ptr()->options.depth, evaluate(classifier, parts_.test));
  }

  void judge(const std::string& name, const DepthClassifier& network) {
    save_depth_classifier(context_.out / (name + ".safetensors"), network);
    const auto by_depth = probabilities_by_depth(network, parts_.test.images);
    for (std::size_t i = 0; i < by_depth.size(); ++i)
      add(name, static_cast<std::int64_t>(i + 1), evaluate(by_depth[i], parts_.test));
    found_.early_exit.emplace_back(
        name, early_exit_curve(by_depth, labels_of(parts_.test), exit_thresholds()));
  }

  void add(const std::string& method, std::int64_t depth, Evaluation evaluation) {
    std::cerr << text("seed ", context_.seed, ", ", method, ", depth ", depth,
                      ": balanced accuracy ", evaluation.balanced_accuracy.mean, '\n');
    found_.runs.push_back({method, depth, std::move(evaluation)});
  }

  const SkinDistilViTRecipe& recipe_;
  const DataParts& parts_;
  StageContext context_;
  const Encoder& encoder_;
  Classifier teacher_;
  SkinDistilViTSeed found_;
};

}  // namespace

SkinDistilViTResults run_skindistilvit(const SkinDistilViTRecipe& recipe, const DataParts& parts,
                                       const std::vector<std::uint64_t>& seeds,
                                       const StageContext& context,
                                       const std::vector<SkinDistilViTStage>& stages,
                                       const Encoder& encoder) {
  check_argument(!seeds.empty(), "[skindistilvit] expected at least one seed");
  validate(recipe);
  const auto known = recipe.unknown_class ? with_unknown_class(parts) : parts;
  SkinDistilViTResults results{
      .recipe = recipe,
      .data = parts.source,
      .split = parts.split,
      .classes = known.test.classes,
      .labels = labels_of(parts.test),
      .lesions = lesions_of(parts.test),
      .baselines = trivial_baselines(parts.train, parts.validation, parts.test),
      .cost = {},
      .seeds = {}};
  for (const auto seed : seeds) {
    auto place = context;
    place.seed = seed;
    place.out /= text("seed_", seed);
    make_directories(place.out);
    SeedRun run(recipe, known, place, encoder);
    if (results.cost.empty()) results.cost = costs(run.teacher(), place.out / "cost.safetensors");
    for (const auto stage : stages) run.run(stage);
    results.seeds.push_back(std::move(run).found());
  }
  return results;
}

}  // namespace dermis
