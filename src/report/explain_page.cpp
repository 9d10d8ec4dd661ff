#include <algorithm>
#include <cmath>

#include "../metrics/format.hpp"
#include "dermis/core/file.hpp"
#include "dermis/io/heat_map.hpp"
#include "dermis/report/explain_report.hpp"

namespace dermis {

using detail::count;
using detail::format;
using detail::percent;

namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr std::int64_t kShown = 8;      // overlays of right and of wrong predictions
constexpr std::int64_t kPicture = 112;  // pixels of an overlay on the page, about

std::string title_of(const std::string& method) {
  return method == "grad_cam" ? "Grad-CAM" : method;
}

std::string share(const Interval& i) {
  return std::isfinite(i.mean) ? percent(i) : "-";
}
/// "+12.3 % points (8.0 to 16.1)".
std::string points(const Interval& i) {
  return std::isfinite(i.mean) ? detail::points(i) : "-";
}
std::string correlation(const Interval& i) {
  return std::isfinite(i.mean) ? format("%.2f (%.2f to %.2f)", i.mean, i.lo, i.hi) : "-";
}

/// Calls `body(explanation, method)` for every pair.
template <class Body>
void each_method(const std::vector<Explanation>& explanations, Body body) {
  for (const auto& explanation : explanations)
    for (const auto& method : explanation.methods) body(explanation, method);
}

std::string named(const Explanation& explanation, const MethodMaps& method) {
  return explanation.model + ", " + title_of(method.method);
}

void add_models(HtmlReport& page, const std::vector<Explanation>& explanations) {
  Rows rows;
  for (const auto& e : explanations) {
    const auto right = e.methods.front().localisation.right.images;
    rows.push_back({e.model, count(e.parameters), percent(e.evaluation.balanced_accuracy),
                    count(right), count(e.methods.front().localisation.wrong.images)});
  }
  page.heading("Models");
  page.table({"model", "parameters", "balanced accuracy", "right", "wrong"}, rows,
             "The models, and how they do on the images that are looked at here.");
}

void add_localisation(HtmlReport& page, const std::vector<Explanation>& explanations,
                      const ExplainOptions& options) {
  Rows shares, pointing;
  BarChart chart{.title = "Share inside the lesion less the lesion's area",
                 .x_label = "points of percent",
                 .bars = {},
                 .references = {{"as a uniform map", 0}},
                 .percent = true,
                 .from_zero = false};
  each_method(explanations, [&](const Explanation& e, const MethodMaps& m) {
    const auto& all = m.localisation.all;
    shares.push_back(
        {named(e, m), share(all.share), share(all.area), points(all.gain), count(all.empty)});
    pointing.push_back(
        {named(e, m), share(all.hit), share(all.near_area), correlation(m.agreement)});
    chart.bars.push_back({named(e, m), all.gain.mean, all.gain.lo, all.gain.hi});
  });
  page.heading("On the lesion or beside it");
  page.chart(chart);
  page.table({"", "share in the lesion", "lesion's area", "gain, points", "maps of nothing"},
             shares,
             "The share of a map that lies inside the lesion's mask, beside the share that a "
             "uniform map would have. What is above it is the gain. Means over images, here and "
             "below, with 95 % intervals by lesion.");
  page.table({"", "pointing", "by chance", "agreement"}, pointing,
             "Pointing: how often a map's largest pixel is in the lesion or at most " +
                 format("%.0f", options.tolerance) +
                 " pixels from it; by chance it would be as often as that region is large. "
                 "Agreement: rank correlation with the same model's occlusion map, which asks the "
                 "model alone.");
}

void add_right_and_wrong(HtmlReport& page, const std::vector<Explanation>& explanations) {
  Rows gains, pointing;
  each_method(explanations, [&](const Explanation& e, const MethodMaps& m) {
    const auto& l = m.localisation;
    gains.push_back(
        {named(e, m), points(l.right.gain), points(l.wrong.gain), points(l.gain_difference)});
    pointing.push_back(
        {named(e, m), share(l.right.hit), share(l.wrong.hit), points(l.hit_difference)});
  });
  page.heading("Right and wrong predictions");
  page.table({"", "gain, right", "gain, wrong", "difference"}, gains,
             "Gains in points. A difference whose interval holds 0 does not say that looking "
             "elsewhere goes with being wrong.");
  page.table({"", "pointing, right", "pointing, wrong", "difference"}, pointing,
             "Pointing, the difference in points.");
}

void add_classes(HtmlReport& page, const std::vector<Explanation>& explanations) {
  page.heading("By class, against recall");
  Rows correlations;
  for (const auto& e : explanations) {
    LineChart chart{.title = e.model + ": gain by recall",
                    .x_label = "recall of the class",
                    .y_label = "share in the lesion less its area",
                    .series = {}};
    std::vector<std::string> columns = {"class", "recall"};
    Rows rows;
    for (const auto& method : e.methods) {
      columns.push_back(title_of(method.method));
      Series series{title_of(method.method), {}, {}, true, {}};
      const auto& classes = method.localisation.classes;
      for (std::size_t c = 0; c < classes.size(); ++c) {
        if (rows.size() <= c)
          rows.push_back({classes[c].name + " (" + count(classes[c].maps.images) + ")",
                          percent(classes[c].recall)});
        rows[c].push_back(points(classes[c].maps.gain));
        series.xs.push_back(classes[c].recall);
        series.ys.push_back(classes[c].maps.gain.mean);
        series.point_names.push_back(classes[c].name);
      }
      chart.series.push_back(std::move(series));
      correlations.push_back({named(e, method), correlation(method.localisation.recall_gain),
                              correlation(method.localisation.recall_hit)});
    }
    page.heading(e.model, 3);
    page.chart(chart);
    page.table(columns, rows, "Gain in points by class (images).");
  }
  page.table(
      {"", "recall and gain", "recall and pointing"}, correlations,
      "Spearman's correlation over the classes; the interval draws lesions. With few classes "
      "it is wide.");
}

/// The first `kShown` images that the first model names rightly, or wrongly, classes in turn.
std::vector<std::int64_t> shown(const MaskedSet& data, const Evaluation& evaluation, bool right) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < evaluation.labels.size(); ++i)
    if ((evaluation.labels[i] == evaluation.predictions[i]) == right)
      rows.push_back(static_cast<std::int64_t>(i));
  if (rows.empty()) return rows;
  return select(rows, spread_over_classes(data.set.subset(rows), kShown));
}

