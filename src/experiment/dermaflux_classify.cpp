#include <algorithm>
#include <cmath>

#include "dermis/audit/equal_counts.hpp"
#include "dermis/core/file.hpp"
#include "dermis/experiment/dermaflux.hpp"
#include "dermis/metrics/classification.hpp"
#include "dermis/metrics/seed_bootstrap.hpp"

namespace dermis {
namespace {

/// Equally many prompts of each class: the training images' descriptions, in new words.
std::vector<ImageRequest> requests_of(const CaptionedSet& training, std::int64_t per_class,
                                      std::uint64_t seed) {
  std::vector<std::vector<const LesionDescription*>> by_class(2);
  for (const auto& d : training.descriptions) by_class[d.malignant ? 1 : 0].push_back(&d);
  std::vector<ImageRequest> requests;
  for (std::size_t c = 0; c < 2; ++c) {
    check_runtime(!by_class[c].empty(),
                  "[dermaflux] expected benign and malignant training images, "
                  "got none that are ",
                  malignancy_classes()[c]);
    for (std::int64_t i = 0; i < per_class; ++i) {
      const auto number = i + static_cast<std::int64_t>(c) * per_class;
      const auto& d = *by_class[c][static_cast<std::size_t>(i) % by_class[c].size()];
      requests.push_back({caption(d, static_cast<std::uint64_t>(number), {.seed = seed + 2}),
                          number, malignancy_classes()[c]});
    }
  }
  return requests;
}

/// `figure` of each share and dose, over lesions and seeds; the points of one lie together.
template <class Figure>
std::vector<Interval> intervals(const DoseCurve& curve, const Figure& figure) {
  std::vector<Interval> all;
  const auto seeds = curve.points.size() / curve.effects.size();
  for (std::size_t e = 0; e < curve.effects.size(); ++e)
    all.push_back(seed_bootstrap_interval(
        curve.points.front().evaluation.lesions, seeds,
        [&](std::size_t seed, const auto& rows) { return figure(e * seeds + seed, rows); }));
  return all;
}

std::vector<Interval> malignant_auc(const DoseCurve& curve) {
  return intervals(curve, [&](std::size_t point, const std::vector<std::int64_t>& rows) {
    const auto& e = curve.points[point].evaluation;
    std::vector<double> scores;
    for (const auto row : rows) scores.push_back(e.probabilities(row, 1));
    return auc(scores, select(e.labels, rows));
  });
}

std::vector<Interval> plain_accuracy(const DoseCurve& curve) {
  return intervals(curve, [&](std::size_t point, const std::vector<std::int64_t>& rows) {
    const auto& e = curve.points[point].evaluation;
    return accuracy(select(e.labels, rows), select(e.predictions, rows));
  });
}

std::vector<Interval> difference(const DoseCurve& first, const DoseCurve& second) {
  return intervals(first, [&](std::size_t point, const std::vector<std::int64_t>& rows) {
    const auto score = [&](const DoseCurve& curve) {
      const auto& e = curve.points[point].evaluation;
      return balanced_accuracy(select(e.labels, rows), select(e.predictions, rows));
    };
    return score(first) - score(second);
  });
}

/// The first few drawn images of each class.
PixelSet examples_of(const PixelSet& pool) {
  auto rows = class_rows(pool);
  for (auto& of_class : rows) of_class.resize(std::min<std::size_t>(6, of_class.size()));
  return pool.subset(joined(rows));
}

}  // namespace

ClassifyResults classify(const DermafluxRecipe& recipe, const CaptionedSet& training,
                         const DataParts& parts, const StageContext& context) {
  const auto real = by_malignancy(training.set);
  const auto validation = by_malignancy(parts.validation), test = by_malignancy(parts.test);
  const double most = *std::max_element(recipe.doses.begin(), recipe.doses.end());
  const auto per_class = dose_plan(real.size(), 2, most).front();
  DoseOptions options{.classifier = recipe.classifier,
                      .doses = recipe.doses,
                      .real_shares = recipe.real_shares,
                      .seeds = recipe.seeds};
  ClassifyResults results;
  KLVAE autoencoder = nullptr;
  for (const auto objective : {Objective::Flow, Objective::Velocity}) {
    const std::string method = objective == Objective::Flow ? "flow" : "diffusion";
    auto place = context;
    if (objective != Objective::Flow) place.out /= method;
    make_directories(place.out);
    auto drawing = recipe;
    drawing.generator.objective = objective;
    const auto model = train_dermaflux(drawing, training, place, autoencoder);
    autoencoder = model.autoencoder;
    const auto pool =
        draw_images(prompted(model), requests_of(training, per_class, context.seed),
                    malignancy_classes(), context.seed, place.out / "synthetic", context.progress);
    options.pool = method;
    const auto curve = dose_curve(real, pool, validation, test, options, context);
    results.curves.push_back(
        {method, curve, plain_accuracy(curve), malignant_auc(curve), examples_of(pool)});
  }
  results.flow_minus_diffusion = difference(results.curves[0].curve, results.curves[1].curve);
  return results;
}

Json to_json(const ClassifyResults& r) {
  Json methods = Json::object();
  for (const auto& [method, curve, accuracies, areas, examples] : r.curves) {
    Json effects = Json::array();
    for (std::size_t e = 0; e < curve.effects.size(); ++e) {
      const auto& effect = curve.effects[e];
      const auto& point = curve.points[e * curve.points.size() / curve.effects.size()];
      effects.push_back(Json::object({{"real_share", effect.real_share},
                                      {"dose", effect.dose},
                                      {"real_images", point.real_images},
                                      {"synthetic_images", point.synthetic_images},
                                      {"balanced_accuracy", to_json(effect.balanced_accuracy)},
                                      {"gain", to_json(effect.gain)},
                                      {"accuracy", to_json(accuracies[e])},
                                      {"auc", to_json(areas[e])}}));
    }
    methods[method] = effects;
  }
  Json differences = Json::array();
  for (const auto& interval : r.flow_minus_diffusion) differences.push_back(to_json(interval));
  return Json::object({{"methods", methods}, {"flow_minus_diffusion", differences}});
}

}  // namespace dermis
