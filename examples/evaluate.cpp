/// \file
/// Judges a trained classifier on labelled images.

#include <iostream>

#include "dermis/core/file.hpp"
#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program(
      "evaluate",
      "Judges a classifier: balanced accuracy with its interval by lesion, recall by class, AUC, "
      "calibration.",
      "  evaluate --model out/teacher/classifier.safetensors --data photos --labels labels.csv\n"
      "  evaluate --model student.safetensors --data others --labels others.csv --part all --out "
      "figures.json\n");
  program.add_data_options();
  std::filesystem::path model_file;
  std::string part = "test";
  program.app.add_option("--model", model_file, "classifier.safetensors or student.safetensors")
      ->required();
  program.app
      .add_option("--part", part,
                  "test or validation: of the split that training with the same --seed made; all: "
                  "every image")
      ->capture_default_str()
      ->check(CLI::IsMember({"test", "validation", "all"}));
  program.app.add_option("--seed", program.seed, "of the split, as in training")
      ->capture_default_str();
  program.app.add_option("--out", program.out, "also write the figures to this JSON file");
  return program.run(argc, argv, [&] {
    const auto classifier = load_classifier(model_file, at::Device(program.device));
    if (!program.data.empty() && program.classes.empty()) program.classes = classifier.classes;
    auto recipe = program.recipe();
    set_image_size(recipe, classifier.model.ptr()->options.image_size);
    const auto parts = program.parts(recipe);
    check_runtime(parts.train.classes == classifier.classes, "[evaluate] ", model_file.string(),
                  " knows ", classifier.classes.size(), " classes (", classifier.classes.front(),
                  ", ...), the data have ", parts.train.classes.size(), " (",
                  parts.train.classes.front(), ", ...)");
    const auto set = part == "test" ? parts.test
                     : part == "validation"
                         ? parts.validation
                         : concatenate(concatenate(parts.train, parts.validation), parts.test);
    auto figures = to_json(evaluate(classifier, set));
    figures["images"] = set.size();
    figures["part"] = part;
    std::cout << figures.dump(2) << '\n';
    if (!program.out.empty()) write_atomically(program.out, figures.dump(2) + "\n");
  });
}
