#include "dermis/report/new_kind_report.hpp"

#include <algorithm>
#include <cmath>

#include "../metrics/format.hpp"
#include "dermis/core/file.hpp"
#include "dermis/io/contact_sheet.hpp"
#include "dermis/report/html.hpp"

namespace dermis {

using detail::format;
using detail::percent;
using detail::points;

namespace {

constexpr std::int64_t kPictures = 3;  // of each model and kind

/// Image `number` of class `c`, the last one if there are fewer, white if there is none.
Image image_of(const PixelSet& set, std::size_t c, std::int64_t number) {
  const auto rows = set.labels.eq(static_cast<std::int64_t>(c)).nonzero().flatten();
  if (rows.size(0) == 0) return make_image(set.images.size(3), set.images.size(2), 255);
  return to_image(set.images[rows[std::min(number, rows.size(0) - 1)].item<std::int64_t>()]);
}

/// A row a kind, a picture a column: test images, then each model's.
std::vector<GalleryRow> pictures(const NewKindResults& results, const PixelSet& test) {
  std::vector<GalleryRow> rows;
  for (std::size_t c = 0; c < results.classes.size(); ++c) {
    const auto& name = results.classes[c];
    rows.push_back({name == results.kind ? name + " (new)" : name, {}});
    for (std::int64_t i = 0; i < kPictures; ++i) rows.back().images.push_back(image_of(test, c, i));
    for (const auto& model : results.models)
      for (std::int64_t i = 0; i < kPictures; ++i)
        rows.back().images.push_back(image_of(model.images, c, i));
  }
  return rows;
}

std::vector<std::string> columns(const NewKindResults& results) {
  std::vector<std::string> names(kPictures, "real");
  for (const auto& model : results.models)  // "replay" is as wide as a picture
    names.insert(names.end(), kPictures, model.model.substr(model.model.find('_') + 1));
  return names;
}

std::string distance(const Interval& d) {
  return std::isnan(d.mean) ? "-" : format("%.2f", d.mean);
}

void add_table(HtmlReport& page, const NewKindResults& results) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& model : results.models) {
    const bool base = &model == &results.models.front();
    rows.push_back({model.model, base ? "" : points(model.learned), base ? "" : points(model.kept),
                    format("%.3f", model.drift)});
  }
  page.table({"model", "new kind, points", "old kinds, points", "pixels changed"}, rows,
             text("Recognised, in points more than of the base's images from the same noise, 95 % "
                  "intervals over images. Changed: root mean square of the old kinds' pixels, of "
                  "values in 0..1; between two images of one kind it is ",
                  format("%.3f", results.chance_drift), "."));
}

void add_kinds(HtmlReport& page, const NewKindResults& results) {
  std::vector<std::string> heads{"kind", "real test"};
  for (const auto& model : results.models) {
    heads.push_back(model.model);
    heads.push_back("KID");
  }
  std::vector<std::vector<std::string>> rows;
  for (std::size_t c = 0; c < results.classes.size(); ++c) {
    rows.push_back({results.classes[c], percent(results.real.accuracy[c])});
    for (const auto& model : results.models) {
      rows.back().push_back(percent(model.fidelity.accuracy[c]));
      rows.back().push_back(distance(model.distance[c]));
    }
  }
  page.table(
      heads, rows,
      "Recognised by a classifier trained on real images of all kinds; KID to real test images "
      "in its features (intervals in new_kind.json).");
}

}  // namespace

void write_new_kind(const std::filesystem::path& out, const NewKindResults& results,
                    const PixelSet& test) {
  write_atomically(out / "new_kind.json", to_json(results).dump(2) + "\n");
  const auto rows = pictures(results, test);
  HtmlReport page("A lesion kind that the flow had not seen: " + results.kind);
  page.notice("Synthetic images. Research only, not a medical device.")
      .paragraph(text("The base was trained on all kinds but ", results.kind,
                      "; low-rank adapters of it on ", results.new_images, " images of ",
                      results.kind,
                      " alone (adapter), or on as many of the old kinds beside them "
                      "(adapter_replay), for equal steps."))
      .heading("Learned and kept");
  add_table(page, results);
  add_kinds(page, results);
  page.heading("Images").gallery(
      columns(results), rows, "Drawn images of one row and number start from the same noise.", 1);
  page.write(out / "new_kind.html");

  std::vector<Image> all;
  for (const auto& row : rows) all.insert(all.end(), row.images.begin(), row.images.end());
  write_png(out / "pictures.png",
            grid(all, kPictures * static_cast<std::int64_t>(1 + results.models.size())));
}

std::string summary(const NewKindResults& results) {
  std::string lines = text(results.kind, ", ", results.new_images, " training images\n");
  for (const auto& model : results.models)
    lines += text(model.model, ": new kind ", points(model.learned), " points, old kinds ",
                  points(model.kept), ", change ", format("%.3f", model.drift), "\n");
  return lines;
}

}  // namespace dermis
