#include <algorithm>

#include "../metrics/format.hpp"
#include "dermae_page.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/card.hpp"
#include "dermis/report/dermae_report.hpp"

namespace dermis {

using detail::format;
using detail::percent;

const DermaeArm& DermaeResults::arm(const std::string& name) const {
  const auto found = std::find_if(arms.begin(), arms.end(),
                                  [&](const DermaeArm& arm) { return arm.name == name; });
  check_argument(found != arms.end(), "[report] no arm called ", name);
  return *found;
}

bool DermaeResults::passed() const {
  return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.passed; });
}

namespace {

/// The audit's figures for all classes together, under the names of earlier runs.
Json generation(const AuditResults& audit) {
  Json json = Json::object({{"class_fidelity", to_json(audit.fidelity.evaluation)}});
  if (!audit.distribution) return json;
  const auto& all = audit.distribution->all;
  const auto put = [&](const char* kid, const char* fid, const DistributionFigures& figures) {
    json[kid] = figures.kid ? to_json(*figures.kid) : Json();
    json[fid] = figures.fid ? Json(*figures.fid) : Json();
  };
  put("kid", "fid", all.synthetic_figures);
  put("kid_real", "fid_real", all.floor);
  json["n"] = all.n;
  return json;
}

Json to_json(const ModelCost& cost, const DermaeArm& arm) {
  return Json::object({{"parameters", cost.parameters},
                       {"bytes", cost.bytes},
                       {"latency_ms", cost.latency_ms},
                       {"balanced_accuracy", arm.evaluation.balanced_accuracy.mean}});
}

Json metrics(const DermaeResults& r) {
  Json baselines = Json::object(), arms = Json::object(), plan = Json::object(),
       passed = Json::array(), curves = Json::object();
  for (const auto& baseline : r.baselines) {
    auto entry = dermis::to_json(baseline.evaluation);
    entry["l2"] = baseline.l2;
    baselines[baseline.name] = entry;
  }
  for (const auto& arm : r.arms) {
    auto entry = dermis::to_json(arm.evaluation);
    entry["image_passes"] = arm.image_passes;
    entry["description"] = arm.description;
    arms[arm.name] = entry;
  }
  for (std::size_t c = 0; c < r.plan.size(); ++c) plan[r.parts.train.classes[c]] = r.plan[c];
  for (const auto& check : r.checks)
    passed.push_back(
        Json::object({{"name", check.name}, {"found", check.found}, {"passed", check.passed}}));
  for (const auto& [stage, result] : r.curves) curves[stage] = dermis::to_json(result.curve);
  const auto& teacher = r.arm("teacher");
  const auto& student = r.arm("student");
  return Json::object(
      {{"preset", r.recipe.preset},
       {"seed", r.seed},
       {"seconds", r.seconds},
       {"data", dermis::to_json(r.parts)},
       {"baselines", baselines},
       {"autoencoder", Json::object({{"psnr", r.psnr}, {"bicubic_psnr", r.bicubic_psnr}})},
       {"denoising",
        Json::object(
            {{"model", r.denoising.model},
             {"linear", r.denoising.linear},
             {"shuffled_labels", r.denoising.shuffled},
             {"linear_minus_model", dermis::to_json(r.denoising.linear_minus_model)},
             {"shuffled_minus_model", dermis::to_json(r.denoising.shuffled_minus_model)}})},
       {"synthetic_training_images", plan},
       {"generation", generation(r.audit)},
       {"masked_patches", Json::object({{"error", r.masked.model},
                                        {"mean_fill_error", r.masked.mean_fill},
                                        {"reduction", r.masked.reduction()}})},
       {"arms", arms},
       {"teacher_minus_best_baseline", dermis::to_json(r.teacher_margin)},
       {"teacher", to_json(r.teacher, teacher)},
       {"student", to_json(r.student, student)},
       {"retention",
        student.evaluation.balanced_accuracy.mean / teacher.evaluation.balanced_accuracy.mean},
       {"size_reduction",
        1 - static_cast<double>(r.student.parameters) / static_cast<double>(r.teacher.parameters)},
       {"speedup", r.teacher.latency_ms / r.student.latency_ms},
       {"checks", passed},
       {"curves", curves},
       {"recipe", options_to_json(r.recipe)}});
}

}  // namespace

void conclude(DermaeResults& r) {
  const auto& teacher = r.arm("teacher").evaluation;
  const auto& best = best_baseline(r.baselines);
  r.teacher_margin = balanced_accuracy_difference(teacher.labels, teacher.predictions,
                                                  best.evaluation.predictions, teacher.lesions);
  const double fidelity = r.audit.fidelity.evaluation.balanced_accuracy.mean;
  const double wanted = r.recipe.preset == "study" ? 0.6 : 0.3;
  r.checks = {
      {"masked patches: error at least 30 % below filling with the visible patches' mean",
       percent(r.masked.reduction()) + " below", r.masked.reduction() >= 0.3},
      {"autoencoder: PSNR above bicubic 8x down and up",
       format("%.4g", r.psnr) + " dB against " + format("%.4g", r.bicubic_psnr) + " dB",
       r.psnr > r.bicubic_psnr},
      {"generator: held-out denoising loss below the best linear denoiser's",
       format("%.4g", r.denoising.model) + " against " + format("%.4g", r.denoising.linear),
       r.denoising.linear_minus_model.lo > 0},
      {"generator: true labels denoise better than shuffled ones",
       format("%.4g", r.denoising.model) + " against " + format("%.4g", r.denoising.shuffled),
       r.denoising.shuffled_minus_model.lo > 0},
      {"teacher: above the best trivial baseline, paired interval above 0",
       percent(teacher.balanced_accuracy.mean) + " against " +
           percent(best.evaluation.balanced_accuracy.mean) + " (" + best.name +
           "), difference at least " + percent(r.teacher_margin.lo),
       r.teacher_margin.lo > 0},
      {"synthetic images: intended class recognised with balanced accuracy of at least " +
           percent(wanted),
       percent(fidelity), fidelity >= wanted}};
}

void write_results(const std::filesystem::path& out, const DermaeResults& results) {
  make_directories(out);
  const auto figures = metrics(results), audit = to_json(results.audit);
  write_atomically(out / "metrics.json", figures.dump(2) + "\n");
  write_atomically(out / "audit.json", audit.dump(2) + "\n");
  write_atomically(out / "model_card.md", to_markdown(model_card(figures, audit)));
  write_atomically(out / "synthetic_data_card.md",
                   to_markdown(synthetic_data_card(figures, audit)));
  write_dermae_page(out / "report.html", results);
}

}  // namespace dermis
