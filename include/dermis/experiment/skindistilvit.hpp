#pragma once
/// \file
/// SkinDistilViT (arXiv 2308.08669) as an experiment: a teacher, a student of half its depth and
/// what its loss owes to each term, networks that answer at every depth, and a cascade of ever
/// shallower ones; with several seeds on the same data.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dermis/train/baselines.hpp"
#include "dermis/train/cascade.hpp"
#include "dermis/train/depth_classifier.hpp"
#include "dermis/train/parts.hpp"
#include "dermis/train/recipe.hpp"

namespace dermis {

/// Which teacher layers a student starts from.
enum class LayerChoice {
  First,      ///< the first ones (the committed code)
  Alternate,  ///< every second one, from 0
  Spread,     ///< evenly from the first to the last (DistilBERT's 0, 2, 4, 7, 9, 11 of 12)
  List        ///< StudentOptions::layers
};
std::string name(LayerChoice choice);
void from_name(LayerChoice& choice, const std::string& text);

struct SkinDistilViTRecipe {
  std::string preset = "default";  ///< quick, default or full
  std::string variant = "fixed";   ///< code, paper or fixed
  PartsOptions data;
  bool unknown_class = false;  ///< one logit more, UNK, which no image has and no figure counts
  bool best_on_validation = false;  ///< the teacher's weights are those that validate best
  ClassifierOptions teacher;
  std::int64_t student_depth = 3;
  LayerChoice student_layers = LayerChoice::First;
  StudentOptions student;  ///< `layers` is read for LayerChoice::List; `model` is not
  bool ablation = true;    ///< the student with each term of the loss off, or on if it is off, and
                           ///< with labels only; the teacher trained on for as long as the student
  bool balanced_subset = true;  ///< the student on equally many images of each class
  DepthClassifierOptions fcvit, fcvit_probs, combined;  ///< `model` is the teacher's
  bool full_from_teacher = true;  ///< fcvit and fcvit_probs begin with the teacher's weights, for
                                  ///< want of pre-trained ones; false: as the teacher did
  StudentOptions cascade;         ///< of each of its models
  std::vector<std::string> cascade_teachers = {"down", "up", "own"};  ///< a cascade each
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, SkinDistilViTRecipe>
void visit_fields(Self& o, Visitor&& visit) {
  visit("preset", o.preset);
  visit("variant", o.variant);
  visit("data", o.data);
  visit("unknown_class", o.unknown_class);
  visit("best_on_validation", o.best_on_validation);
  visit("teacher", o.teacher);
  visit("student_depth", o.student_depth);
  visit("student_layers", o.student_layers);
  visit("student", o.student);
  visit("ablation", o.ablation);
  visit("balanced_subset", o.balanced_subset);
  visit("fcvit", o.fcvit);
  visit("fcvit_probs", o.fcvit_probs);
  visit("combined", o.combined);
  visit("full_from_teacher", o.full_from_teacher);
  visit("cascade", o.cascade);
  visit("cascade_teachers", o.cascade_teachers);
}

/// \param preset  quick: one seed in under 15 minutes on two cores; default: three seeds in under
///                two hours (both a ViT of width 128, 6 blocks, patches of 8 at 64 px, on the
///                phantom); full: the published sizes (ViT-B/16 at 224 px), for accelerators
/// \param variant  code: as the published repository has it (a ninth logit UNK, whole images
///                squashed to squares, a split by image, every image equally often, an FCViTProbs
///                whose levels never agree); paper: as the text has it (the same data; the student
///                learns from labels, softened answers and hidden states, levels agree); fixed:
///                split by lesion, centre squares, as many logits as classes, every class equally
///                often, levels agree
/// \throws std::invalid_argument for another name
SkinDistilViTRecipe skindistilvit_recipe(const std::string& preset,
                                         const std::string& variant = "fixed");

/// Checks what can be known before training.
void validate(const SkinDistilViTRecipe& recipe);

/// The teacher layers that the recipe's student starts from.
std::vector<std::int64_t> student_layers(const SkinDistilViTRecipe& recipe);

/// What one seed would do, as plan(DermaeRecipe).
std::vector<StagePlan> plan(const SkinDistilViTRecipe& recipe, std::int64_t classes);

/// Cross-entropy against the labels alone, for what owes the teacher only the weights it begins
/// with.
inline DistillationOptions labels_only() {
  return {.kl = 0, .cross_entropy = 1};
}

/// The loss with each of its four terms off; a term that is off is switched on instead. Names say
/// what differs: "without_kl", "with_hidden_cosine". Last, "with_labels_only".
std::vector<std::pair<std::string, DistillationOptions>> loss_ablation(
    const DistillationOptions& loss);

/// Adds a class that no image has.
DataParts with_unknown_class(DataParts parts);

using NamedClassifiers = std::vector<std::pair<std::string, Classifier>>;
using NamedCascades = std::vector<std::pair<std::string, std::vector<Classifier>>>;
using NamedDepthClassifiers = std::vector<std::pair<std::string, DepthClassifier>>;

/// The stages. Each trains what is not finished in context.out, where context.resume is set, and
/// loads the rest. Weights come from the training part alone; the validation part calibrates the
/// networks of train_full_distillation and, where the recipe says so, chooses among the teacher's
/// weights.
Classifier train_teacher(const SkinDistilViTRecipe& recipe, const DataParts& parts,
                         const StageContext& context, const Encoder& encoder = {});
/// student, student_alone (the same network, as long, without a teacher); where the recipe asks for
/// them student_<ablation>, teacher_longer (all of the teacher's layers, labels only, as long as
/// the student: what longer training alone gives) and student_balanced_subset.
NamedClassifiers train_students(const SkinDistilViTRecipe& recipe, const Classifier& teacher,
                                const DataParts& parts, const StageContext& context);
/// fcvit, fcvit_probs, combined; calibrated. The first two begin with the teacher's weights or, as
/// the recipe says, as the teacher did: with `encoder` or from scratch. combined begins with the
/// teacher's weights and learns from it.
NamedDepthClassifiers train_full_distillation(const SkinDistilViTRecipe& recipe,
                                              const Classifier& teacher, const DataParts& parts,
                                              const StageContext& context,
                                              const Encoder& encoder = {});
/// cascade, cascade_up, cascade_own, as recipe.cascade_teachers says: one classifier a depth each,
/// shallowest first.
NamedCascades train_cascades(const SkinDistilViTRecipe& recipe, const Classifier& teacher,
                             const DataParts& parts, const StageContext& context);

/// Malignant classes (MEL, BCC, SCC) against the rest.
struct CancerFigures {
  double auc = 0;                           ///< of the sum of their probabilities
  double sensitivity = 0, specificity = 0;  ///< where that sum is at least one half
};
/// Nothing where the data have none of these classes, or nothing else.
std::optional<CancerFigures> cancer_against_rest(const Evaluation& evaluation);

/// A network, or one depth of it, with one seed.
struct DepthRun {
  std::string method;  ///< teacher, student, fcvit, cascade ...
  std::int64_t depth = 0;
  Evaluation evaluation;
};

/// What a network of some depth takes.
struct DepthCost {
  std::int64_t depth = 0, parameters = 0, bytes = 0;
  double latency_1_ms = 0, latency_64_ms = 0;  ///< of a batch of 1 and of 64
};

struct SkinDistilViTSeed {
  std::uint64_t seed = 0;
  std::vector<DepthRun> runs;
  std::vector<std::pair<std::string, std::vector<ExitPoint>>> early_exit;  ///< by method
};

struct SkinDistilViTResults {
  SkinDistilViTRecipe recipe;
  std::string data, split;
  std::vector<std::string> classes;
  std::vector<int> labels;           ///< [N] of the test part
  std::vector<std::string> lesions;  ///< [N]
  std::vector<Baseline> baselines;   ///< logistic regression on thumbnails and colours
  std::vector<DepthCost> cost;       ///< of depths 1 .. L
  std::vector<SkinDistilViTSeed> seeds;