std::vector<float> values_of(const at::Tensor& map) {
  const auto flat = map.contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

/// A model and one of its methods.
struct Shown {
  const Explanation* explanation;
  const MethodMaps* maps;
};

/// What stands side by side: of each model the map that is drawn from its insides, and the first
/// one's occlusion.
std::vector<Shown> side_by_side(const std::vector<Explanation>& explanations) {
  std::vector<Shown> columns;
  for (const auto& e : explanations) {
    const bool attends =
        std::any_of(e.methods.begin(), e.methods.end(),
                    [](const MethodMaps& method) { return method.method == "rollout"; });
    columns.push_back({&e, &e.by(attends ? "rollout" : "grad_cam")});
  }
  columns.push_back({&explanations.front(), &explanations.front().by("occlusion")});
  return columns;
}

/// All that the first model is looked at by.
std::vector<Shown> by_method(const std::vector<Explanation>& explanations) {
  std::vector<Shown> columns;
  for (const auto& method : explanations.front().methods)
    columns.push_back({&explanations.front(), &method});
  return columns;
}

/// An image and the maps over it; the label is the true class, then each model's answer.
GalleryRow overlays(const MaskedSet& data, const std::vector<Explanation>& explanations,
                    const std::vector<Shown>& columns, std::int64_t row) {
  const auto i = static_cast<std::size_t>(row);
  const auto& evaluation = explanations.front().evaluation;
  const auto name = [&](int c) { return evaluation.classes[static_cast<std::size_t>(c)]; };
  const auto mask = data.masks[row].contiguous();
  const auto* bytes = mask.const_data_ptr<std::uint8_t>();
  const std::vector<std::uint8_t> inside(bytes, bytes + mask.numel());
  const Image image = to_image(data.set.images[row]);
  GalleryRow result{name(evaluation.labels[i]) + ":", {image}};
  for (const auto& e : explanations) result.label += " " + name(e.explained[i]);
  for (const auto& column : columns)
    result.images.push_back(outlined(overlay(image, values_of(column.maps->maps[row])), inside));
  return result;
}

void add_gallery(HtmlReport& page, const MaskedSet& data,
                 const std::vector<Explanation>& explanations, const std::vector<Shown>& columns,
                 bool right, const std::string& caption) {
  std::vector<std::string> titles = {"image"};
  for (const auto& column : columns) titles.push_back(named(*column.explanation, *column.maps));
  std::vector<GalleryRow> rows;
  for (const auto row : shown(data, explanations.front().evaluation, right))
    rows.push_back(overlays(data, explanations, columns, row));
  if (rows.empty()) {
    page.paragraph(caption + " None.");
    return;
  }
  const double scale =
      std::max(0.25, std::round(4.0 * kPicture / static_cast<double>(data.set.images.size(2))) / 4);
  page.gallery(titles, rows, caption, scale);
}

void add_overlays(HtmlReport& page, const MaskedSet& data,
                  const std::vector<Explanation>& explanations) {
  page.heading("Overlays");
  page.paragraph(
      "Light is high: each map is scaled to its own largest value. The white line is the edge of "
      "the lesion's mask. Images are the first of each class, not chosen; beside them stand the "
      "true class and the answer of each model. Maps are of the answers.");
  const auto& first = explanations.front().model;
  for (const bool right : {true, false})
    add_gallery(page, data, explanations, side_by_side(explanations), right,
                first + (right ? " is right." : " is wrong."));
  page.heading(first + " by every method", 3);
  for (const bool right : {true, false})
    add_gallery(page, data, explanations, by_method(explanations), right,
                right ? "Right answers." : "Wrong answers.");
}

}  // namespace

void write_explanations(const std::filesystem::path& out, const MaskedSet& data,
                        const std::vector<Explanation>& explanations, const ExplainOptions& options,
                        const std::string& subtitle) {
  check_argument(!explanations.empty(), "[explain] expected at least 1 explanation, got none");
  each_method(explanations, [&](const Explanation& e, const MethodMaps& m) {
    check_argument(m.maps.size(0) == data.set.size(), "[explain] expected maps of ",
                   data.set.size(), " images from ", e.model, ", got ", m.maps.size(0));
  });
  make_directories(out);
  Json models = Json::array();
  for (const auto& explanation : explanations) models.push_back(to_json(explanation));
  write_atomically(out / "explain.json",
                   Json::object({{"images", data.set.size()},
                                 {"without_mask", data.without_mask},
                                 {"tolerance", options.tolerance},
                                 {"occlusion", options_to_json(options.occlusion)},
                                 {"models", models}})
                           .dump(2) +
                       "\n");
  HtmlReport page("Where classifiers look", subtitle);
  page.notice(
      "Research software, not a medical device. Figures describe these images and support no "
      "clinical claim. A map on the lesion does not show that a model reasons well.");
  add_models(page, explanations);
  add_localisation(page, explanations, options);
  add_right_and_wrong(page, explanations);
  add_classes(page, explanations);
  add_overlays(page, data, explanations);
  page.write(out / "explain.html");
}

}  // namespace dermis
