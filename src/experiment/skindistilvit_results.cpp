#include <algorithm>
#include <cmath>

#include "dermis/experiment/skindistilvit.hpp"
#include "dermis/metrics/decision.hpp"
#include "dermis/metrics/seed_bootstrap.hpp"

namespace dermis {

std::optional<CancerFigures> cancer_against_rest(const Evaluation& e) {
  std::vector<bool> malignant;
  for (const auto& name : e.classes)
    malignant.push_back(name == "MEL" || name == "BCC" || name == "SCC");
  std::vector<int> positive;
  std::vector<double> scores;
  for (std::size_t i = 0; i < e.labels.size(); ++i) {
    positive.push_back(malignant[static_cast<std::size_t>(e.labels[i])]);
    double sum = 0;
    for (std::size_t c = 0; c < malignant.size(); ++c)
      if (malignant[c])
        sum += e.probabilities(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c));
    scores.push_back(sum);
  }
  const auto positives = std::count(positive.begin(), positive.end(), 1);
  if (positives == 0 || positives == static_cast<std::ptrdiff_t>(positive.size())) return {};
  const auto point = point_at(0.5, scores, positive);
  return CancerFigures{auc(scores, positive), point.sensitivity, point.specificity};
}

std::vector<const DepthRun*> SkinDistilViTResults::of(const std::string& method,
                                                      std::int64_t depth) const {
  std::vector<const DepthRun*> found;
  for (const auto& seed : seeds)
    for (const auto& run : seed.runs)
      if (run.method == method && run.depth == depth) found.push_back(&run);
  return found;
}

