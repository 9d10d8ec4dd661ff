#include "dermae_page.hpp"

#include "../metrics/format.hpp"
#include "dermis/io/contact_sheet.hpp"
#include "dermis/report/audit_report.hpp"

namespace dermis {

using detail::count;
using detail::format;
using detail::percent;

namespace {

/// Up to `per_class` images of a class, from the front.
std::vector<Image> of_class(const PixelSet& set, std::size_t label, std::int64_t per_class) {
  std::vector<Image> images;
  for (std::int64_t i = 0; i < set.size() && static_cast<std::int64_t>(images.size()) < per_class;
       ++i) {
    if (static_cast<std::size_t>(set.samples[static_cast<std::size_t>(i)].label) == label)
      images.push_back(to_image(set.images[i]));
  }
  return images;
}

void add_summary(HtmlReport& page, const DermaeResults& r) {
  const auto& teacher = r.arm("teacher").evaluation.balanced_accuracy;
  const auto& student = r.arm("student").evaluation.balanced_accuracy;
  page.key_figures({{"teacher, balanced accuracy", percent(teacher.mean)},
                    {"student, balanced accuracy", percent(student.mean)},
                    {"share kept by the student", percent(student.mean / teacher.mean)},
                    {"smaller by", percent(1 - static_cast<double>(r.student.parameters) /
                                                   static_cast<double>(r.teacher.parameters))},
                    {"synthetic images recognised",
                     percent(r.audit.fidelity.evaluation.balanced_accuracy.mean)}});
  std::vector<std::vector<std::string>> rows;
  for (const auto& check : r.checks)
    rows.push_back({check.passed ? "passed" : "FAILED", check.name, check.found});
  page.heading("Checks").table({"", "what must hold", "found"}, rows);
}

void add_data(HtmlReport& page, const DermaeResults& r) {
  page.heading("Data");
  page.paragraph("Source: " + r.parts.source + ". Split: " + r.parts.split + ". Left out: " +
                 count(r.parts.report.missing) + " missing, " + count(r.parts.report.corrupt) +
                 " corrupt, " + count(r.parts.report.unlabelled) + " without label.");
  std::vector<std::vector<std::string>> rows;
  const auto train = r.parts.train.class_counts(), validation = r.parts.validation.class_counts(),
             test = r.parts.test.class_counts();
  for (std::size_t c = 0; c < train.size(); ++c)
    rows.push_back({r.parts.train.classes[c], count(train[c]), count(r.plan[c]),
                    count(validation[c]), count(test[c])});
  page.table({"class", "training", "synthetic added", "validation", "test"}, rows,
             "Images by class.");
}

void add_generation(HtmlReport& page, const DermaeResults& r) {
  page.heading("Generator");
  page.paragraph(
      format("Held-out denoising loss %.4f; best linear denoiser %.4f; with shuffled labels %.4f. "
             "Autoencoder %.1f dB PSNR, bicubic "
             "8x down and up %.1f dB.",
             r.denoising.model, r.denoising.linear, r.denoising.shuffled, r.psnr, r.bicubic_psnr));
  std::vector<GalleryRow> rows;
  for (std::size_t c = 0; c < r.synthetic.classes.size(); ++c) {
    auto real = of_class(r.parts.test, c, 6), drawn = of_class(r.synthetic, c, 6);
    rows.push_back({r.synthetic.classes[c], {grid(real, 6, 2, 1), grid(drawn, 6, 2, 1)}});
  }
  page.gallery({"real, held out", "synthetic"}, rows,
               "Real beside synthetic images by class, the first six of each, not chosen.", 1);
}

void add_masked(HtmlReport& page, const DermaeResults& r) {
  page.heading("Masked autoencoder");
  page.paragraph(format("Mean squared error on hidden patches of validation images %.5f; filling "
                        "with the visible patches' mean %.5f: ",
                        r.masked.model, r.masked.mean_fill) +
                 percent(r.masked.reduction()) + " less.");
  std::vector<GalleryRow> rows;
  for (std::int64_t i = 0; i < r.masked_pictures.original.size(0); ++i)
    rows.push_back(
        {"",
         {to_image(r.masked_pictures.masked[i]), to_image(r.masked_pictures.reconstructed[i]),
          to_image(r.masked_pictures.original[i])}});
  page.gallery({"masked", "reconstructed", "original"}, rows,
               "Validation images; visible patches are copied into the reconstruction.", 2);
}

void add_arms(HtmlReport& page, const DermaeResults& r) {
  page.heading("Comparison");
  BarChart chart{.title = "Balanced accuracy on the test part, 95 % intervals by lesion",
                 .x_label = "balanced accuracy",
                 .percent = true};
  chart.references.push_back({"chance", 1.0 / static_cast<double>(r.parts.train.classes.size())});
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::string& name, const std::string& description, const Evaluation& e,
                       const std::string& passes) {
    chart.bars.push_back(
        {name, e.balanced_accuracy.mean, e.balanced_accuracy.lo, e.balanced_accuracy.hi});
    rows.push_back({name, description, percent(e.balanced_accuracy), percent(e.accuracy),
                    format("%.3f", e.macro_auc), format("%.3f", e.calibration_error), passes});
  };
  for (const auto& b : r.baselines) add(b.name, "logistic regression", b.evaluation, "-");
  for (const auto& a : r.arms) add(a.name, a.description, a.evaluation, count(a.image_passes));
  page.chart(chart);
  page.table({"arm", "what", "balanced accuracy", "accuracy", "AUC", "ECE", "image passes"}, rows,
             "All arms on the same test lesions. Image passes count every training image seen, "
             "pre-training included.");
  page.heading("Recall by class", 3);
  std::vector<std::string> columns = {"arm"};
  for (const auto& name : r.parts.train.classes) columns.push_back(name);
  std::vector<std::vector<std::string>> recalls;
  for (const auto& a : r.arms) {
    std::vector<std::string> row = {a.name};
    for (const auto recall : a.evaluation.per_class.recall) row.push_back(percent(recall));
    recalls.push_back(row);
  }
  page.table(columns, recalls);
  for (const auto* name : {"teacher", "student"}) {
    const auto& e = r.arm(name).evaluation;
    page.confusion(confusion_matrix(e.labels, e.predictions, static_cast<int>(e.classes.size())),
                   e.classes, std::string("Confusion of the ") + name + " on the test part.");
  }
}

void add_student(HtmlReport& page, const DermaeResults& r) {
  page.heading("Teacher and student");
  const auto row = [&](const char* name, const ModelCost& cost) {
    const auto& e = r.arm(name).evaluation;
    return std::vector<std::string>{name, count(cost.parameters), count(cost.bytes),
                                    format("%.2f", cost.latency_ms), percent(e.balanced_accuracy)};
  };
  page.table({"", "parameters", "bytes", "latency of one image, ms", "balanced accuracy"},
             {row("teacher", r.teacher), row("student", r.student)});
  const auto& t = r.arm("teacher").evaluation;
  const auto& s = r.arm("student").evaluation;
  page.paragraph("The student keeps " +
                 percent(s.balanced_accuracy.mean / t.balanced_accuracy.mean) +
                 " of the teacher's balanced accuracy with " +
                 percent(static_cast<double>(r.student.parameters) /
                         static_cast<double>(r.teacher.parameters)) +
                 " of its parameters and is " +
                 format("%.2f", r.teacher.latency_ms / r.student.latency_ms) + " times as fast.");
}

void add_curves(HtmlReport& page, const DermaeResults& r) {
  page.heading("Training curves");
  for (const auto& [stage, result] : r.curves) {
    Series series{.name = "loss", .xs = {}, .ys = {}};
    for (const auto& point : result.curve) {
      series.xs.push_back(static_cast<double>(point.step));
      series.ys.push_back(point.loss);
    }
    page.chart(LineChart{.title = stage, .x_label = "step", .y_label = "loss", .series = {series}});
  }
}

}  // namespace

void write_dermae_page(const std::filesystem::path& path, const DermaeResults& r) {
  HtmlReport page("DerMAE: synthesis, masked pre-training, fine-tuning, distillation",
                  "data " + r.parts.source + ", preset " + r.recipe.preset + ", seed " +
                      std::to_string(r.seed) + ", " + format("%.0f", r.seconds / 60) + " minutes");
  page.notice(
      "Research software, not a medical device. Figures describe this run on this data and support "
      "no clinical claim.");
  add_summary(page, r);
  add_arms(page, r);
  add_student(page, r);
  add_generation(page, r);
  add_audit(page, r.audit);
  add_masked(page, r);
  add_data(page, r);
  add_curves(page, r);
  page.heading("Settings").code(options_to_json(r.recipe).dump(2));
  page.write(path);
}

}  // namespace dermis
