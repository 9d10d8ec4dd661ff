#include "dermis/report/experiment_report.hpp"

#include <algorithm>

#include "../metrics/format.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/html.hpp"

namespace dermis {

using detail::count;
using detail::format;
using detail::percent;

namespace {

double mean_of(const std::vector<ArmRun>& runs, double ArmRun::*figure) {
  double sum = 0;
  for (const auto& run : runs) sum += run.*figure;
  return sum / static_cast<double>(runs.size());
}

/// Mean over the seeds of each class's recall.
std::vector<double> mean_recall(const std::vector<ArmRun>& runs) {
  std::vector<double> mean(runs.front().recall.size());
  for (const auto& run : runs)
    for (std::size_t c = 0; c < mean.size(); ++c)
      mean[c] += run.recall[c] / static_cast<double>(runs.size());
  return mean;
}

Json with_seeds(const Interval& interval, const std::vector<double>& by_seed) {
  auto json = to_json(interval);
  json["by_seed"] = by_seed;
  return json;
}

std::vector<double> by_seed(const std::vector<ArmRun>& runs) {
  std::vector<double> values;
  for (const auto& run : runs) values.push_back(run.balanced_accuracy);
  return values;
}

std::vector<double> differences(const std::vector<ArmRun>& first,
                                const std::vector<ArmRun>& second) {
  std::vector<double> values;
  for (std::size_t s = 0; s < first.size(); ++s)
    values.push_back(first[s].balanced_accuracy - second[s].balanced_accuracy);
  return values;
}

/// Each arm and comparison with its interval: bootstraps are slow, JSON and page share them.
struct Intervals {
  explicit Intervals(const ExperimentResults& r) {
    for (const auto& arm : r.experiment.arms) arms.push_back(r.balanced_accuracy(arm.name));
    for (const auto& pair : r.experiment.comparisons)
      comparisons.push_back(r.difference(pair.first, pair.second));
  }
  const Interval& of(const ExperimentResults& r, const std::string& name) const {
    for (std::size_t a = 0; a < arms.size(); ++a)
      if (r.experiment.arms[a].name == name) return arms[a];
    throw std::invalid_argument("[experiment] no arm called " + name);
  }
  std::vector<Interval> arms, comparisons;
};

std::string judged_on(const ExperimentResults& r) {
  return r.experiment.on_validation ? "validation" : "test";
}

Json experiment_json(const ExperimentResults& r, const Intervals& intervals) {
  const auto& e = r.experiment;
  Json arms = Json::object(), comparisons = Json::array(), sweeps = Json::array();
  for (std::size_t a = 0; a < e.arms.size(); ++a) {
    const auto& runs = r.runs[a];
    Json recall = Json::object(), generation = Json::array();
    const auto recalls = mean_recall(runs);
    for (std::size_t c = 0; c < recalls.size(); ++c) recall[r.classes[c]] = recalls[c];
    for (const auto& run : runs) generation.push_back(run.generation);
    arms[e.arms[a].name] =
        Json::object({{"description", e.arms[a].description},
                      {"balanced_accuracy", with_seeds(intervals.arms[a], by_seed(runs))},
                      {"macro_auc", mean_of(runs, &ArmRun::macro_auc)},
                      {"recall", recall},
                      {"image_passes", runs.front().image_passes},
                      {"generation", generation}});
  }
  for (std::size_t i = 0; i < e.comparisons.size(); ++i) {
    const auto& pair = e.comparisons[i];
    const auto by_seed = differences(r.of(pair.first), r.of(pair.second));
    comparisons.push_back(
        Json::object({{"first", pair.first},
                      {"second", pair.second},
                      {"difference", with_seeds(intervals.comparisons[i], by_seed)}}));
  }
  for (const auto& sweep : e.sweeps) {
    Json points = Json::array();
    for (const auto& point : sweep.points) {
      auto entry = to_json(intervals.of(r, point.arm));
      entry["value"] = point.value;
      entry["arm"] = point.arm;
      points.push_back(entry);
    }
    sweeps.push_back(
        Json::object({{"title", sweep.title}, {"setting", sweep.setting}, {"points", points}}));
  }
  return Json::object({{"title", e.title},
                       {"data", r.data},
                       {"judged_on", judged_on(r)},
                       {"images", r.labels.size()},
                       {"seeds", std::vector<std::int64_t>(r.seeds.begin(), r.seeds.end())},
                       {"preset", r.recipe.preset},
                       {"classes", r.classes},
                       {"arms", arms},
                       {"comparisons", comparisons},
                       {"sweeps", sweeps},
                       {"recipe", options_to_json(r.recipe)}});
}

std::string seeds_text(const std::vector<double>& values) {
  std::string line;
  for (const auto value : values) line += format(line.empty() ? "%.1f" : ", %.1f", 100 * value);
  return line;
}

void add_arms(HtmlReport& page, const ExperimentResults& r, const Intervals& intervals) {
  BarChart chart{.title = "Balanced accuracy, mean over seeds",
                 .x_label = "balanced accuracy",
                 .percent = true};
  chart.references.push_back({"chance", 1.0 / static_cast<double>(r.classes.size())});
  std::vector<std::vector<std::string>> rows, recalls;
  std::vector<std::string> columns = {"arm"};
  columns.insert(columns.end(), r.classes.begin(), r.classes.end());
  for (std::size_t a = 0; a < r.runs.size(); ++a) {
    const auto& arm = r.experiment.arms[a];
    const auto& interval = intervals.arms[a];
    chart.bars.push_back({arm.name, interval.mean, interval.lo, interval.hi});
    rows.push_back({arm.name, arm.description, percent(interval), seeds_text(by_seed(r.runs[a])),
                    format("%.3f", mean_of(r.runs[a], &ArmRun::macro_auc)),
                    count(r.runs[a].front().image_passes)});
    auto& recall = recalls.emplace_back(std::vector<std::string>{arm.name});
    for (const auto value : mean_recall(r.runs[a])) recall.push_back(percent(value));
  }
  page.heading("Arms").chart(chart);
  page.table({"arm", "what", "balanced accuracy", "by seed, %", "AUC", "image passes"}, rows,
             "All on the same lesions; 95 % intervals over lesions and seeds. Image passes count "
             "every training image seen, pre-training included.");
  page.heading("Recall by class", 3).table(columns, recalls);
}

void add_comparisons(HtmlReport& page, const ExperimentResults& r, const Intervals& intervals) {
  if (r.experiment.comparisons.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < r.experiment.comparisons.size(); ++i) {
    const auto& pair = r.experiment.comparisons[i];
    const auto& d = intervals.comparisons[i];
    rows.push_back({pair.first, pair.second, detail::points(d),
                    seeds_text(differences(r.of(pair.first), r.of(pair.second))),
                    d.lo > 0   ? "the first is better"
                    : d.hi < 0 ? "the first is worse"
                               : "no difference shown"});
  }
  page.heading("Comparisons");
  page.table({"first", "second", "difference, points", "by seed", "so"}, rows,
             "First less second in balanced accuracy, paired by lesion and seed, 95 %.");
}

void add_sweeps(HtmlReport& page, const ExperimentResults& r, const Intervals& intervals) {
  for (const auto& sweep : r.experiment.sweeps) {
    Series mean{.name = "mean over seeds", .xs = {}, .ys = {}};
    Series single{.name = "one seed", .xs = {}, .ys = {}, .markers = true};
    std::vector<std::vector<std::string>> rows;
    for (const auto& point : sweep.points) {
      const auto& interval = intervals.of(r, point.arm);
      mean.xs.push_back(point.value);
      mean.ys.push_back(100 * interval.mean);
      for (const auto value : by_seed(r.of(point.arm))) {
        single.xs.push_back(point.value);
        single.ys.push_back(100 * value);
      }
      rows.push_back({format("%g", point.value), point.arm, percent(interval)});
    }
    page.heading(sweep.title);
    page.chart(LineChart{.title = sweep.title,
                         .x_label = sweep.setting,
                         .y_label = "balanced accuracy, %",
                         .series = {mean, single}});
    page.table({sweep.setting, "arm", "balanced accuracy"}, rows);
  }
}

/// "0.133 (0.070 to 0.210)" of an interval in JSON; "-" where there is none.
std::string interval_text(const Json& json, const char* pattern, double scale) {
  if (!json.is_object()) return "-";
  const auto found = interval_from_json(json);
  return format(pattern, scale * found.mean, scale * found.lo, scale * found.hi);
}

/// A row a set of images; arms that share one are named together.
void add_generation(HtmlReport& page, const ExperimentResults& r) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t a = 0; a < r.runs.size(); ++a)
    for (std::size_t s = 0; s < r.runs[a].size(); ++s) {
      const auto& found = r.runs[a][s].generation;
      if (found.is_null()) continue;
      const auto& kid = found.contains("distribution")
                            ? found.at("distribution").at("synthetic").at("kid")
                            : Json();
      const std::vector<std::string> row{
          r.experiment.arms[a].name,
          text(r.seeds[s]),
          count(found.at("images").get<std::int64_t>()),
          interval_text(found.at("recognised"), "%.1f %% (%.1f to %.1f)", 100),
          interval_text(found.at("real_recognised"), "%.1f %% (%.1f to %.1f)", 100),
          interval_text(kid, "%.3f (%.3f to %.3f)", 1)};
      const auto same = std::find_if(rows.begin(), rows.end(), [&](const auto& other) {
        return std::equal(row.begin() + 1, row.end(), other.begin() + 1);
      });
      if (same == rows.end())
        rows.push_back(row);
      else
        same->front() += ", " + row.front();
    }
  if (rows.empty()) return;
  page.heading("Synthetic images");
  page.table({"arms", "seed", "images", "recognised", "real ones recognised", "KID"}, rows,
             "Recognised: balanced accuracy of " + r.experiment.judge +
                 ", trained on real images alone, against the class that was asked for. KID on its "
                 "features, to real images it has not seen.");
}

}  // namespace