std::vector<std::int64_t> SkinDistilViTResults::depths(const std::string& method) const {
  std::vector<std::int64_t> all;
  if (!seeds.empty())
    for (const auto& run : seeds.front().runs)
      if (run.method == method) all.push_back(run.depth);
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<std::string> SkinDistilViTResults::methods() const {
  std::vector<std::string> all;
  if (!seeds.empty())
    for (const auto& run : seeds.front().runs)
      if (all.empty() || all.back() != run.method) all.push_back(run.method);
  return all;
}

namespace {

using Runs = std::vector<const DepthRun*>;

std::vector<std::vector<int>> predictions(const Runs& runs) {
  std::vector<std::vector<int>> rows;
  for (const auto* run : runs) rows.push_back(run->evaluation.predictions);
  return rows;
}

}  // namespace

Interval SkinDistilViTResults::balanced_accuracy(const std::string& method,
                                                 std::int64_t depth) const {
  const auto runs = of(method, depth);
  check_argument(!runs.empty(), "[skindistilvit] no ", method, " of depth ", depth);
  return balanced_accuracy_interval(labels, predictions(runs), lesions);
}

Interval SkinDistilViTResults::difference(const std::string& first, std::int64_t first_depth,
                                          const std::string& second,
                                          std::int64_t second_depth) const {
  return balanced_accuracy_difference(labels, predictions(of(first, first_depth)),
                                      predictions(of(second, second_depth)), lesions);
}

Interval SkinDistilViTResults::teacher_margin() const {
  const auto& best = best_baseline(baselines).evaluation.predictions;
  const auto teachers = predictions(of("teacher", depths("teacher").front()));
  const std::vector<std::vector<int>> theirs(teachers.size(), best);
  return balanced_accuracy_difference(labels, teachers, theirs, lesions);
}

namespace {

/// Mean over the seeds of figure(evaluation).
template <class Figure>
double mean_over(const Runs& runs, Figure&& figure) {
  double sum = 0;
  for (const auto* run : runs) sum += figure(run->evaluation);
  return sum / static_cast<double>(runs.size());
}

/// Mean over the classes that have images, each alike or by its images; undefined counts as 0.
double over_classes(const std::vector<double>& values, const std::vector<std::int64_t>& support,
                    bool weighted) {
  double sum = 0, total = 0;
  for (std::size_t c = 0; c < values.size(); ++c) {
    const double weight = weighted ? static_cast<double>(support[c]) : support[c] > 0 ? 1 : 0;
    if (weight > 0 && !std::isnan(values[c])) sum += weight * values[c];
    total += weight;
  }
  return sum / total;
}

Json averages(const Runs& runs, std::vector<double> PerClass::*figure) {
  const auto of = [&](bool weighted) {
    return mean_over(runs, [&](const Evaluation& e) {
      return over_classes(e.per_class.*figure, e.per_class.support, weighted);
    });
  };
  return Json::object({{"weighted", of(true)}, {"macro", of(false)}});
}

Json cancer_json(const Runs& runs) {
  if (!cancer_against_rest(runs.front()->evaluation)) return {};
  const auto of = [&](double CancerFigures::*figure) {
    return mean_over(runs, [&](const Evaluation& e) { return (*cancer_against_rest(e)).*figure; });
  };
  return Json::object({{"auc", of(&CancerFigures::auc)},
                       {"sensitivity", of(&CancerFigures::sensitivity)},
                       {"specificity", of(&CancerFigures::specificity)}});
}

Json recall_json(const Runs& runs, const std::vector<std::string>& classes) {
  Json recall = Json::object();
  for (std::size_t c = 0; c < classes.size(); ++c)
    recall[classes[c]] =
        mean_over(runs, [&](const Evaluation& e) { return e.per_class.recall[c]; });
  return recall;
}

Json figures(const SkinDistilViTResults& r, const std::string& method, std::int64_t depth) {
  const auto runs = r.of(method, depth);
  auto balanced = to_json(r.balanced_accuracy(method, depth));
  balanced["by_seed"] = Json::array();
  for (const auto* run : runs)
    balanced["by_seed"].push_back(run->evaluation.balanced_accuracy.mean);
  const auto mean = [&](double Evaluation::*figure) {
    return mean_over(runs, [&](const Evaluation& e) { return e.*figure; });
  };
  return Json::object({{"depth", depth},
                       {"balanced_accuracy", balanced},
                       {"accuracy", mean(&Evaluation::accuracy)},
                       {"precision", averages(runs, &PerClass::precision)},
                       {"recall", averages(runs, &PerClass::recall)},
                       {"f1", averages(runs, &PerClass::f1)},
                       {"macro_auc", mean(&Evaluation::macro_auc)},
                       {"calibration_error", mean(&Evaluation::calibration_error)},
                       {"recall_by_class", recall_json(runs, r.classes)},
                       {"cancer", cancer_json(runs)}});
}

Json cost_json(const DepthCost& cost) {
  return Json::object({{"depth", cost.depth},
                       {"parameters", cost.parameters},
                       {"bytes", cost.bytes},
                       {"latency_1_ms", cost.latency_1_ms},
                       {"latency_64_ms", cost.latency_64_ms}});
}

/// Points of one threshold, their mean over the seeds.
Json exit_json(const SkinDistilViTResults& r, std::size_t method) {
  Json points = Json::array();
  const auto count = static_cast<double>(r.seeds.size());
  for (std::size_t p = 0; p < r.seeds.front().early_exit[method].second.size(); ++p) {
    const auto mean = [&](double ExitPoint::*figure) {
      double sum = 0;
      for (const auto& seed : r.seeds) sum += seed.early_exit[method].second[p].*figure;
      return sum / count;
    };
    points.push_back(
        Json::object({{"threshold", mean(&ExitPoint::threshold)},
                      {"mean_depth", mean(&ExitPoint::mean_depth)},
                      {"accuracy", mean(&ExitPoint::accuracy)},
                      {"balanced_accuracy", mean(&ExitPoint::balanced_accuracy)},
                      {"random_accuracy", mean(&ExitPoint::random_accuracy)},
                      {"random_balanced_accuracy", mean(&ExitPoint::random_balanced_accuracy)}}));
  }
  return points;
}

/// What the student keeps, saves and gains.
void add_student(Json& json, const SkinDistilViTResults& r) {
  const auto of = [&](std::int64_t depth) { return r.cost[static_cast<std::size_t>(depth - 1)]; };
  const auto large = r.depths("teacher").front(), small = r.depths("student").front();
  const auto kept_of = [&](const std::string& teacher) {
    return r.balanced_accuracy("student", small).mean / r.balanced_accuracy(teacher, large).mean;
  };
  json["retention"] = kept_of("teacher");
  if (!r.depths("teacher_longer").empty()) json["retention_longer"] = kept_of("teacher_longer");
  json["retention_counts"] = !r.baselines.empty() && r.teacher_margin().mean >= 0.15;
  json["size_reduction"] =
      1 - static_cast<double>(of(small).bytes) / static_cast<double>(of(large).bytes);
  json["speedup"] = of(large).latency_1_ms / of(small).latency_1_ms;
  json["differences"] = Json::array();
  for (const auto& method : r.methods()) {
    if (method == "student") continue;
    const auto depths = r.depths(method);
    const bool at_every_depth = depths.size() > 1;
    const auto depth = at_every_depth ? small : depths.front();
    json["differences"].push_back(
        Json::object({{"first", method},
                      {"second", "student"},
                      {"depth", depth},
                      {"difference", to_json(r.difference(method, depth, "student", small))}}));
  }
}

}  // namespace

Json to_json(const SkinDistilViTResults& r) {
  Json seeds = Json::array(), cost = Json::array(), by_depth = Json::object(),
       ablation = Json::object(), exits = Json::object(), baselines = Json::object();
  for (const auto& seed : r.seeds) seeds.push_back(std::to_string(seed.seed));
  for (const auto& depth : r.cost) cost.push_back(cost_json(depth));
  for (const auto& b : r.baselines) baselines[b.name] = to_json(b.evaluation.balanced_accuracy);
  auto json =
      Json::object({{"preset", r.recipe.preset},
                    {"variant", r.recipe.variant},
                    {"data", r.data},
                    {"split", r.split},
                    {"seeds", seeds},
                    {"classes", r.classes},
                    {"test_images", r.labels.size()},
                    {"baselines", baselines},
                    {"teacher_margin", r.baselines.empty() ? Json() : to_json(r.teacher_margin())},
                    {"cost", cost}});
  for (const auto& method : r.methods()) {
    const auto depths = r.depths(method);
    const std::string prefix = "student_with";  // of the ablation: student_without_kl ...
    if (depths.size() > 1 || method.rfind("cascade", 0) == 0) {
      for (const auto depth : depths) by_depth[method].push_back(figures(r, method, depth));
    } else if (method.rfind(prefix, 0) == 0) {
      ablation[method.substr(8)] = figures(r, method, depths.front());
    } else {
      json[method] = figures(r, method, depths.front());
    }
  }
  if (ablation.size() > 0) json["ablation"] = ablation;
  if (!r.depths("student").empty()) add_student(json, r);
  json["by_depth"] = by_depth;
  for (std::size_t m = 0; m < r.seeds.front().early_exit.size(); ++m)
    exits[r.seeds.front().early_exit[m].first] = exit_json(r, m);
  json["early_exit"] = exits;
  json["recipe"] = options_to_json(r.recipe);
  return json;
}

}  // namespace dermis
