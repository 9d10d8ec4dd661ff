#include "dermis/audit/distribution.hpp"

#include <algorithm>

#include "dermis/audit/equal_counts.hpp"
#include "kinds.hpp"

namespace dermis {
namespace {

/// Features of the three sets, whose rows [first, first + n) are of the same class.
struct Features {
  Eigen::MatrixXd train, held_out, synthetic;
};

DistributionFigures compare(const Eigen::MatrixXd& judged, const Eigen::MatrixXd& held_out,
                            const DistributionOptions& options, bool with_fid) {
  DistributionFigures figures;
  figures.kid = kernel_distance(judged, held_out, options.kernel);
  figures.manifold = manifold_metrics(held_out, judged, options.neighbours);
  if (with_fid) figures.fid = frechet_distance(judged, held_out);
  return figures;
}

/// Fills in the figures of `result` from the rows [first, first + result.n).
void measure(ClassDistribution& result, const Features& features, Eigen::Index first,
             const DistributionOptions& options) {
  if (result.n < options.minimum_images) {
    result.missing = text("figures need ", options.minimum_images, " images a side, ", result.n,
                          " are in all three sets");
    return;
  }
  const auto width = features.train.cols();
  const auto for_fid = options.minimum_for_fid > 0 ? options.minimum_for_fid : width + 1;
  const bool with_fid = result.n >= for_fid;
  if (!with_fid)
    result.missing = text("FID on ", width, " features needs ", for_fid, " images a side, ",
                          result.n, " are in all three sets");
  const auto held_out = features.held_out.middleRows(first, result.n);
  result.synthetic_figures =
      compare(features.synthetic.middleRows(first, result.n), held_out, options, with_fid);
  result.floor = compare(features.train.middleRows(first, result.n), held_out, options, with_fid);
}

Json to_json(const DistributionFigures& figures) {
  auto json = Json::object({{"kid", figures.kid ? dermis::to_json(*figures.kid) : Json()},
                            {"fid", figures.fid ? Json(*figures.fid) : Json()}});
  const auto manifold = dermis::to_json(figures.manifold.value_or(ManifoldMetrics{}));
  for (const auto& [key, value] : manifold.items()) json[key] = figures.manifold ? value : Json();
  return json;
}

Json to_json(const ClassDistribution& of) {
  return Json::object({{"images", Json::object({{"real_train", of.real_train},
                                                {"real_held_out", of.real_held_out},
                                                {"synthetic", of.synthetic}})},
                       {"n", of.n},
                       {"synthetic", to_json(of.synthetic_figures)},
                       {"floor", to_json(of.floor)},
                       {"missing", of.missing.empty() ? Json() : Json(of.missing)}});
}

}  // namespace

DistributionAudit distribution_audit(const PixelSet& real_train, const PixelSet& real_held_out,
                                     const PixelSet& synthetic, const FeatureFunction& features,
                                     const DistributionOptions& options) {
  check_argument(options.neighbours >= 1 &&
                     options.minimum_images > std::max<std::int64_t>(3, options.neighbours),
                 "[distribution] expected minimum_images above neighbours and 3, got ",
                 options.minimum_images, " with ", options.neighbours, " neighbours");
  detail::check_synthetic(real_train, false, "distribution", "a training part");
  detail::check_synthetic(real_held_out, false, "distribution", "a held-out part");
  detail::check_synthetic(synthetic, true, "distribution", "a synthetic set");
  const auto rows = equal_class_rows({&real_train, &real_held_out, &synthetic}, options.seed);
  const auto n = static_cast<std::int64_t>(joined(rows[0]).size());
  check_argument(n > 0, "[distribution] expected a class with images in all three sets, got none");

  const auto standard = standardised(features, real_train.images);
  const auto of = [&](const PixelSet& set, std::size_t which) {
    return standard(set.subset(joined(rows[which])).images);
  };
  const Features compared{of(real_train, 0), of(real_held_out, 1), of(synthetic, 2)};

  DistributionAudit audit;
  audit.neighbours = options.neighbours;
  audit.feature_width = compared.train.cols();
  audit.all = {.name = "all",
               .real_train = real_train.size(),
               .real_held_out = real_held_out.size(),
               .synthetic = synthetic.size(),
               .n = n};
  measure(audit.all, compared, 0, options);
  const auto train = real_train.class_counts(), held_out = real_held_out.class_counts(),
             drawn = synthetic.class_counts();
  Eigen::Index first = 0;
  for (std::size_t c = 0; c < rows[0].size(); ++c) {
    audit.classes.push_back({.name = real_train.classes[c],
                             .real_train = train[c],
                             .real_held_out = held_out[c],
                             .synthetic = drawn[c],
                             .n = static_cast<std::int64_t>(rows[0][c].size())});
    measure(audit.classes.back(), compared, first, options);
    first += audit.classes.back().n;
  }
  return audit;
}

Json to_json(const DistributionAudit& audit) {
  Json classes = Json::object();
  for (const auto& of : audit.classes) classes[of.name] = to_json(of);
  return Json::object({{"neighbours", audit.neighbours},
                       {"feature_width", audit.feature_width},
                       {"all", to_json(audit.all)},
                       {"classes", std::move(classes)}});
}

}  // namespace dermis
