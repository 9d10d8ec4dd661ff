/// \file
/// From a trained classifier to files for a phone, and what the smaller ones cost.

#include <fmt/core.h>

#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/edge/calibration.hpp"
#include "dermis/edge/comparison.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/edge/model.hpp"
#include "dermis/edge/onnx.hpp"
#include "dermis/report/deploy_report.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

/// Normalised pixels of image `index`, as training normalises them.
void copy_pixels(const PixelSet& set, const edge::Manifest& manifest, std::int64_t index,
                 float* to) {
  const Normalization normalization{manifest.mean, manifest.std};
  const auto pixels = normalization(set.images[index]).contiguous();
  std::copy_n(pixels.const_data_ptr<float>(), pixels.numel(), to);
}

edge::LabelledPixels labelled_pixels(const PixelSet& set, const edge::Manifest& manifest) {
  return {set.size(), [&](std::int64_t index, float* to) { copy_pixels(set, manifest, index, to); },
          labels_of(set), lesions_of(set)};
}

std::string line(const edge::Variant& v) {
  return fmt::format(
      "{}: {:.1f} MB, {:.2f} ms, balanced accuracy {}, difference {:+.1f} ({:+.1f} to {:+.1f}) "
      "points, same class {}\n",
      edge::name(v.precision), static_cast<double>(v.file_bytes) / 1e6, v.milliseconds,
      percent(v.balanced_accuracy), 100 * v.difference.mean, 100 * v.difference.lo,
      100 * v.difference.hi, percent(v.agreement));
}

}  // namespace

int main(int argc, char** argv) {
  Program program(
      "deploy",
      "Writes a classifier, teacher or student as files for dermis::edge, calibrated on "
      "the validation part, and compares them on the test part.",
      "  deploy --model student.safetensors --data photos --labels labels.csv --out "
      "out/phone\n");
  program.add_data_options();
  std::filesystem::path model_file;
  std::vector<std::string> precisions = {"fp32", "fp16", "int8"};
  double abstain_below = 0, exit_confidence = 0;
  std::optional<double> exit_loss;
  bool onnx = false;
  int threads = 1;
  auto& app = program.app;
  app.add_option("--model", model_file, "classifier, teacher or student .safetensors")->required();
  app.add_option("--out", program.out, "folder to write")->required();
  app.add_option("--precision", precisions,
                 "of the files; the first is what others are compared with")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--abstain-below", abstain_below,
                 "no answer where the largest probability is less")
      ->capture_default_str();
  auto* fixed = app.add_option("--exit-confidence", exit_confidence,
                               "of a student that answers at every depth: answer as soon as one "
                               "is as sure; default: never early");
  app.add_option("--exit-loss", exit_loss,
                 "choose that confidence: the least that costs at most this much balanced accuracy "
                 "on the validation part (0.01: one point)")
      ->excludes(fixed);
  app.add_flag("--onnx", onnx, "also write ONNX files");
  app.add_option("--edge-threads", threads, "threads that are timed")->capture_default_str();
  app.add_option("--seed", program.seed, "of the split, as in training")->capture_default_str();
  return program.run(argc, argv, [&] {
    make_directories(program.out);
    const auto file_of = [&](const std::string& precision, const char* extension) {
      return program.out / (model_file.stem().string() + "." + precision + extension);
    };
    edge::ExportOptions options{.abstain_below = abstain_below};
    edge::from_name(options.precision, precisions.at(0));
    edge::export_model(model_file, file_of(precisions[0], ".edge"), options);
    edge::Model first(file_of(precisions[0], ".edge"), {.threads = threads});
    const auto manifest = first.manifest();

    program.preprocessing = manifest.preprocessing;  // as it was trained
    if (!program.data.empty() && program.classes.empty()) program.classes = manifest.classes;
    auto recipe = program.recipe();
    set_image_size(recipe, manifest.network.image_size);
    const auto parts = program.parts(recipe);
    check_runtime(parts.test.classes == manifest.classes, "[deploy] ", model_file.string(),
                  ": expected the classes of the data");

    const auto exits =
        edge::calibrate_exits(first, labelled_pixels(parts.validation, manifest), exit_loss);
    for (const auto& remark : exits.remarks) std::cerr << remark << '\n';
    options.temperatures = exits.temperatures;
    options.exit_confidences = exits.confidences;
    if (fixed->count() > 0)
      options.exit_confidences.assign(exits.confidences.size(), exit_confidence);
    std::vector<std::filesystem::path> files;
    for (const auto& precision : precisions) {
      edge::from_name(options.precision, precision);
      files.push_back(file_of(precision, ".edge"));
      edge::export_model(model_file, files.back(), options);
      if (onnx) edge::write_onnx(files.back(), file_of(precision, ".onnx"));
    }
    const auto images = labelled_pixels(parts.test, manifest);
    const auto variants = edge::compare(files, images, {.threads = threads});
    const auto figures = Json::object({{"temperatures", options.temperatures},
                                       {"exit_confidences", options.exit_confidences},
                                       {"images", images.count},
                                       {"files", edge::to_json(variants, manifest.classes)}});
    write_atomically(program.out / "deploy.json", figures.dump(2) + "\n");
    write_deploy_page(program.out / "deploy.html", variants, manifest.classes,
                      parts.source + ", test part");
    std::string summary;
    for (const auto& v : variants) summary += line(v);
    program.print(figures, summary + "report: " + (program.out / "deploy.html").string());
  });
}