  /// The runs of `method` at `depth`, one a seed; empty if there are none.
  std::vector<const DepthRun*> of(const std::string& method, std::int64_t depth) const;
  /// The depths at which `method` was judged, ascending.
  std::vector<std::int64_t> depths(const std::string& method) const;
  /// Methods in the order of their first run.
  std::vector<std::string> methods() const;
  /// Mean over the seeds, with an interval over lesions and seeds.
  Interval balanced_accuracy(const std::string& method, std::int64_t depth) const;
  /// The same of the first's balanced accuracy less the second's, paired by lesion and seed.
  Interval difference(const std::string& first, std::int64_t first_depth, const std::string& second,
                      std::int64_t second_depth) const;
  /// The teacher's balanced accuracy less that of the best baseline, likewise.
  Interval teacher_margin() const;
};

/// preset, variant, data, split, seeds, classes, baselines{<name>: balanced_accuracy},
/// teacher_margin, cost [...], teacher{...}, student{...}, student_alone{...}, ablation{<name>:
/// {...}}, balanced_subset{...}, retention, retention_longer (the same of teacher_longer),
/// retention_counts (the teacher is at least 15 points above the baselines), size_reduction,
/// speedup, differences [{first, second, depth, difference}] (the first, at that depth, less the
/// student; what has every depth at the student's), by_depth{<method>: [{depth, ...}]},
/// early_exit{<method>: [{threshold, mean_depth, ...}]}, recipe. Each {...}: depth,
/// balanced_accuracy{mean, lo, hi, by_seed}, and means over the seeds of accuracy, precision,
/// recall and f1 (each {weighted, macro}), macro_auc, calibration_error, recall_by_class,
/// cancer{auc, sensitivity, specificity}. A precision that is undefined, of a class that is never
/// named, counts as 0.
Json to_json(const SkinDistilViTResults& results);

enum class SkinDistilViTStage { Teacher, Student, Full, Cascade };

/// Runs `stages` (and the teacher, which they need) with every seed in OUT/seed_<N>, where models
/// are left as files too. Costs are measured with the first seed.
SkinDistilViTResults run_skindistilvit(const SkinDistilViTRecipe& recipe, const DataParts& parts,
                                       const std::vector<std::uint64_t>& seeds,
                                       const StageContext& context,
                                       const std::vector<SkinDistilViTStage>& stages,
                                       const Encoder& encoder = {});

}  // namespace dermis
