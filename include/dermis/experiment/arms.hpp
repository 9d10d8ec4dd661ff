#pragma once
/// \file
/// An experiment on DerMAE: arms that differ in what their classifier is trained on, how it starts
/// and what the recipe says; each run with several seeds on the same data, whatever two arms have
/// in common trained once.

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dermis/metrics/seed_bootstrap.hpp"
#include "dermis/train/parts.hpp"
#include "dermis/train/recipe.hpp"

namespace dermis {

/// How an arm's classifier comes to be.
enum class ArmStart {
  Scratch,     ///< the recipe's `teacher`, from first weights
  Pretrained,  ///< the same from a masked autoencoder, pre-trained on the arm's images
  Distilled,   ///< the recipe's `student`, taught by another arm
  Alone        ///< the student's network without a teacher
};
std::string name(ArmStart start);
void from_name(ArmStart& start, const std::string& name);

/// One way of training a classifier.
struct ExperimentArm {
  std::string name;         ///< letters, digits, "_", "-" and "."
  std::string description;  ///< what was done, for the table
  ArmStart start = ArmStart::Scratch;
  bool synthetic = true;         ///< trained on real and synthetic images, not on real ones alone
  std::string teacher;           ///< of a distilled arm: an arm before it
  Json recipe = Json::object();  ///< what it changes of the experiment's recipe, as in --config
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ExperimentArm>
void visit_fields(Self& o, Visitor&& visit) {
  visit("name", o.name);
  visit("description", o.description);
  visit("start", o.start);
  visit("synthetic", o.synthetic);
  visit("teacher", o.teacher);
  visit("recipe", o.recipe);
}

/// Two arms to tell apart.
struct ArmComparison {
  std::string first, second;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ArmComparison>
void visit_fields(Self& o, Visitor&& visit) {
  visit("first", o.first);
  visit("second", o.second);
}

/// A setting's value, and the arm that was run with it.
struct SweepPoint {
  double value = 0;
  std::string arm;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, SweepPoint>
void visit_fields(Self& o, Visitor&& visit) {
  visit("value", o.value);
  visit("arm", o.arm);
}

/// A chart of balanced accuracy against a setting.
struct ArmSweep {
  std::string title, setting;
  std::vector<SweepPoint> points;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ArmSweep>
void visit_fields(Self& o, Visitor&& visit) {
  visit("title", o.title);
  visit("setting", o.setting);
  visit("points", o.points);
}

/// What is asked, as a file says it.
struct Experiment {
  std::string title;
  Json recipe = Json::object();  ///< what all arms change of the preset
  std::vector<ExperimentArm> arms;
  std::vector<ArmComparison> comparisons;
  std::vector<ArmSweep> sweeps;
  std::string judge;  ///< an arm on real images alone, which judges synthetic ones; or none
  bool on_validation = false;  ///< judged on the validation part, to choose settings by
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, Experiment>
void visit_fields(Self& o, Visitor&& visit) {
  visit("title", o.title);
  visit("recipe", o.recipe);
  visit("arms", o.arms);
  visit("comparisons", o.comparisons);
  visit("sweeps", o.sweeps);
  visit("judge", o.judge);
  visit("on_validation", o.on_validation);
}

/// Reads a file with the fields above. std::runtime_error naming the file and what is wrong: an
/// unknown key, an arm that is named but not there, a name twice, a student before its teacher.
Experiment read_experiment(const std::filesystem::path& file);

/// The recipe that `arm` is run with; std::runtime_error naming the arm where it cannot be.
DermaeRecipe recipe_of(const Experiment& experiment, const ExperimentArm& arm, DermaeRecipe recipe);

/// What one arm found with one seed.
struct ArmRun {
  std::vector<int> predictions;  ///< [N], of the part it is judged on
  double balanced_accuracy = 0, macro_auc = 0;
  std::vector<double> recall;  ///< by class
  std::int64_t image_passes = 0;
  Json generation;  ///< synthetic images as the judge sees them; null without synthetic or judge
};

struct ExperimentResults {
  Experiment experiment;
  std::string data;  ///< where the images are from
  DermaeRecipe recipe;
  std::vector<std::uint64_t> seeds;
  std::vector<std::string> classes;
  std::vector<int> labels;                ///< [N] of the part that arms are judged on
  std::vector<std::string> lesions;       ///< [N]
  std::vector<std::vector<ArmRun>> runs;  ///< [arm][seed]

  const std::vector<ArmRun>& of(const std::string& arm) const;
  /// Mean over the seeds, with an interval over lesions and seeds.
  Interval balanced_accuracy(const std::string& arm) const;
  Interval difference(const std::string& first, const std::string& second) const;
};

/// Runs every arm with every seed. Arm A with seed N leaves OUT/seed_N/arms/A.json, and is not run
/// again where that file is there; it is refused (std::runtime_error) where it is of other settings
/// or data. Its training is found in OUT/seed_N/base/A, as `dermae` would leave it. The first stage
/// is trained once, in OUT/first_stage with the context's seed. `finish` is what synthetic images
/// go through before they are trained on, such as the compression of the real ones.
ExperimentResults run_experiment(const Experiment& experiment, const DermaeRecipe& recipe,
                                 const DataParts& parts, const std::vector<std::uint64_t>& seeds,
                                 const StageContext& context,
                                 const std::function<PixelSet(PixelSet)>& finish = {});

}  // namespace dermis
