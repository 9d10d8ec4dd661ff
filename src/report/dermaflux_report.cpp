#include "dermis/report/dermaflux_report.hpp"

#include "../metrics/format.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/html.hpp"
#include "dose_chart.hpp"

namespace dermis {

using detail::count;
using detail::format;
using detail::percent;
using detail::points;

namespace {

constexpr const char* research = "Synthetic images. Research only, not a medical device.";

std::string figure(const Interval& i) {
  return format("%.3f (%.3f to %.3f)", i.mean, i.lo, i.hi);
}

/// The first `most` prompts with their images.
void add_prompts(HtmlReport& page, const std::vector<ImageRequest>& requests,
                 const PixelSet& images, std::size_t most) {
  std::vector<GalleryRow> rows;
  for (std::size_t i = 0; i < std::min(most, requests.size()); ++i)
    rows.push_back({requests[i].prompt, {to_image(images.images[static_cast<std::int64_t>(i)])}});
  const double scale = images.images.size(2) < 128 ? 3 : 1;
  page.heading("Prompts and images")
      .gallery({"drawn"}, rows,
               text(rows.size(), " of ", requests.size(), " prompts, each beside what was drawn."),
               scale);
}

std::vector<std::string> row(const std::string& name, const PromptFollowing& following) {
  return {name, text(following.measured, " of ", following.images), figure(following.asymmetry),
          figure(following.border), figure(following.colour)};
}

void add_colours(HtmlReport& page, const FollowingResults& results) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t c = 0; c < results.drawn.colours.size(); ++c)
    rows.push_back({results.drawn.colours[c].colour, count(results.drawn.colours[c].asked),
                    figure(results.found.colours[c].correlation),
                    figure(results.drawn.colours[c].correlation),
                    figure(results.shuffled.colours[c].correlation)});
  page.table({"colour", "prompts with it", "test images", "drawn", "shuffled prompts"}, rows,
             "Spearman's correlation of being asked for with the measured share of the lesion.");
}

void add_examples(HtmlReport& page, const ClassifyResults& results) {
  std::vector<GalleryRow> rows;
  std::int64_t each = 0;
  for (const auto& curve : results.curves) {
    const auto& drawn = curve.examples;
    each = drawn.size() / static_cast<std::int64_t>(drawn.classes.size());
    for (std::size_t c = 0; c < drawn.classes.size(); ++c) {
      GalleryRow row{drawn.classes[c] + ", " + curve.method, {}};
      for (std::int64_t i = 0; i < each; ++i)
        row.images.push_back(to_image(drawn.images[static_cast<std::int64_t>(c) * each + i]));
      rows.push_back(row);
    }
  }
  page.heading("Synthetic images")
      .gallery(std::vector<std::string>(static_cast<std::size_t>(each)), rows, "", 2);
}

}  // namespace

void write_prompted(const std::filesystem::path& out, const std::vector<ImageRequest>& requests,
                    const PixelSet& images) {
  HtmlReport page("DermaFlux: prompts and images");
  page.notice(research);
  add_prompts(page, requests, images, 200);
  page.write(out / "report.html");
}

void write_following(const std::filesystem::path& out, const FollowingResults& results) {
  write_atomically(out / "following.json", to_json(results).dump(2) + "\n");
  HtmlReport page("DermaFlux: do images show what was asked for?");
  page.notice(research);
  page.heading("Asked and measured")
      .paragraph(
          "Spearman's rank correlation of what a prompt asks for with what is measured inside the "
          "lesion, with 95 % intervals over images. The first two rows are the measuring itself, "
          "on real test images whose truth is known; the last one is the control: prompts change "
          "places at random, and 95 % of such correlations lie within the interval.")
      .table({"images", "measured", "asymmetry", "border", "colour"},
             {row("test, true masks", results.truth), row("test, found masks", results.found),
              row("drawn", results.drawn), row("shuffled prompts", results.shuffled)})
      .paragraph(text(results.held_out_prompts,
                      " prompts ask for a combination that no training image shows, asymmetric and "
                      "blue-grey. Their images are told from those of symmetrical prompts by the "
                      "measured asymmetry with an AUC of ",
                      figure(results.held_out_asymmetry),
                      ", from those without blue-grey by its share with an AUC of ",
                      figure(results.held_out_colour), "."));
  add_colours(page, results);
  add_prompts(page, results.requests, results.images, 24);
  page.write(out / "following.html");
}

std::string summary(const FollowingResults& results) {
  const auto line = [](const char* name, const PromptFollowing& f) {
    return text(name, ": asymmetry ", figure(f.asymmetry), ", border ", figure(f.border),
                ", colour ", figure(f.colour));
  };
  return line("drawn", results.drawn) + "\n" + line("shuffled prompts", results.shuffled);
}

void write_classify(const std::filesystem::path& out, const ClassifyResults& results) {
  write_atomically(out / "classify.json", to_json(results).dump(2) + "\n");
  HtmlReport page("DermaFlux: synthetic images for a classifier");
  page.notice(research);
  page.heading("Benign or malignant")
      .paragraph(
          "The same network trained for the same steps on a share of the real training images and "
          "so many synthetic ones; intervals (95 %) over lesions and seeds, gains over the same "
          "share without synthetic images in points. The generator has seen all training images: "
          "a small share tells what it gives to someone who has few.");
  std::vector<std::vector<std::string>> rows;
  for (const auto& [method, curve, accuracies, areas, examples] : results.curves) {
    page.chart(detail::dose_chart("Images of " + method, curve.effects));
    for (std::size_t e = 0; e < curve.effects.size(); ++e) {
      const auto& effect = curve.effects[e];
      const auto& point = curve.points[e * curve.points.size() / curve.effects.size()];
      rows.push_back({method, format("%g", effect.real_share), count(point.real_images),
                      count(point.synthetic_images), percent(effect.balanced_accuracy),
                      points(effect.gain), percent(accuracies[e]), figure(areas[e])});
    }
  }
  page.table({"images of", "real share", "real", "synthetic", "balanced accuracy", "gain",
              "accuracy", "AUC"},
             rows);
  std::vector<std::vector<std::string>> differences;
  const auto& effects = results.curves.front().curve.effects;
  for (std::size_t e = 0; e < effects.size(); ++e)
    if (effects[e].dose > 0)
      differences.push_back({format("%g", effects[e].real_share), format("%g", effects[e].dose),
                             points(results.flow_minus_diffusion[e])});
  page.heading("Rectified flow less diffusion")
      .table({"real share", "dose", "balanced accuracy, points"}, differences,
             "Images of the same network, trained for the same steps with either process.");
  add_examples(page, results);
  page.write(out / "classify.html");
}

}  // namespace dermis
