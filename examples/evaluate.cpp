/// \file
/// Judges trained classifiers on labelled images, or a predictions file against its truth.

#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/io/submission.hpp"
#include "dermis/metrics/isic_score.hpp"
#include "dermis/report/decision_report.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

ScoredPart score(const std::vector<Classifier>& models, const PixelSet& set, std::int64_t views) {
  ScoredPart part{predict_probabilities(models, set.images, views).cwiseMax(1e-12).array().log(),
                  labels_of(set),
                  {},
                  {}};
  for (const auto& sample : set.samples) {
    part.images.push_back(sample.id);
    part.lesions.push_back(sample.lesion);
  }
  return part;
}

/// The official scorer's figures for these probabilities [N, C].
IsicScore official_score(const ScoredPart& part, const std::vector<std::string>& classes,
                         const Eigen::MatrixXd& probabilities) {
  Eigen::MatrixXd one_hot = Eigen::MatrixXd::Zero(probabilities.rows(), probabilities.cols());
  for (std::size_t i = 0; i < part.labels.size(); ++i)
    one_hot(static_cast<Eigen::Index>(i), part.labels[i]) = 1;
  const auto table = [&](const char* what, const Eigen::MatrixXd& values) {
    return parse_csv(submission_csv({part.images, classes, values}, classes), what);
  };
  return score_isic(table("labels", one_hot), table("predictions", probabilities));
}

}  // namespace

int main(int argc, char** argv) {
  Program program(
      "evaluate",
      "Judges classifiers: balanced accuracy with its interval by lesion, recall by class, AUC, "
      "calibration; with --report also decisions. Several --model are averaged.",
      "  evaluate --model student.safetensors --data photos --labels labels.csv\n"
      "  evaluate --model a.safetensors --model b.safetensors --views 8 --data photos --labels "
      "labels.csv\n"
      "  evaluate --model student.safetensors --data photos --labels labels.csv --report "
      "decisions.html --positive MEL,BCC,SCC --readers readers.csv\n"
      "  evaluate --predictions submission.csv --truth ISIC_2019_Test_GroundTruth.csv\n");
  program.add_data_options();
  std::vector<std::filesystem::path> model_files;
  std::filesystem::path report, readers, submission, predictions, truth;
  std::string part = "test";
  std::int64_t views = 1;
  bool official = false;
  DecisionOptions decisions;
  auto& app = program.app;
  app.add_option("--model", model_files, "classifier, teacher or student .safetensors; repeatable");
  app.add_option("--part", part,
                 "test or validation: of the split that training with the same --seed made; all: "
                 "every image")
      ->capture_default_str()
      ->check(CLI::IsMember({"test", "validation", "all"}));
  app.add_option("--views", views, "test-time augmentation: mean over 1, 2 or 8 views")
      ->capture_default_str();
  app.add_option("--seed", program.seed, "of the split, as in training")->capture_default_str();
  app.add_option("--out", program.out, "also write the figures to this JSON file");
  app.add_option("--report", report,
                 "HTML page on decisions, fitted on the validation part: needs --positive");
  app.add_option("--positive", decisions.positive, "classes that count as positive: MEL,BCC")
      ->delimiter(',');
  app.add_option("--sensitivity", decisions.sensitivity, "that the operating point must reach")
      ->capture_default_str();
  app.add_option("--readers", readers, "CSV reader,image,decision drawn on the ROC of --report");
  app.add_option("--submission", submission, "write predictions in ISIC 2019's format");
  app.add_flag("--official", official, "add every figure of the official ISIC scorer");
  app.add_option("--predictions", predictions,
                 "predictions CSV to score officially against --truth, without a model")
      ->excludes("--model");
  app.add_option("--truth", truth, "ground truth CSV for --predictions")->needs("--predictions");
  return program.run(argc, argv, [&] {
    if (!predictions.empty()) {
      check_argument(!truth.empty(), "[evaluate] --predictions needs --truth CSV");
      const auto score = to_json(score_isic(read_csv(truth), read_csv(predictions)), false);
      program.print(score, score.dump(2));
      return;
    }
    check_argument(!model_files.empty(), "[evaluate] expected --model FILE or --predictions CSV");
    check_argument(report.empty() || (!decisions.positive.empty() && part == "test"),
                   "[evaluate] --report needs --positive CLASSES and --part test");
    std::vector<Classifier> models;
    for (const auto& file : model_files)
      models.push_back(load_classifier(file, at::Device(program.device)));
    const auto& classes = models[0].classes;
    program.preprocessing = models[0].preprocessing;  // as it was trained
    if (!program.data.empty() && program.classes.empty()) program.classes = classes;
    auto recipe = program.recipe();
    set_image_size(recipe, models[0].model.ptr()->options.image_size);
    const auto parts = program.parts(recipe);
    check_runtime(parts.train.classes == classes, "[evaluate] ", model_files[0].string(), " knows ",
                  classes.size(), " classes (", classes.front(), ", ...), the data have ",
                  parts.train.classes.size(), " (", parts.train.classes.front(), ", ...)");
    const auto set = part == "test" ? parts.test
                     : part == "validation"
                         ? parts.validation
                         : concatenate(concatenate(parts.train, parts.validation), parts.test);
    const auto scored = score(models, set, views);
    const auto probabilities = softmax(scored.logits);
    const auto found = evaluate(probabilities, set);
    auto figures = to_json(found);
    figures["images"] = set.size();
    figures["part"] = part;
    if (official)
      figures["official"] = to_json(official_score(scored, classes, probabilities), false);
    if (!submission.empty())
      write_submission(submission, {scored.images, classes, probabilities}, isic2019_classes());
    if (!report.empty()) {
      std::optional<ReaderDecisions> read;
      if (!readers.empty()) read = reader_decisions(read_csv(readers), classes, decisions.positive);
      const auto page = decision_figures(classes, score(models, parts.validation, views), scored,
                                         decisions, read);
      figures["decisions"] = to_json(page);
      write_decision_page(report, page, "data " + parts.source + ", test part");
    }
    program.print(figures, text(part, " part, ", set.size(), " images: ", summary(found),
                                report.empty() ? "" : "\nreport: " + report.string()));
    if (!program.out.empty()) write_atomically(program.out, figures.dump(2) + "\n");
  });
}
