/// \file
/// k-fold cross-validation by lesion (and patient): how well a setting does on your images, and
/// whether it beats another one on the same folds.

#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/train/cross_validation.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

/// What is trained on each fold.
struct Setting {
  std::string name;
  DermaeRecipe recipe;
  bool pretrain = false;  ///< as a masked autoencoder, on the fold's training images
  std::int64_t views = 1;
};

Eigen::MatrixXd run_fold(const Setting& setting, const StageContext& context,
                         const PixelSet& training, const PixelSet& held_out, std::int64_t fold) {
  const auto prefix = text(setting.name, "_fold", fold);
  const auto normalization = measure_normalization(training);
  Encoder encoder;
  if (setting.pretrain)
    encoder =
        pretrain(training, normalization, setting.recipe.pretraining, context, prefix + "_mae")
            .encoder();
  const auto classifier = train_classifier(training, normalization, setting.recipe.teacher, context,
                                           prefix + "_classifier", nullptr, encoder);
  return predict_probabilities(classifier, held_out.images, setting.views);
}

void write_predictions(const std::filesystem::path& path, const PixelSet& set,
                       const std::vector<std::vector<std::int64_t>>& folds,
                       const Eigen::MatrixXd& probabilities) {
  std::vector<std::string> cells = {"image", "label", "lesion_id", "fold"};
  cells.insert(cells.end(), set.classes.begin(), set.classes.end());
  std::string csv = csv_line(cells) + "\n";
  for (std::size_t f = 0; f < folds.size(); ++f) {
    for (const auto i : folds[f]) {
      const auto& sample = set.samples[static_cast<std::size_t>(i)];
      cells = {sample.id, set.classes[static_cast<std::size_t>(sample.label)], sample.lesion,
               std::to_string(f)};
      for (Eigen::Index c = 0; c < probabilities.cols(); ++c)
        cells.push_back(text(probabilities(i, c)));
      csv += csv_line(cells) + "\n";
    }
  }
  write_atomically(path, csv);
}

}  // namespace

int main(int argc, char** argv) {
  Program program(
      "crossvalidate",
      "Trains and judges a classifier on k folds that share no lesion or patient; with --against "
      "also another setting, and the paired difference.",
      "  crossvalidate --data photos --labels labels.csv --folds 5 --pretrain --views 8\n"
      "  crossvalidate --data photos --labels labels.csv --config mine.json --against "
      "plain.json\n");
  program.add_data_options();
  program.add_training_options("out/crossvalidate");
  std::int64_t folds = 5;
  Setting setting{.name = "setting"};
  std::filesystem::path against;
  program.app.add_option("--folds", folds, "number of folds")->capture_default_str();
  program.app.add_flag("--pretrain", setting.pretrain,
                       "pre-train on each fold's training images first");
  program.app
      .add_option("--views", setting.views, "test-time augmentation: mean over 1, 2 or 8 views")
      ->capture_default_str();
  program.app.add_option("--against", against,
                         "JSON like --config: another setting, without pre-training and views");
  return program.run(argc, argv, [&] {
    const auto context = program.context();
    setting.recipe = program.recipe();
    std::vector<Setting> settings = {setting};
    if (!against.empty())
      settings.push_back({.name = "against", .recipe = program.recipe(against)});
    const auto images = program.images(setting.recipe);
    const auto& set = images.set;
    const auto fold_indices =
        grouped_stratified_folds(set.dataset(), folds, program.seed,
                                 program.duplicates == "together" ? index_pairs(images.duplicates)
                                                                  : std::vector<IndexPair>());

    Json figures = Json::object({{"images", set.size()}, {"folds", folds}});
    std::vector<Evaluation> evaluations;
    for (const auto& s : settings) {
      const auto probabilities = cross_validate(
          set, fold_indices,
          [&](const PixelSet& training, const PixelSet& held_out, std::int64_t fold) {
            return run_fold(s, context, training, held_out, fold);
          });
      write_predictions(context.out / (s.name + ".csv"), set, fold_indices, probabilities);
      evaluations.push_back(evaluate(probabilities, set));
      figures[s.name] = to_json(evaluations.back());
    }
    std::string lines;
    for (std::size_t s = 0; s < settings.size(); ++s)
      lines += settings[s].name + ": " + summary(evaluations[s]) + "\n";
    if (evaluations.size() == 2) {
      const auto difference =
          balanced_accuracy_difference(evaluations[0].labels, evaluations[0].predictions,
                                       evaluations[1].predictions, evaluations[0].lesions);
      figures["difference"] = to_json(difference);
      lines += "paired difference in balanced accuracy: " + percent(difference) + "\n";
    }
    write_atomically(context.out / "metrics.json", figures.dump(2) + "\n");
    program.print(figures, lines + "figures: " + (context.out / "metrics.json").string());
  });
}
