#include "dermis/audit/realness.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "dermis/audit/equal_counts.hpp"
#include "dermis/data/split.hpp"
#include "dermis/metrics/linear_classifier.hpp"
#include "kinds.hpp"

namespace dermis {
namespace {

/// Real and synthetic images of the classes that are compared, real ones first.
struct Sides {
  PixelSet images;                   // labels are the lesion classes
  std::vector<int> synthetic;        // 1 or 0 for each image
  std::vector<std::string> lesions;  // of each image
  std::vector<std::int64_t> n;       // of each class on either side
};

std::int64_t groups_of(const PixelSet& set, const std::vector<std::int64_t>& rows) {
  std::vector<Sample> samples;
  for (const auto i : rows) samples.push_back(set.samples[static_cast<std::size_t>(i)]);
  const auto groups = joined_groups(samples);
  return groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
}

Sides equal_sides(const PixelSet& real, const PixelSet& synthetic, const RealnessOptions& options) {
  auto rows = equal_class_rows({&real, &synthetic}, options.seed);
  Sides sides;
  for (std::size_t c = 0; c < rows[0].size(); ++c) {
    const auto count = static_cast<std::int64_t>(rows[0][c].size());
    if (count < options.minimum_images || groups_of(real, rows[0][c]) < options.folds ||
        groups_of(synthetic, rows[1][c]) < options.folds) {
      rows[0][c].clear();
      rows[1][c].clear();
    }
    sides.n.push_back(static_cast<std::int64_t>(rows[0][c].size()));
  }
  const auto from_real = joined(rows[0]), from_synthetic = joined(rows[1]);
  check_argument(!from_real.empty(), "[realness] expected a class with at least ",
                 options.minimum_images, " images and ", options.folds,
                 " lesions on either side, got none");
  sides.images = concatenate(real.subset(from_real), synthetic.subset(from_synthetic));
  for (const auto& sample : sides.images.samples) sides.synthetic.push_back(sample.synthetic);
  sides.lesions = lesions_of(sides.images);
  return sides;
}

/// Folds by lesion and patient that hold equal shares of each class on each side.
std::vector<std::vector<std::int64_t>> folds_of(const Sides& sides,
                                                const RealnessOptions& options) {
  std::vector<std::string> names;  // of what is to be spread evenly: the classes of each side
  std::vector<int> place(2 * sides.n.size());
  for (std::size_t c = 0; c < sides.n.size(); ++c) {
    if (sides.n[c] == 0) continue;
    for (const std::size_t side : {0, 1}) {
      place[2 * c + side] = static_cast<int>(names.size());
      names.push_back((side ? "synthetic " : "real ") + sides.images.classes[c]);
    }
  }
  auto samples = sides.images.samples;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    auto& sample = samples[i];
    sample.id = std::to_string(i);
    sample.label = place[static_cast<std::size_t>(2 * sample.label + sample.synthetic)];
    sample.synthetic = false;  // the split takes real images only: nothing is trained on here
  }
  const Dataset data(names, samples, [](std::int64_t) { return Image(); });
  return grouped_stratified_folds(data, options.folds, options.seed);
}

/// The probability of "synthetic" of each row of x, from the folds that it is not in.
std::vector<double> out_of_fold_scores(const Eigen::MatrixXd& x, const std::vector<int>& synthetic,
                                       const std::vector<std::vector<std::int64_t>>& folds,
                                       double l2) {
  std::vector<double> scores(synthetic.size());
  for (const auto& held_out : folds) {
    std::vector<std::int64_t> others;
    for (const auto& fold : folds)
      if (&fold != &held_out) others.insert(others.end(), fold.begin(), fold.end());
    const auto probe = fit_linear_classifier(select_rows(x, others), select(synthetic, others), 2,
                                             {.l2 = l2, .balanced = true});
    const auto probabilities = probe.probabilities(select_rows(x, held_out));
    for (std::size_t k = 0; k < held_out.size(); ++k)
      scores[static_cast<std::size_t>(held_out[k])] =
          probabilities(static_cast<Eigen::Index>(k), 1);
  }
  return scores;
}

/// The AUC within each class over `rows`; NaN where a side is empty.
std::vector<double> auc_within_classes(const std::vector<double>& scores,
                                       const std::vector<int>& labels, const Sides& sides,
                                       const std::vector<std::int64_t>& rows) {
  ClassRows by_class(sides.n.size());
  for (const auto i : rows)
    by_class[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])].push_back(i);
  std::vector<double> areas;
  for (const auto& of_class : by_class)
    areas.push_back(auc(select(scores, of_class), select(sides.synthetic, of_class)));
  return areas;
}

RealnessProbe probe(const NamedFeatures& features, const Sides& sides,
                    const std::vector<std::vector<std::int64_t>>& folds,
                    const RealnessOptions& options) {
  const auto scores = out_of_fold_scores(features.features(sides.images.images), sides.synthetic,
                                         folds, options.l2);
  const auto labels = labels_of(sides.images);
  const auto within = [&](const std::vector<std::int64_t>& rows) {
    return auc_within_classes(scores, labels, sides, rows);
  };
  RealnessProbe result{features.name, {}, {}};
  result.auc = bootstrap_interval(
      sides.lesions, [&](const auto& rows) { return mean_defined(within(rows)); },
      options.bootstrap);
  const auto k = static_cast<double>(options.folds);
  const double widening = std::sqrt(1 + k / (k - 1));
  result.auc.lo = std::max(0.0, result.auc.mean - widening * (result.auc.mean - result.auc.lo));
  result.auc.hi = std::min(1.0, result.auc.mean + widening * (result.auc.hi - result.auc.mean));
  std::vector<std::int64_t> all(scores.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  result.class_auc = within(all);
  return result;
}

}  // namespace

RealnessAudit realness_probe(const PixelSet& real, const PixelSet& synthetic,
                             const std::vector<NamedFeatures>& features,
                             const RealnessOptions& options) {
  check_argument(options.folds >= 2 && options.minimum_images >= options.folds,
                 "[realness] expected at least 2 folds and as many images, got ", options.folds,
                 " and ", options.minimum_images);
  check_argument(!features.empty(), "[realness] expected features to probe, got none");
  detail::check_synthetic(real, false, "realness", "a real side");
  detail::check_synthetic(synthetic, true, "realness", "a synthetic side");
  const auto sides = equal_sides(real, synthetic, options);
  const auto folds = folds_of(sides, options);
  RealnessAudit audit{real.classes, sides.n, {}};
  for (const auto& named : features) audit.probes.push_back(probe(named, sides, folds, options));
  return audit;
}

Json to_json(const RealnessAudit& audit) {
  Json images = Json::object(), probes = Json::object(), told_by = Json::array();
  for (std::size_t c = 0; c < audit.classes.size(); ++c) images[audit.classes[c]] = audit.n[c];
  for (const auto& found : audit.probes) {
    Json by_class = Json::object();
    for (std::size_t c = 0; c < audit.classes.size(); ++c)
      by_class[audit.classes[c]] = found.class_auc[c];
    probes[found.name] = Json::object({{"auc", to_json(found.auc)},
                                       {"auc_by_class", std::move(by_class)},
                                       {"tells", found.tells()}});
    if (found.tells()) told_by.push_back(found.name);
  }
  return Json::object({{"images_a_side", std::move(images)},
                       {"probes", std::move(probes)},
                       {"told_by", std::move(told_by)}});
}

}  // namespace dermis
