/// \file
/// Arms of DerMAE with several seeds on the same data, compared with intervals over lesions and
/// seeds: does synthesis help, which mask ratio, flow or diffusion.

#include "dermis/report/experiment_report.hpp"
#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program(
      "experiment",
      "Runs the arms of an experiment file with several seeds and compares them. What "
      "two arms have in common is trained once; --resume goes on with what is there.",
      "  experiment examples/experiments/synthesis.json --preset study --out out/study\n"
      "  experiment examples/experiments/sweeps.json --seeds 0,1,2,3,4\n"
      "  experiment mine.json --data photos --labels labels.csv --out out/mine\n");
  program.add_data_options();
  program.add_training_options("out/experiment");
  std::filesystem::path file;
  std::vector<std::uint64_t> seeds = {0, 1, 2};
  program.app.add_option("file", file, "JSON: arms, comparisons, sweeps (docs/your_data.md)")
      ->required();
  program.app
      .add_option("--seeds", seeds,
                  "of weights, order, augmentation and noise; --seed is that of the data, the same "
                  "for all")
      ->delimiter(',')
      ->capture_default_str();
  return program.run(argc, argv, [&] {
    const auto experiment = read_experiment(file);
    const auto preset = program.recipe();
    for (const auto& arm : experiment.arms) recipe_of(experiment, arm, preset);  // before the work
    const auto context = program.context();
    const auto parts = program.parts(recipe_of(experiment, {.name = "base"}, preset));
    const auto results =
        run_experiment(experiment, preset, parts, seeds, context,
                       [&](PixelSet images) { return program.recompressed(images, parts); });
    const auto found = write_experiment(context.out, results);
    program.print(found, summary(found) + "report: " + (context.out / "report.html").string());
  });
}
