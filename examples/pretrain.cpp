/// \file
/// Pre-trains a ViT as a masked autoencoder on the training part.

#include <iostream>

#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program("pretrain",
                  "Pre-trains a ViT as a masked autoencoder (labels are used for the split alone).",
                  "  pretrain --data photos --labels labels.csv --out out/mae\n"
                  "  pretrain --data photos --labels labels.csv --synthetic "
                  "out/generator/synthetic --out out/mae\n");
  program.add_data_options();
  program.add_synthetic_option();
  program.add_training_options("out/pretrain");
  return program.run(argc, argv, [&] {
    const auto context = program.context();
    const auto recipe = program.recipe();
    const auto parts = program.parts(recipe);
    write_split(context.out, parts);
    const auto mae = pretrain(program.training_images(parts), measure_normalization(parts.train),
                              recipe.pretraining, context);
    save_mae(context.out / "mae.safetensors", mae);
    const auto error = masked_error(mae, parts.validation.images, program.seed);
    const auto model = (context.out / "mae.safetensors").string();
    program.print(Json::object({{"masked_error", error.model},
                                {"mean_fill_error", error.mean_fill},
                                {"reduction", error.reduction()},
                                {"model", model}}),
                  text("hidden patches of validation images: error ", error.model,
                       ", filling with the visible mean ", error.mean_fill, " (",
                       percent(error.reduction()), " less)\nmodel: ", model));
  });
}
