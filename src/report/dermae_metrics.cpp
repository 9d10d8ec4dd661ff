#include <algorithm>

#include "dermae_page.hpp"
#include "dermis/core/file.hpp"
#include "dermis/metrics/generation.hpp"
#include "dermis/report/dermae_report.hpp"
#include "format.hpp"

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

/// The first images of each class, `per_class` of them.
PixelSet balanced(const PixelSet& set, std::int64_t per_class) {
  std::vector<std::int64_t> taken(set.classes.size(), 0), rows;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    auto& count = taken[static_cast<std::size_t>(set.samples[static_cast<std::size_t>(i)].label)];
    if (count < per_class) {
      ++count;
      rows.push_back(i);
    }
  }
  return set.subset(rows);
}

std::int64_t smallest_class(const PixelSet& set) {
  const auto counts = set.class_counts();
  return *std::min_element(counts.begin(), counts.end());
}

const Baseline& best_baseline(const DermaeResults& r) {
  return *std::max_element(
      r.baselines.begin(), r.baselines.end(), [](const Baseline& a, const Baseline& b) {
        return a.evaluation.balanced_accuracy.mean < b.evaluation.balanced_accuracy.mean;
      });
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
       {"generation", Json::object({{"kid", dermis::to_json(r.kid)},
                                    {"kid_real", dermis::to_json(r.kid_real)},
                                    {"fid", r.fid},
                                    {"fid_real", r.fid_real},
                                    {"n", r.fid_n},
                                    {"class_fidelity", dermis::to_json(r.fidelity)}})},
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

void measure_generation(DermaeResults& r, const Classifier& judge) {
  const auto per_class = std::min({smallest_class(r.drawn), smallest_class(r.parts.test)});
  const auto real = encoder_features(judge, balanced(r.parts.test, per_class).images);
  const auto drawn = encoder_features(judge, balanced(r.drawn, per_class).images);
  r.kid = kernel_distance(drawn, real, {.seed = r.seed});
  r.fid = frechet_distance(drawn, real);
  r.fid_n = real.rows();
  // Rare classes have few training images, so the floor is measured on as many as there are.
  const auto floor_per_class = std::min(per_class, smallest_class(r.parts.train));
  const auto train = encoder_features(judge, balanced(r.parts.train, floor_per_class).images);
  const auto held_out = encoder_features(judge, balanced(r.parts.test, floor_per_class).images);
  r.kid_real = kernel_distance(train, held_out, {.seed = r.seed});
  r.fid_real = frechet_distance(train, held_out);
  r.fidelity = evaluate(judge, r.drawn);
}

void conclude(DermaeResults& r) {
  const auto& teacher = r.arm("teacher").evaluation;
  const auto& best = best_baseline(r);
  r.teacher_margin = balanced_accuracy_difference(teacher.labels, teacher.predictions,
                                                  best.evaluation.predictions, teacher.lesions);
  const double fidelity = r.fidelity.balanced_accuracy.mean;
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
  write_atomically(out / "metrics.json", metrics(results).dump(2) + "\n");
  write_dermae_page(out / "report.html", results);
}

}  // namespace dermis
