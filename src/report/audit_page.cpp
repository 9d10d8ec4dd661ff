#include "../metrics/format.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/audit_report.hpp"
#include "dose_chart.hpp"

namespace dermis {

using detail::count;
using detail::format;
using detail::percent;

namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string figure(const Interval& i, const char* pattern = "%.3f (%.3f to %.3f)") {
  return std::isfinite(i.mean) ? format(pattern, i.mean, i.lo, i.hi) : "-";
}
std::string figure(const std::optional<Interval>& i) {
  return i ? figure(*i) : "-";
}
std::string figure(const std::optional<double>& value) {
  return value ? format("%.3f", *value) : "-";
}

void add_findings(HtmlReport& page, const AuditResults& r) {
  page.heading("Audit: findings");
  page.key_figures({{"synthetic images", count(r.synthetic)},
                    {"suspected copies", r.memorisation ? count(r.memorisation->copies) : "-"},
                    {"class recognised", percent(r.fidelity.evaluation.balanced_accuracy.mean)},
                    {"of real ones", percent(r.fidelity_real.evaluation.balanced_accuracy.mean)}});
  Rows rows;
  for (const auto& finding : r.findings()) rows.push_back({finding.about, finding.text});
  for (const auto& missing : r.not_measured)
    rows.push_back({missing.about, "not measured: " + missing.text});
  if (rows.empty()) page.paragraph("Nothing was found.");
  if (!rows.empty()) page.table({"audit", "what was found"}, rows);
}

void add_copies(HtmlReport& page, const AuditResults& r, const MemorisationResult& m) {
  page.paragraph(m.verdict());
  page.table({"", "found"},
             {{"suspected copies", count(m.copies) + " of " + count(r.synthetic)},
              {"share", percent(m.copy_share)},
              {"expected false alarms, at most", format("%.1f", m.expected_false_alarms)},
              {"held-out lesions that calibrate", count(m.held_out_lesions)},
              {"synthetic nearer to training images than held-out ones are (0.5: equally)",
               figure(m.closeness)},
              {"synthetic images with a near twin", count(m.near_duplicates)}});
  if (r.memorisation_pairs.width > 0)
    page.picture(r.memorisation_pairs,
                 "The synthetic images nearest to a training image: synthetic, the training image "
                 "turned alike, absolute difference. Near is not copied: see the findings.");
}

void add_memorisation(HtmlReport& page, const AuditResults& r) {
  page.heading("Memorisation");
  if (r.memorisation) add_copies(page, r, *r.memorisation);
  if (r.membership)
    page.paragraph(
        "Training images told from held-out ones by the generator's denoising error: AUC " +
        figure(r.membership->auc) + "; 0.5: not at all.");
  const auto& l = r.leakage;
  page.heading("Leakage across the split", 3);
  page.table({"in more than one part", "number"},
             {{"near-duplicates", count(static_cast<std::int64_t>(l.duplicates.size()))},
              {"image names", count(static_cast<std::int64_t>(l.images.size()))},
              {"lesions", count(static_cast<std::int64_t>(l.lesions.size()))},
              {"patients", count(static_cast<std::int64_t>(l.patients.size()))},
              {"synthetic images outside the training part",
               count(static_cast<std::int64_t>(l.synthetic.size()))}});
}

void add_distribution(HtmlReport& page, const AuditResults& r) {
  if (!r.distribution) return;
  page.heading("Distance from held-out real images");
  Rows rows;
  const auto add = [&](const ClassDistribution& row) {
    const auto &drawn = row.synthetic_figures, &floor = row.floor;
    const auto manifold = [](const DistributionFigures& figures, double ManifoldMetrics::*part) {
      return figures.manifold ? format("%.2f", (*figures.manifold).*part) : "-";
    };
    const auto both = [&](double ManifoldMetrics::*part) {
      return manifold(drawn, part) + " / " + manifold(floor, part);
    };
    rows.push_back({row.name, count(row.n), figure(drawn.kid), figure(floor.kid),
                    figure(drawn.fid) + " / " + figure(floor.fid),
                    both(&ManifoldMetrics::precision), both(&ManifoldMetrics::recall),
                    both(&ManifoldMetrics::density), both(&ManifoldMetrics::coverage)});
  };
  add(r.distribution->all);
  for (const auto& row : r.distribution->classes) add(row);
  page.table(
      {"class", "n", "KID", "floor", "FID / floor", "precision", "recall", "density", "coverage"},
      rows,
      "n images on either side. The floor, after the stroke, is the distance of real training "
      "images: what a perfect generator would reach.");
}

void add_realness(HtmlReport& page, const AuditResults& r) {
  if (!r.realness) return;
  page.heading("What tells synthetic from real");
  Rows rows;
  for (const auto& probe : r.realness->probes)
    rows.push_back({probe.name, figure(probe.auc), probe.tells() ? "yes" : "no"});
  page.table({"features", "AUC, real against synthetic", "tells"}, rows,
             "A linear classifier within classes, cross-validated by lesion; 0.5: cannot tell.");
}

void add_fidelity(HtmlReport& page, const AuditResults& r) {
  page.heading("Class fidelity");
  Rows rows;
  for (std::size_t c = 0; c < r.fidelity.accuracy.size(); ++c)
    rows.push_back({r.fidelity.evaluation.classes[c], percent(r.fidelity.accuracy[c]),
                    percent(r.fidelity_real.accuracy[c]), format("%.2f", r.fidelity.intended[c])});
  page.table({"class", "synthetic recognised", "held-out real recognised",
              "mean probability of the intended class"},
             rows, "By a classifier that was trained on real images alone.");
  page.confusion(confusion_matrix(r.fidelity.evaluation.labels, r.fidelity.evaluation.predictions,
                                  static_cast<int>(r.fidelity.evaluation.classes.size())),
                 r.fidelity.evaluation.classes,
                 "Synthetic images: intended class (rows) against what the classifier names.");
}

void add_utility(HtmlReport& page, const AuditResults& r) {
  if (!r.transfer && !r.dose) return;
  page.heading("Utility");
  if (r.transfer) {
    const auto arm = [](const char* name, const Evaluation& e) {
      return std::vector<std::string>{name, percent(e.balanced_accuracy)};
    };
    page.table({"", "balanced accuracy"},
               {arm("trained on real, tested on real", r.transfer->real_to_real),
                arm("trained on synthetic, tested on real", r.transfer->synthetic_to_real),
                arm("trained on real, tested on synthetic", r.transfer->real_to_synthetic)});
  }
  if (!r.dose) return;
  page.chart(detail::dose_chart("Balanced accuracy by dose", r.dose->effects));
  Rows rows;
  for (const auto& effect : r.dose->effects)
    rows.push_back({percent(effect.real_share), format("%.2f", effect.dose),
                    percent(effect.balanced_accuracy), percent(effect.gain)});
  page.table({"share of real images", "dose", "balanced accuracy", "gain over dose 0"}, rows,
             "Equal steps; intervals over lesions and seeds, the gain paired.");
}

void add_tones(HtmlReport& page, const AuditResults& r) {
  page.heading("Skin tone");
  page.paragraph(
      "Individual typology angle of the skin beside the lesion. Light and camera move it as much "
      "as skin does: shares are means of probabilities, no image is put into one group.");
  Rows rows;
  std::vector<std::string> columns = {"class", "images"};
  for (const auto& name : tone_group_names()) columns.push_back(name);
  columns.push_back("ITA higher by");
  columns.push_back("differs");
  for (const auto& row : r.tones) {
    std::vector<std::string> cells = {row.name,
                                      count(row.real_images) + " / " + count(row.synthetic_images)};
    for (std::size_t g = 0; g < row.real.size(); ++g)
      cells.push_back(format("%.1f / %.1f", 100 * row.real[g].mean, 100 * row.synthetic[g].mean));
    cells.push_back(figure(row.shift, "%.1f (%.1f to %.1f)"));
    cells.push_back(row.note.empty() ? (row.differs ? "yes" : "no") : row.note);
    rows.push_back(std::move(cells));
  }
  page.table(columns, rows, "Real / synthetic: images, and their shares in percent.");
  rows.clear();
  for (const auto& group : r.group_gaps.groups)
    rows.push_back({group.group, count(group.images), percent(group.balanced_accuracy),
                    figure(group.overconfidence), group.note});
  page.table({"group", "held-out images", "balanced accuracy", "overconfidence", ""}, rows,
             "The judge on held-out real images, by most probable tone.");
}

void add_shortcuts(HtmlReport& page, const AuditResults& r) {
  page.heading("Shortcuts");
  Rows rows;
  for (const auto& effect : r.shortcuts.artefacts) {
    std::string pulls;
    for (const auto& pull : effect.pulls)
      if (pull.found) pulls += (pulls.empty() ? "" : ", ") + pull.name;
    rows.push_back({name_of(effect.artefact), percent(effect.change), percent(effect.flips),
                    pulls.empty() ? "none" : pulls});
  }
  page.table({"drawn onto the image", "change of balanced accuracy", "answers changed",
              "classes it pulls to"},
             rows, "The judge on held-out real images with and without an artefact.");
  page.paragraph("With the lesion painted over, balanced accuracy is " +
                 percent(r.shortcuts.masked_accuracy) + " on " + count(r.shortcuts.masked_images) +
                 " images; chance is " + percent(r.shortcuts.chance) + ".");
  rows.clear();
  for (std::size_t i = 0; i < r.real_links.size(); ++i) {
    const auto &real = r.real_links[i], &drawn = r.synthetic_links[i];
    if (real.found || drawn.found)
      rows.push_back(
          {name_of(real.artefact), real.name, format("%.2f", real.auc), format("%.2f", drawn.auc)});
  }
  if (rows.empty()) page.paragraph("No artefact goes with a class in either set.");
  if (!rows.empty())
    page.table({"artefact", "class", "AUC in real images", "AUC in synthetic images"}, rows,
               "Artefacts that go with a class in one of the sets; 0.5: no link.");
}

}  // namespace

void add_audit(HtmlReport& page, const AuditResults& results) {
  add_findings(page, results);
  add_memorisation(page, results);
  add_distribution(page, results);
  add_realness(page, results);
  add_fidelity(page, results);
  add_utility(page, results);
  add_tones(page, results);
  add_shortcuts(page, results);
}

void write_audit(const std::filesystem::path& out, const AuditResults& results,
                 const std::string& subtitle) {
  make_directories(out);
  write_atomically(out / "audit.json", to_json(results).dump(2) + "\n");
  HtmlReport page("Audit of synthetic images", subtitle);
  page.notice(
      "Research software, not a medical device. Figures describe these images and support no "
      "clinical claim.");
  add_audit(page, results);
  page.write(out / "audit.html");
}

}  // namespace dermis
