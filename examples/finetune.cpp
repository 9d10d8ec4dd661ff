/// \file
/// Trains a ViT classifier, from a masked autoencoder or from scratch.

#include <iostream>

#include "dermis/train/linear_probe.hpp"
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
  bool probe = false, select_best = false;
  program.app.add_option(
      "--init", init,
      "mae.safetensors that `pretrain` wrote, a classifier, or weights converted "
      "as docs/weights.md shows; without it: from scratch");
  program.app
      .add_flag("--linear-probe", probe,
                "train a linear layer alone, on the frozen encoder of --init")
      ->needs("--init");
  program.app.add_flag("--select-best", select_best,
                       "keep the weights that do best on the validation part, not the last ones");
  return program.run(argc, argv, [&] {
    const auto context = program.context();
    const auto recipe = program.recipe();
    const auto encoder = init.empty() ? Encoder{} : load_encoder(init, context.device);
    const auto parts = program.parts(recipe);
    write_split(context.out, parts);
    const auto normalization =
        init.empty() ? measure_normalization(parts.train) : encoder.normalization;
    const auto training = program.training_images(parts);
    const auto classifier =
        probe ? train_linear_probe(training, encoder,
                                   {.training = recipe.teacher.training,
                                    .augment = recipe.teacher.augment,
                                    .mean_pooling = recipe.teacher.model.mean_pooling},
                                   context, "linear_probe")
              : train_classifier(training, normalization, recipe.teacher, context, "classifier",
                                 nullptr, encoder, select_best ? &parts.validation : nullptr);
    save_classifier(context.out / "classifier.safetensors", classifier);
    const auto model = (context.out / "classifier.safetensors").string();
    const auto found = evaluate(classifier, parts.validation);
    program.print(Json::object({{"validation", to_json(found)}, {"model", model}}),
                  "validation part: " + summary(found) + "\nmodel: " + model);
  });
}
