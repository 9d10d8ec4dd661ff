#include "dermis/experiment/arms.hpp"

#include <algorithm>
#include <set>

#include "dermis/metrics/classification.hpp"

namespace dermis {

std::string name(ArmStart start) {
  return start == ArmStart::Scratch      ? "scratch"
         : start == ArmStart::Pretrained ? "pretrained"
         : start == ArmStart::Distilled  ? "distilled"
                                         : "alone";
}

void from_name(ArmStart& start, const std::string& text) {
  for (const auto candidate :
       {ArmStart::Scratch, ArmStart::Pretrained, ArmStart::Distilled, ArmStart::Alone}) {
    if (name(candidate) != text) continue;
    start = candidate;
    return;
  }
  check_argument(false, "expected scratch, pretrained, distilled or alone, got ", text);
}

namespace {

void check_name(const std::string& name, const std::string& source) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  };
  check_runtime(!name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), plain),
                "[experiment] ", source,
                ": expected an arm's name of letters, digits, _, - and ., ", "got '", name, "'");
}

void check_arms(const Experiment& experiment, const std::string& source) {
  check_runtime(!experiment.arms.empty(), "[experiment] ", source, ": expected arms, got none");
  std::set<std::string> names;
  for (const auto& arm : experiment.arms) {
    check_name(arm.name, source);
    const bool distilled = arm.start == ArmStart::Distilled;
    check_runtime(distilled == !arm.teacher.empty(), "[experiment] ", source, ": arm ", arm.name,
                  distilled ? " is distilled and needs a teacher"
                            : " has a teacher and must start as distilled");
    check_runtime(arm.teacher.empty() || names.count(arm.teacher) == 1, "[experiment] ", source,
                  ": the teacher of arm ", arm.name, ", ", arm.teacher, ", is no arm before it");
    check_runtime(names.insert(arm.name).second, "[experiment] ", source, ": two arms are called ",
                  arm.name);
  }
  const auto check_known = [&](const std::string& name, const char* where) {
    check_runtime(names.count(name) == 1, "[experiment] ", source, ": ", where, " names arm '",
                  name, "', which is not there");
  };
  for (const auto& comparison : experiment.comparisons) {
    check_known(comparison.first, "a comparison");
    check_known(comparison.second, "a comparison");
  }
  for (const auto& sweep : experiment.sweeps)
    for (const auto& point : sweep.points) check_known(point.arm, "a sweep");
  if (experiment.judge.empty()) return;
  check_known(experiment.judge, "judge");
  for (const auto& arm : experiment.arms)
    check_runtime(arm.name != experiment.judge || (!arm.synthetic && arm.teacher.empty()),
                  "[experiment] ", source, ": the judge, ", arm.name,
                  ", must be trained on real images alone");
}

std::size_t index_of(const ExperimentResults& results, const std::string& arm) {
  const auto& arms = results.experiment.arms;
  const auto found =
      std::find_if(arms.begin(), arms.end(), [&](const ExperimentArm& a) { return a.name == arm; });
  check_argument(found != arms.end(), "[experiment] no arm called ", arm);
  return static_cast<std::size_t>(found - arms.begin());
}

std::vector<std::vector<int>> predictions(const std::vector<ArmRun>& runs) {
  std::vector<std::vector<int>> rows;
  for (const auto& run : runs) rows.push_back(run.predictions);
  return rows;
}

}  // namespace

Experiment read_experiment(const std::filesystem::path& file) {
  Experiment experiment;
  options_from_json(experiment, Json::read(file), file.string());
  check_arms(experiment, file.string());
  return experiment;
}

DermaeRecipe recipe_of(const Experiment& experiment, const ExperimentArm& arm,
                       DermaeRecipe recipe) {
  options_from_json(recipe, experiment.recipe, "the experiment's recipe");
  options_from_json(recipe, arm.recipe, "recipe of arm " + arm.name);
  set_image_size(recipe, recipe.image_size);
  try {
    validate(recipe);
  } catch (const std::exception& error) {
    throw std::runtime_error(text("[experiment] arm ", arm.name, ": ", error.what()));
  }
  return recipe;
}

const std::vector<ArmRun>& ExperimentResults::of(const std::string& arm) const {
  return runs[index_of(*this, arm)];
}

Interval ExperimentResults::balanced_accuracy(const std::string& arm) const {
  return balanced_accuracy_interval(labels, predictions(of(arm)), lesions);
}

Interval ExperimentResults::difference(const std::string& first, const std::string& second) const {
  return balanced_accuracy_difference(labels, predictions(of(first)), predictions(of(second)),
                                      lesions);
}

}  // namespace dermis
