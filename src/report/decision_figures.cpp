#include <algorithm>

#include "dermis/core/check.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/metrics/classification.hpp"
#include "dermis/report/decision_report.hpp"

namespace dermis {

namespace {

CalibrationFigures calibration_of(const Eigen::MatrixXd& probabilities,
                                  const std::vector<int>& labels) {
  return {expected_calibration_error(probabilities, labels),
          adaptive_calibration_error(probabilities, labels), brier_score(probabilities, labels),
          reliability_bins(probabilities, labels, 10)};
}

/// Which classes are positive, by index.
std::vector<bool> positive_classes(const std::vector<std::string>& classes,
                                   const std::vector<std::string>& positive) {
  std::vector<bool> is_positive(classes.size(), false);
  for (const auto& name : positive) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    check_argument(found != classes.end(), "[decisions] expected positive classes among ",
                   detail::join(classes), ", got ", name);
    is_positive[static_cast<std::size_t>(found - classes.begin())] = true;
  }
  const auto count = std::count(is_positive.begin(), is_positive.end(), true);
  check_argument(count > 0 && count < static_cast<std::ptrdiff_t>(classes.size()),
                 "[decisions] expected some of ", classes.size(), " classes to be positive, got ",
                 count);
  return is_positive;
}

/// Score and truth of "positive" for each row.
struct Binary {
  std::vector<double> scores;
  std::vector<int> truth;
};
Binary binary(const Eigen::MatrixXd& probabilities, const std::vector<int>& labels,
              const std::vector<bool>& is_positive) {
  Binary b;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    double score = 0;
    for (std::size_t c = 0; c < is_positive.size(); ++c)
      if (is_positive[c])
        score += probabilities(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c));
    b.scores.push_back(score);
    b.truth.push_back(is_positive[static_cast<std::size_t>(labels[i])]);
  }
  return b;
}

Json to_json(const OperatingPoint& p) {
  return Json::object(
      {{"threshold", p.threshold}, {"sensitivity", p.sensitivity}, {"specificity", p.specificity}});
}
Json to_json(const CalibrationFigures& c) {
  return Json::object({{"ece", c.expected_error}, {"ace", c.adaptive_error}, {"brier", c.brier}});
}

}  // namespace

DecisionFigures decision_figures(const std::vector<std::string>& classes, const ScoredPart& fitting,
                                 const ScoredPart& test, const DecisionOptions& options,
                                 const std::optional<ReaderDecisions>& readers) {
  const auto is_positive = positive_classes(classes, options.positive);
  DecisionFigures f;
  f.classes = classes;
  f.options = options;
  try {
    f.temperature = fit_temperature(fitting.logits, fitting.labels);
  } catch (const std::invalid_argument& error) {
    f.temperature_remark = error.what();
  }
  const auto raw = softmax(test.logits);
  const auto calibrated = softmax(test.logits, f.temperature);
  const auto fitting_probabilities = softmax(fitting.logits, f.temperature);
  f.raw = calibration_of(raw, test.labels);
  f.calibrated = calibration_of(calibrated, test.labels);

  const auto fit = binary(fitting_probabilities, fitting.labels, is_positive);
  const auto judged = binary(calibrated, test.labels, is_positive);
  f.auc = auc(judged.scores, judged.truth);
  f.partial_auc = partial_auc(judged.scores, judged.truth);
  f.roc = roc_curve(judged.scores, judged.truth);
  f.point = operating_point(fit.scores, fit.truth, options.sensitivity);
  f.achieved = apply(f.point, judged.scores, judged.truth, test.lesions);

  f.sets = fit_conformal(fitting_probabilities, fitting.labels, options.alpha);
  f.set_figures = set_figures(prediction_sets(f.sets, calibrated), test.labels,
                              static_cast<int>(classes.size()));
  f.risk_coverage = risk_coverage(calibrated, test.labels);
  if (readers)
    f.readers = reader_study(*readers, {test.images, judged.scores, judged.truth, test.lesions});
  return f;
}

Json to_json(const DecisionFigures& f) {
  Json coverage = Json::object(), rows = Json::object(), readers = Json::array();
  for (std::size_t c = 0; c < f.classes.size(); ++c) {
    coverage[f.classes[c]] = f.set_figures.coverage[c];
    rows[f.classes[c]] = f.sets.calibration_rows[c];
  }
  for (const auto& r : f.readers)
    readers.push_back(Json::object({{"reader", r.reader},
                                    {"reads", r.reads},
                                    {"missing", r.missing},
                                    {"sensitivity", to_json(r.sensitivity)},
                                    {"specificity", to_json(r.specificity)},
                                    {"model", to_json(r.model)},
                                    {"model_minus_reader", to_json(r.difference)}}));
  return Json::object(
      {{"positive", f.options.positive},
       {"temperature", f.temperature},
       {"temperature_remark", f.temperature_remark},
       {"calibration",
        Json::object({{"raw", to_json(f.raw)}, {"calibrated", to_json(f.calibrated)}})},
       {"auc", f.auc},
       {"partial_auc", f.partial_auc},
       {"operating_point", Json::object({{"wanted_sensitivity", f.options.sensitivity},
                                         {"chosen", to_json(f.point)},
                                         {"sensitivity", to_json(f.achieved.sensitivity)},
                                         {"specificity", to_json(f.achieved.specificity)}})},
       {"prediction_sets", Json::object({{"alpha", f.options.alpha},
                                         {"mean_size", f.set_figures.mean_size},
                                         {"coverage", coverage},
                                         {"fitting_rows", rows}})},
       {"abstention", Json::object({{"coverage", f.risk_coverage.coverage},
                                    {"accuracy", f.risk_coverage.accuracy},
                                    {"area", f.risk_coverage.area}})},
       {"readers", readers}});
}

}  // namespace dermis
