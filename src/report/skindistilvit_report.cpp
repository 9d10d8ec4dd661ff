#include "dermis/report/skindistilvit_report.hpp"

#include "../metrics/format.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/html.hpp"

namespace dermis {

using detail::count;
using detail::format;
using detail::percent;

namespace {

/// Balanced accuracy of depths 12 - ys.size() + 1 .. 12 on ISIC 2019 (arXiv 2308.08669, plot.py).
struct Published {
  const char* name;
  std::vector<double> percents;
};

std::vector<Published> published() {
  return {{"paper: FCViT",
           {31.24, 50.43, 63.53, 74.20, 79.16, 82.27, 83.47, 84.27, 84.20, 84.58, 84.67, 84.68}},
          {"paper: FCViTProbs", {40.52, 52.78, 61.27, 66.18, 73.70, 82.51, 85.13}},
          {"paper: cascade",
           {42.86, 65.19, 75.72, 80.90, 81.75, 83.39, 84.33, 84.75, 85.16, 85.17, 85.55, 85.84}}};
}

Series published_series(const Published& curve) {
  Series series{.name = curve.name, .xs = {}, .ys = curve.percents, .markers = true};
  const auto first = 12 - curve.percents.size() + 1;
  for (std::size_t i = 0; i < curve.percents.size(); ++i)
    series.xs.push_back(static_cast<double>(first + i) / 12);
  return series;
}

Interval interval_of(const Json& figures) {
  return interval_from_json(figures.at("balanced_accuracy"));
}

std::string share(const Json& figures, const char* key) {
  return percent(figures.at(key).get<double>());
}

/// Cells of one network: depth, balanced accuracy, accuracy, macro F1, sensitivity to cancer.
std::vector<std::string> cells(const std::string& name, const Json& figures) {
  const auto& cancer = figures.at("cancer");
  return {name,
          text(figures.at("depth").get<std::int64_t>()),
          percent(interval_of(figures)),
          share(figures, "accuracy"),
          percent(figures.at("f1").at("macro").get<double>()),
          cancer.is_null() ? "-" : format("%.3f", cancer.at("auc").get<double>())};
}

const std::vector<std::string> columns = {"network",  "depth",    "balanced accuracy",
                                          "accuracy", "macro F1", "AUC of cancer"};

void add_depths(HtmlReport& page, const Json& json, double depth) {
  if (json.at("by_depth").size() == 0) return;
  LineChart chart{.title = "Balanced accuracy by depth",
                  .x_label = "depth, share of the teacher's",
                  .y_label = "balanced accuracy, %",
                  .series = {}};
  std::vector<std::vector<std::string>> rows;
  for (const auto& [method, entries] : json.at("by_depth").items()) {
    Series series{.name = method, .xs = {}, .ys = {}};
    for (const auto& figures : entries.elements()) {
      series.xs.push_back(figures.at("depth").get<double>() / depth);
      series.ys.push_back(100 * interval_of(figures).mean);
      rows.push_back(cells(method, figures));
    }
    chart.series.push_back(series);
  }
  for (const auto& curve : published()) chart.series.push_back(published_series(curve));
  page.heading("Every depth");
  page.chart(
      chart,
      "Points: as published, of 12 layers on ISIC 2019 with a split by image; other data and "
      "another network, so that shapes compare and heights do not.");
  page.table(columns, rows, "95 % intervals over lesions and seeds.");
}

void add_student(HtmlReport& page, const Json& json) {
  std::vector<std::vector<std::string>> rows;
  for (const auto* name :
       {"teacher", "teacher_longer", "student", "student_alone", "student_balanced_subset"})
    if (json.contains(name)) rows.push_back(cells(name, json.at(name)));
  if (json.contains("ablation"))
    for (const auto& [name, figures] : json.at("ablation").items())
      rows.push_back(cells("student, " + name, figures));
  page.heading("Teacher and student");
  for (const auto& [name, found] : json.at("baselines").items())
    rows.push_back({name, "-", percent(interval_from_json(found))});
  for (auto& row : rows) row.resize(columns.size(), "-");
  if (json.contains("retention")) {
    std::vector<std::pair<std::string, std::string>> figures{
        {"balanced accuracy kept", share(json, "retention")}};
    if (json.contains("retention_longer"))
      figures.push_back({"kept of a teacher trained as long", share(json, "retention_longer")});
    figures.push_back({"smaller by", share(json, "size_reduction")});
    figures.push_back({"faster, one image", format("%.2f x", json.at("speedup").get<double>())});
    page.key_figures(figures);
  }
  page.table(
      columns, rows,
      "teacher_longer: the teacher, trained on for as long as the student. student_alone: the "
      "same network, as long, without a teacher. Without or with a term: the loss's other "
      "terms as they were, the same images in the same order.");
  if (!json.contains("differences")) return;
  std::vector<std::vector<std::string>> pairs;
  for (const auto& pair : json.at("differences").elements()) {
    pairs.push_back({pair.at("first").get<std::string>(), text(pair.at("depth").get<int>()),
                     detail::points(interval_from_json(pair.at("difference")))});
  }
  page.table({"network", "depth", "less the student, points"}, pairs,
             "Differences in balanced accuracy, paired by lesion and seed, 95 %.");
}

void add_exits(HtmlReport& page, const Json& json) {
  if (json.at("early_exit").size() == 0) return;
  LineChart chart{.title = "Early exit",
                  .x_label = "mean depth",
                  .y_label = "balanced accuracy, %",
                  .series = {}};
  for (const auto& [method, points] : json.at("early_exit").items()) {
    Series sure{.name = method, .xs = {}, .ys = {}};
    Series random{.name = method + ", at random", .xs = {}, .ys = {}, .markers = true};
    for (const auto& point : points.elements()) {
      for (auto* series : {&sure, &random})
        series->xs.push_back(point.at("mean_depth").get<double>());
      sure.ys.push_back(100 * point.at("balanced_accuracy").get<double>());
      random.ys.push_back(100 * point.at("random_balanced_accuracy").get<double>());
    }
    chart.series.push_back(sure);
    chart.series.push_back(random);
  }
  page.heading("Early exit");
  page.chart(
      chart,
      "An image leaves at the first depth whose calibrated confidence reaches the threshold. "
      "Points: the expected figure of leaving at random at the same mean depth.");
}

void add_cost(HtmlReport& page, const SkinDistilViTResults& r) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& cost : r.cost)
    rows.push_back({text(cost.depth), count(cost.parameters), count(cost.bytes),
                    format("%.2f", cost.latency_1_ms), format("%.1f", cost.latency_64_ms)});
  page.heading("Cost");
  page.table({"depth", "parameters", "bytes", "one image, ms", "64 images, ms"}, rows,
             "Medians after warm-up, on this machine.");
}

}  // namespace

void write_skindistilvit(const std::filesystem::path& out, const SkinDistilViTResults& r) {
  const auto json = to_json(r);
  HtmlReport page("SkinDistilViT",
                  text("data ", r.data, ", ", r.labels.size(), " test images, preset ",
                       r.recipe.preset, ", variant ", r.recipe.variant, ", ", r.seeds.size(),
                       r.seeds.size() == 1 ? " seed" : " seeds"));
  page.notice(
      "Research software, not a medical device. Figures describe this run on this data and support "
      "no clinical claim.");
  add_depths(page, json, static_cast<double>(r.cost.size()));
  add_student(page, json);
  add_exits(page, json);
  add_cost(page, r);
  page.heading("Settings");
  page.paragraph("Split: " + r.split);
  page.code(options_to_json(r.recipe).dump(2));
  page.write(out / "report.html");
  write_atomically(out / "metrics.json", json.dump(2) + "\n");
}

}  // namespace dermis
