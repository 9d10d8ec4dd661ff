/// \file
/// Trains a ViT classifier, from a masked autoencoder or from scratch, or a ResNet of its size.

#include <iostream>

#include "dermis/train/linear_probe.hpp"
#include "dermis/train/resnet_classifier.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

/// A ResNet with as many parameters as the recipe's ViT, trained as that would be.
ResNetClassifier resnet_of(const DermaeRecipe& recipe, const PixelSet& training,
                           const Normalization& normalization, const StageContext& context,
                           const PixelSet* validation) {
  const auto classes = static_cast<std::int64_t>(training.classes.size());
  auto vit = recipe.teacher.model;
  vit.num_classes = classes;
  const auto parameters = parameter_count(*ViT(vit, ParameterOptions{.device = at::kMeta}));
  const auto size =
      resnet_of_size(parameters, {.small_stem = recipe.image_size < 128, .num_classes = classes});
  auto options = recipe.teacher;
  options.layer_decay = 1;  // a ResNet has no blocks to grade rates by
  options.checkpoint_activations = false;
  return train_resnet(training, normalization, size, options, context, "resnet", nullptr,
                      validation);
}

}  // namespace

int main(int argc, char** argv) {
  Program program("finetune",
                  "Trains a ViT classifier on the training part, from a masked autoencoder "
                  "(--init) or from scratch.",
                  "  finetune --data photos --labels labels.csv --init out/mae/mae.safetensors "
                  "--out out/teacher\n"
                  "  finetune --data photos --labels labels.csv --synthetic "
                  "out/generator/synthetic --out out/scratch\n"
                  "  finetune --resnet --out out/resnet\n");
  program.add_data_options();
  program.add_synthetic_option();
  program.add_training_options("out/finetune");
  std::filesystem::path init;
  bool probe = false, select_best = false, resnet = false;
  auto* from = program.app.add_option(
      "--init", init,
      "mae.safetensors that `pretrain` wrote, a classifier, or weights converted "
      "as docs/weights.md shows; without it: from scratch");
  program.app
      .add_flag("--linear-probe", probe,
                "train a linear layer alone, on the frozen encoder of --init")
      ->needs("--init");
  program.app.add_flag("--select-best", select_best,
                       "keep the weights that do best on the validation part, not the last ones");
  program.app
      .add_flag("--resnet", resnet,
                "train a ResNet of as many parameters instead, with the ViT's schedule: a "
                "convolutional control; writes resnet.safetensors")
      ->excludes(from);
  return program.run(argc, argv, [&] {
    const auto context = program.context();
    const auto recipe = program.recipe();
    const auto encoder = init.empty() ? Encoder{} : load_encoder(init, context.device);
    const auto parts = program.parts(recipe);
    write_split(context.out, parts);
    const auto normalization =
        init.empty() ? measure_normalization(parts.train) : encoder.normalization;
    const auto training = program.training_images(parts);
    const auto report = [&](const auto& classifier, const char* file) {
      save_classifier(context.out / file, classifier);
      const auto model = (context.out / file).string();
      const auto found = evaluate(classifier, parts.validation);
      program.print(Json::object({{"validation", to_json(found)}, {"model", model}}),
                    "validation part: " + summary(found) + "\nmodel: " + model);
    };
    if (resnet) {
      report(resnet_of(recipe, training, normalization, context,
                       select_best ? &parts.validation : nullptr),
             "resnet.safetensors");
      return;
    }
    const auto classifier =
        probe ? train_linear_probe(training, encoder,
                                   {.training = recipe.teacher.training,
                                    .augment = recipe.teacher.augment,
                                    .mean_pooling = recipe.teacher.model.mean_pooling},
                                   context, "linear_probe")
              : train_classifier(training, normalization, recipe.teacher, context, "classifier",
                                 nullptr, encoder, select_best ? &parts.validation : nullptr);
    report(classifier, "classifier.safetensors");
  });
}
