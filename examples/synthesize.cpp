/// \file
/// Trains a class-conditioned latent generator on your training images and draws synthetic ones
/// that balance the classes.

#include <iostream>

#include "dermis/train/first_stage.hpp"
#include "dermis/train/synthesis.hpp"
#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program("synthesize",
                  "Trains a latent diffusion (or rectified-flow) model on the training part and "
                  "draws labelled images.",
                  "  synthesize --data photos --labels labels.csv --out out/generator\n"
                  "  synthesize --model out/generator --per-class 50 --out out/more\n"
                  "  synthesize --config flow.json --out out/flow      with {\"generator\": "
                  "{\"objective\": \"flow\"}}\n");
  program.add_data_options();
  program.add_training_options("out/synthesize");
  std::filesystem::path model;
  std::int64_t per_class = 0;
  double guidance = 0;
  program.app.add_option(
      "--model", model,
      "folder with autoencoder.safetensors and generator.safetensors: draw only, no training");
  program.app
      .add_option("--per-class", per_class,
                  "images to draw of every class; 0: what balances the training part")
      ->capture_default_str();
  program.app.add_option("--guidance", guidance, "guidance scale; 0: the model's")
      ->capture_default_str();
  return program.run(argc, argv, [&] {
    check_argument(
        model.empty() || per_class > 0,
        "[synthesize] --model needs --per-class N: without training images nothing says how many");
    const auto context = program.context();
    Generator generator;
    std::vector<std::int64_t> plan;
    if (!model.empty()) {
      generator = load_generator(model, context.device);
    } else {
      const auto recipe = program.recipe();
      const auto parts = program.parts(recipe);
      write_split(context.out, parts);
      const auto autoencoder = train_first_stage(parts.train, recipe, context);
      generator = train_generator(parts.train, autoencoder, recipe.generator, context);
      save_generator(context.out, generator);
      plan = balancing_plan(parts.train.class_counts(), recipe.synthetic_target,
                            recipe.synthetic_minimum);
    }
    if (per_class > 0) plan.assign(generator.classes.size(), per_class);
    if (guidance > 0) generator.options.guidance_scale = guidance;
    const auto images = synthesize(generator, plan, program.seed, context.out / "synthetic");
    const auto labels = (context.out / "synthetic" / "labels.csv").string();
    program.print(Json::object({{"images", images.size()}, {"labels", labels}}),
                  text(images.size(), " images: ", labels));
  });
}