Json write_experiment(const std::filesystem::path& out, const ExperimentResults& r) {
  const Intervals intervals(r);
  std::string seeds;
  for (const auto seed : r.seeds) seeds += text(seeds.empty() ? "" : ", ", seed);
  HtmlReport page(r.experiment.title, "data " + r.data + ", " + text(r.labels.size()) + " " +
                                          judged_on(r) + " images, preset " + r.recipe.preset +
                                          ", seeds " + seeds);
  page.notice(
      "Research software, not a medical device. Figures describe this run on this data and support "
      "no clinical claim.");
  add_comparisons(page, r, intervals);
  add_arms(page, r, intervals);
  add_sweeps(page, r, intervals);
  add_generation(page, r);
  page.heading("Settings");
  for (const auto& arm : r.experiment.arms)
    page.code(arm.name + ": " + options_to_json(arm).dump());
  page.code(options_to_json(r.recipe).dump(2));
  page.write(out / "report.html");
  auto json = experiment_json(r, intervals);
  write_atomically(out / "experiment.json", json.dump(2) + "\n");
  return json;
}

std::string summary(const Json& experiment) {
  std::string lines;
  for (const auto& [name, arm] : experiment.at("arms").items())
    lines += name + ": " + percent(interval_from_json(arm.at("balanced_accuracy"))) + "\n";
  for (const auto& pair : experiment.at("comparisons").elements())
    lines += pair.at("first").get<std::string>() + " less " + pair.at("second").get<std::string>() +
             ": " + detail::points(interval_from_json(pair.at("difference"))) + " points\n";
  return lines;
}

}  // namespace dermis
