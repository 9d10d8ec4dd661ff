/// \file
/// Trains a ViT classifier, from a masked autoencoder or from scratch.

#include <iostream>

#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program("finetune",
                  "Trains a ViT classifier on the training part, from a masked autoencoder "
                  "(--init) or from scratch.",
                  "  finetune --data photos --labels labels.csv --init out/mae/mae.safetensors "
                  "--out out/teacher\n"
                  "  finetune --data photos --labels labels.csv --synthetic "
                  "out/generator/synthetic --out out/scratch\n");
  program.add_data_options();
  program.add_synthetic_option();
  program.add_training_options("out/finetune");
  std::filesystem::path init;
  program.app.add_option("--init", init,
                         "mae.safetensors that `pretrain` wrote; without it: from scratch");
  return program.run(argc, argv, [&] {
    const auto context = program.context();
    auto recipe = program.recipe();
    PretrainedMAE mae;
    if (!init.empty()) mae = load_mae(init, context.device);
    const auto parts = program.parts(recipe);
    write_split(context.out / "split.csv", parts);
    const auto normalization =
        init.empty() ? measure_normalization(parts.train) : mae.normalization;
    const auto classifier =
        train_classifier(program.training_images(parts), normalization, recipe.teacher, context,
                         "classifier", nullptr, mae.model);
    save_classifier(context.out / "classifier.safetensors", classifier);
    std::cout << to_json(evaluate(classifier, parts.validation)).dump(2)
              << "\nmodel (figures above: validation part): "
              << (context.out / "classifier.safetensors").string() << '\n';
  });
}
