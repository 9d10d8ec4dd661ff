#include "../metrics/format.hpp"
#include "dermis/report/decision_report.hpp"
#include "dermis/report/html.hpp"

namespace dermis {

using detail::count;
using detail::format;
using detail::percent;

namespace {

Series diagonal(const char* name) {
  return {.name = name, .xs = {0, 1}, .ys = {0, 1}};
}

Series reliability(const char* name, const std::vector<ReliabilityBin>& bins) {
  Series series{.name = name, .xs = {}, .ys = {}};
  for (const auto& bin : bins) {
    if (bin.count == 0) continue;
    series.xs.push_back(bin.confidence);
    series.ys.push_back(bin.accuracy);
  }
  return series;
}

void add_calibration(HtmlReport& page, const DecisionFigures& f) {
  page.heading("Calibration");
  page.paragraph(f.temperature_remark.empty()
                     ? format("Temperature fitted on the fitting part: %.3f.", f.temperature)
                     : "No temperature was fitted, 1 is used: " + f.temperature_remark);
  const auto row = [](const char* name, const CalibrationFigures& c) {
    return std::vector<std::string>{name, format("%.4f", c.expected_error),
                                    format("%.4f", c.adaptive_error), format("%.4f", c.brier)};
  };
  page.table({"", "ECE", "ACE", "Brier score"},
             {row("as trained", f.raw), row("with the temperature", f.calibrated)},
             "On the test part; lower is better.");
  page.chart(LineChart{.title = "Reliability",
                       .x_label = "confidence",
                       .y_label = "share that is right",
                       .series = {diagonal("perfect"), reliability("as trained", f.raw.bins),
                                  reliability("calibrated", f.calibrated.bins)},
                       .unit_axes = true},
             "Ten bins of confidence; below the diagonal the classifier is too sure of itself.");
}

void add_operating_point(HtmlReport& page, const DecisionFigures& f) {
  page.heading("Operating point");
  std::string positive;
  for (const auto& name : f.options.positive) positive += (positive.empty() ? "" : ", ") + name;
  page.paragraph("Positive: " + positive + format(". AUC %.3f", f.auc) +
                 format(", partial AUC above 80 %% sensitivity %.4f of 0.2.", f.partial_auc));
  page.table(
      {"", "sensitivity", "specificity"},
      {{"wanted and found on the fitting part", percent(f.point.sensitivity),
        percent(f.point.specificity)},
       {"on the test part", percent(f.achieved.sensitivity), percent(f.achieved.specificity)}},
      "The threshold is chosen on the fitting part for a sensitivity of at least " +
          percent(f.options.sensitivity) + ".");
  Series roc{.name = "classifier", .xs = {}, .ys = {}};
  for (const auto& point : f.roc) {
    roc.xs.push_back(1 - point.specificity);
    roc.ys.push_back(point.sensitivity);
  }
  Series chosen{.name = "operating point",
                .xs = {1 - f.achieved.specificity.mean},
                .ys = {f.achieved.sensitivity.mean},
                .markers = true};
  LineChart chart{.title = "ROC on the test part",
                  .x_label = "1 - specificity",
                  .y_label = "sensitivity",
                  .series = {roc, diagonal("chance"), chosen},
                  .unit_axes = true};
  if (!f.readers.empty()) {
    Series readers{.name = "readers", .xs = {}, .ys = {}, .markers = true};
    for (const auto& reader : f.readers) {
      readers.xs.push_back(1 - reader.specificity.mean);
      readers.ys.push_back(reader.sensitivity.mean);
      readers.point_names.push_back(reader.reader);
    }
    chart.series.push_back(readers);
  }
  page.chart(chart);
}

void add_readers(HtmlReport& page, const DecisionFigures& f) {
  if (f.readers.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const auto& r : f.readers)
    rows.push_back({r.reader, count(r.reads), count(r.missing), percent(r.sensitivity),
                    percent(r.specificity), percent(r.model.sensitivity), percent(r.difference)});
  page.heading("Readers", 3)
      .table({"reader", "reads", "missing", "sensitivity", "specificity",
              "classifier's sensitivity at that specificity", "classifier minus reader"},
             rows,
             "The classifier's threshold is chosen on the very images it is judged on, which "
             "favours it a "
             "little.");
}

void add_sets(HtmlReport& page, const DecisionFigures& f) {
  page.heading("Prediction sets");
  std::vector<std::vector<std::string>> rows;
  for (std::size_t c = 0; c < f.classes.size(); ++c)
    rows.push_back(
        {f.classes[c], count(f.sets.calibration_rows[c]), percent(f.set_figures.coverage[c])});
  page.table(
      {"class", "images of the fitting part", "sets that hold the truth"}, rows,
      format("Conformal sets by class, wanted: %.0f %%. Mean size %.2f of %d classes. A class "
             "with too few fitting images is in every set.",
             100 * (1 - f.options.alpha), f.set_figures.mean_size,
             static_cast<int>(f.classes.size())));
}

void add_abstention(HtmlReport& page, const DecisionFigures& f) {
  page.heading("Abstention");
  page.chart(LineChart{.title = "Accuracy on the images that are decided",
                       .x_label = "share of images decided, most confident first",
                       .y_label = "accuracy",
                       .series = {{.name = "accuracy",
                                   .xs = f.risk_coverage.coverage,
                                   .ys = f.risk_coverage.accuracy}},
                       .unit_axes = true},
             format("Area under the risk-coverage curve %.4f (0 is best).", f.risk_coverage.area));
}

}  // namespace

void write_decision_page(const std::filesystem::path& path, const DecisionFigures& f,
                         const std::string& subtitle) {
  HtmlReport page("Decisions: calibration, operating point, prediction sets, abstention", subtitle);
  page.notice(
      "Research software, not a medical device. Figures describe this classifier on this data and "
      "support no clinical claim.");
  page.key_figures({{"ECE, calibrated", format("%.3f", f.calibrated.expected_error)},
                    {"AUC", format("%.3f", f.auc)},
                    {"sensitivity", percent(f.achieved.sensitivity.mean)},
                    {"specificity", percent(f.achieved.specificity.mean)},
                    {"mean set size", format("%.2f", f.set_figures.mean_size)}});
  add_calibration(page, f);
  add_operating_point(page, f);
  add_readers(page, f);
  add_sets(page, f);
  add_abstention(page, f);
  page.write(path);
}

}  // namespace dermis
