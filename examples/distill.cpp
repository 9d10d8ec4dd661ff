/// \file
/// Distils a trained classifier into a smaller ViT.

#include <iostream>

#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program("distill", "Teaches a smaller ViT what a trained classifier knows.",
                  "  distill --data photos --labels labels.csv --teacher "
                  "out/teacher/classifier.safetensors --out out/student\n"
                  "  distill --teacher t.safetensors --layers 0,2,4 ...      a copy of these "
                  "teacher layers, then trained\n");
  program.add_data_options();
  program.add_synthetic_option();
  program.add_training_options("out/distill");
  std::filesystem::path teacher_file;
  std::vector<std::int64_t> layers;
  program.app.add_option("--teacher", teacher_file, "classifier.safetensors that `finetune` wrote")
      ->required();
  program.app
      .add_option("--layers", layers,
                  "start from these teacher layers instead of from the preset's student")
      ->delimiter(',');
  return program.run(argc, argv, [&] {
    const auto context = program.context();
    auto recipe = program.recipe();
    const auto teacher = load_classifier(teacher_file, context.device);
    set_image_size(recipe, teacher.model.ptr()->options.image_size);
    validate(recipe);
    if (!layers.empty()) recipe.student.layers = layers;
    const auto parts = program.parts(recipe);
    write_split(context.out, parts);
    const auto student = distill(teacher, program.training_images(parts), recipe.student, context);
    save_classifier(context.out / "student.safetensors", student);
    const auto theirs = evaluate(teacher, parts.validation),
               ours = evaluate(student, parts.validation);
    const double retention = ours.balanced_accuracy.mean / theirs.balanced_accuracy.mean;
    const auto model = (context.out / "student.safetensors").string();
    program.print(Json::object({{"teacher", to_json(theirs)},
                                {"student", to_json(ours)},
                                {"retention", retention},
                                {"model", model}}),
                  text("validation part\nteacher: ", summary(theirs), "\nstudent: ", summary(ours),
                       "\nretained: ", percent(retention), "\nmodel: ", model));
  });
}
