/// \file
/// Low-rank adapters teach a trained flow a lesion kind that it has not seen: what they learn and
/// what they forget.

#include "adjusted_recipe.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/new_kind_report.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program(
      "new_kind",
      "Trains a small Flux on all lesion kinds but one, then adapters of it on that one; "
      "draws all kinds from the same noise and measures what was learned and what forgotten.",
      "  new_kind --kind VASC --out out/vasc\n"
      "  new_kind --data photos --labels labels.csv --kind DF --out out/df\n");
  program.add_data_options();
  program.add_training_options("out/new_kind");
  program.app.get_option("--preset")->description("demo (two cores)");
  std::string kind = "VASC";
  program.app.add_option("--kind", kind, "the kind that is held out, then learned")
      ->capture_default_str();
  const auto recipe_of = [&] { return adjusted(program, new_kind_recipe(program.preset)); };
  program.run_plan = [&](std::int64_t classes) {
    const auto recipe = recipe_of();
    return Program::RunPlan{recipe.data.image_size, plan(recipe, classes)};
  };
  return program.run(argc, argv, [&] {
    const auto recipe = recipe_of();
    const auto context = program.context();
    write_atomically(context.out / "config.json", options_to_json(recipe).dump(2) + "\n");
    const auto parts = program.parts(recipe.data);
    const auto results = learn_new_kind(recipe, kind, parts, context);
    write_new_kind(context.out, results, parts.test);
    program.print(to_json(results),
                  summary(results) + "report: " + (context.out / "new_kind.html").string());
  });
}
