#include "dermis/audit/dose_curve.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "arm.hpp"
#include "dermis/audit/equal_counts.hpp"
#include "dermis/core/random.hpp"
#include "dermis/metrics/seed_bootstrap.hpp"
#include "kinds.hpp"

namespace dermis {
namespace {

std::string digits(double value, int width) {
  const auto number = std::to_string(std::llround(value));
  return std::string(static_cast<std::size_t>(std::max(0, width - int(number.size()))), '0') +
         number;
}

void check_options(const DoseOptions& o) {
  check_argument(!o.real_shares.empty() && o.seeds >= 1,
                 "[dose_curve] expected at least 1 real share and 1 seed, got ",
                 o.real_shares.size(), " and ", o.seeds);
  std::set<std::string> names;
  bool baseline = false;
  for (const double dose : o.doses) {
    check_argument(dose >= 0 && std::isfinite(dose),
                   "[dose_curve] expected doses of at least 0, got ", dose);
    baseline = baseline || dose == 0;
    for (const double share : o.real_shares) {
      check_argument(share > 0 && share <= 1, "[dose_curve] expected real shares in (0, 1], got ",
                     share);
      check_argument(
          names.insert(dose_name(share, dose, 1)).second,
          "[dose_curve] expected doses 0.01 and real shares 0.001 apart, got two called ",
          dose_name(share, dose, 1));
    }
  }
  check_argument(baseline, "[dose_curve] expected dose 0 among the doses, to compare with");
  for (const double rate : o.learning_rates)
    check_argument(rate > 0, "[dose_curve] expected learning rates above 0, got ", rate);
}

void check_sets(const PixelSet& training, const PixelSet& synthetic, const PixelSet& validation,
                const PixelSet& test, const DoseOptions& options) {
  check_argument(training.classes == synthetic.classes && training.classes == test.classes,
                 "[dose_curve] expected the same classes in the same order in all sets");
  detail::check_synthetic(training, false, "dose_curve", "a training part");
  detail::check_synthetic(synthetic, true, "dose_curve", "a pool");
  detail::check_synthetic(validation, false, "dose_curve", "a validation part");
  detail::check_synthetic(test, false, "dose_curve", "a test part");
  check_argument(options.learning_rates.size() < 2 ||
                     (validation.size() > 0 && validation.classes == training.classes),
                 "[dose_curve] expected a validation part with the training part's classes to "
                 "choose among ",
                 options.learning_rates.size(), " learning rates on");
}

/// The pool's images in the order in which doses take them.
ClassRows shuffled_pool(const PixelSet& synthetic, std::uint64_t seed) {
  auto rows = class_rows(synthetic);
  for (std::size_t c = 0; c < rows.size(); ++c) {
    RandomStream stream(seed, "dose_curve/pool", 0, c);
    stream.shuffle(rows[c]);
  }
  return rows;
}

void check_pool(const ClassRows& pool, const std::vector<std::string>& classes,
                std::int64_t real_images, double dose) {
  const auto plan = dose_plan(real_images, static_cast<std::int64_t>(classes.size()), dose);
  std::int64_t missing = 0;
  std::string which;
  for (std::size_t c = 0; c < plan.size(); ++c) {
    const auto there = static_cast<std::int64_t>(pool[c].size());
    if (there >= plan[c]) continue;
    missing += plan[c] - there;
    which += text(which.empty() ? "" : ", ", plan[c] - there, " of ", classes[c], " (", plan[c],
                  " wanted, ", there, " there)");
  }
  check_argument(missing == 0, "[dose_curve] expected enough synthetic images for dose ", dose,
                 " of ", real_images, " real ones, ", missing, " are missing: ", which);
}

/// What one share and dose trains on.
struct Mixture {
  PixelSet images;
  std::int64_t real = 0;
};

Mixture mixture(const PixelSet& real, const PixelSet& synthetic, const ClassRows& pool,
                double dose) {
  const auto plan = dose_plan(real.size(), static_cast<std::int64_t>(real.classes.size()), dose);
  auto rows = pool;
  for (std::size_t c = 0; c < rows.size(); ++c) rows[c].resize(static_cast<std::size_t>(plan[c]));
  const auto taken = joined(rows);
  return {taken.empty() ? real : concatenate(real, synthetic.subset(taken)), real.size()};
}

/// How the classifiers of all seeds do on the test part, and the learning rate they have. The
/// classifiers themselves would be too many to keep.
struct Trained {
  std::vector<Evaluation> evaluations;
  double learning_rate = 0;
};

Trained train_seeds(const Mixture& data, const Normalization& normalization,
                    const PixelSet& validation, const PixelSet& test, double share, double dose,
                    const DoseOptions& options, const StageContext& context,
                    const Encoder& encoder) {
  auto rates = options.learning_rates;
  if (rates.empty()) rates = {options.classifier.training.learning_rate};
  Trained best;
  double best_score = -1;
  for (const double rate : rates) {
    Trained trained{{}, rate};
    auto classifier = options.classifier;
    classifier.training.learning_rate = rate;
    double score = 0;
    for (std::int64_t seed = 1; seed <= options.seeds; ++seed) {
      auto run = context;
      run.seed = context.seed + static_cast<std::uint64_t>(seed - 1);
      const auto name =
          dose_name(share, dose, seed) + (rates.size() > 1 ? text("_lr", rate) : std::string());
      const auto arm = std::filesystem::path(dose > 0 ? options.pool : "") / name;
      const auto model =
          detail::train_arm(data.images, normalization, classifier, run, arm.string(), encoder);
      trained.evaluations.push_back(evaluate(model, test));
      if (rates.size() > 1)
        score += balanced_accuracy(labels_of(validation),
                                   predict_probabilities(model, validation.images));
    }
    if (score > best_score) {
      best_score = score;
      best = std::move(trained);
    }
  }
  return best;
}

/// `points` and `baseline`: the seeds of one share and dose, and of the share and dose 0.
DoseEffect effect(const DosePoint* points, const DosePoint* baseline, const DoseOptions& options) {
  const auto& first = points->evaluation;
  const auto seeds = static_cast<std::size_t>(options.seeds);
  const auto score = [&](const DosePoint& point, const std::vector<std::int64_t>& rows) {
    return balanced_accuracy(select(first.labels, rows),
                             select(point.evaluation.predictions, rows));
  };
  DoseEffect result{points->real_share, points->dose, {}, {}};
  result.balanced_accuracy = seed_bootstrap_interval(
      first.lesions, seeds,
      [&](std::size_t seed, const auto& rows) { return score(points[seed], rows); },
      options.bootstrap);
  result.gain = seed_bootstrap_interval(
      first.lesions, seeds,
      [&](std::size_t seed, const auto& rows) {
        return score(points[seed], rows) - score(baseline[seed], rows);
      },
      options.bootstrap);
  return result;
}

}  // namespace

std::vector<std::int64_t> dose_plan(std::int64_t real_images, std::int64_t classes, double dose) {
  check_argument(real_images >= 0 && classes >= 1 && dose >= 0,
                 "[dose_curve] expected real images and a dose of at least 0 and 1 class, got ",
                 real_images, ", ", dose, " and ", classes);
  const auto total =
      static_cast<std::int64_t>(std::llround(dose * static_cast<double>(real_images)));
  std::vector<std::int64_t> plan(static_cast<std::size_t>(classes), total / classes);
  for (std::int64_t c = 0; c < total % classes; ++c) ++plan[static_cast<std::size_t>(c)];
  return plan;
}

std::vector<std::int64_t> real_subset(const PixelSet& training, double share, std::uint64_t seed) {
  check_argument(share > 0 && share <= 1, "[dose_curve] expected real shares in (0, 1], got ",
                 share);
  std::vector<std::int64_t> chosen;
  const auto by_class = class_rows(training);
  for (std::size_t c = 0; c < by_class.size(); ++c) {
    std::map<std::string, std::vector<std::int64_t>> lesions;  // by name: the order is the seed's
    for (const auto i : by_class[c]) {
      const auto& sample = training.samples[static_cast<std::size_t>(i)];
      lesions[sample.lesion.empty() ? "image " + sample.id : "lesion " + sample.lesion].push_back(
          i);
    }
    ClassRows groups;
    for (const auto& [name, images] : lesions) groups.push_back(images);
    RandomStream stream(seed, "dose_curve/real", 0, c);
    stream.shuffle(groups);
    const double wanted = share * static_cast<double>(by_class[c].size());
    std::size_t taken = 0;
    for (const auto& images : groups) {
      // Rounding must not ask for one image more than an exact share.
      if (static_cast<double>(taken) >= wanted - 1e-9) break;
      taken += images.size();
      chosen.insert(chosen.end(), images.begin(), images.end());
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::string dose_name(double real_share, double dose, std::int64_t seed) {
  return "dose_r" + digits(1000 * real_share, 4) + "_s" + digits(100 * dose, 3) + "_seed" +
         std::to_string(seed);
}

DoseCurve dose_curve(const PixelSet& training, const PixelSet& synthetic,
                     const PixelSet& validation, const PixelSet& test, const DoseOptions& options,
                     const StageContext& context, const Encoder& encoder) {
  check_options(options);
  check_sets(training, synthetic, validation, test, options);
  const auto pool = shuffled_pool(synthetic, context.seed);
  std::vector<PixelSet> real;  // of each share
  std::int64_t most = 0;
  for (const double share : options.real_shares) {
    real.push_back(training.subset(real_subset(training, share, context.seed)));
    most = std::max(most, real.back().size());
  }
  check_pool(pool, training.classes, most,
             *std::max_element(options.doses.begin(), options.doses.end()));

  DoseCurve curve;
  for (std::size_t r = 0; r < real.size(); ++r) {
    const double share = options.real_shares[r];
    const auto normalization = measure_normalization(real[r]);
    for (const double dose : options.doses) {
      const auto data = mixture(real[r], synthetic, pool, dose);
      auto trained = train_seeds(data, normalization, validation, test, share, dose, options,
                                 context, encoder);
      for (std::size_t k = 0; k < trained.evaluations.size(); ++k)
        curve.points.push_back({.real_share = share,
                                .dose = dose,
                                .seed = static_cast<std::int64_t>(k) + 1,
                                .real_images = data.real,
                                .synthetic_images = data.images.size() - data.real,
                                .learning_rate = trained.learning_rate,
                                .evaluation = std::move(trained.evaluations[k])});
    }
  }

  const auto zero =
      std::find(options.doses.begin(), options.doses.end(), 0.0) - options.doses.begin();
  const auto seeds = static_cast<std::size_t>(options.seeds), doses = options.doses.size();
  for (std::size_t r = 0; r < real.size(); ++r)
    for (std::size_t d = 0; d < doses; ++d)
      curve.effects.push_back(
          effect(&curve.points[(r * doses + d) * seeds],
                 &curve.points[(r * doses + static_cast<std::size_t>(zero)) * seeds], options));
  return curve;
}

Json to_json(const DoseCurve& curve) {
  Json points = Json::array(), effects = Json::array();
  for (const auto& point : curve.points)
    points.push_back(Json::object({{"real_share", point.real_share},
                                   {"dose", point.dose},
                                   {"seed", point.seed},
                                   {"real_images", point.real_images},
                                   {"synthetic_images", point.synthetic_images},
                                   {"learning_rate", point.learning_rate},
                                   {"evaluation", to_json(point.evaluation)}}));
  for (const auto& effect : curve.effects)
    effects.push_back(Json::object({{"real_share", effect.real_share},
                                    {"dose", effect.dose},
                                    {"balanced_accuracy", to_json(effect.balanced_accuracy)},
                                    {"gain", to_json(effect.gain)}}));
  return Json::object({{"points", std::move(points)}, {"effects", std::move(effects)}});
}

}  // namespace dermis
