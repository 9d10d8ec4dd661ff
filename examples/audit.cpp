/// \file
/// Audits synthetic images before anybody trains on them: copies, leaks, distance from real images,
/// class fidelity, what tells them from real ones, skin tone, shortcuts; with --utility also what
/// they are worth in training.

#include "dermis/audit/quarantine.hpp"
#include "dermis/report/audit_report.hpp"
#include "program.hpp"

using namespace dermis;

int main(int argc, char** argv) {
  Program program(
      "audit",
      "Audits a folder that `synthesize` wrote against the images its generator was "
      "trained on and those it never saw: same data options and seed.",
      "  audit --synthetic out/generator/synthetic --data photos --labels labels.csv\n"
      "  audit --synthetic out/generator/synthetic --judge out/real/classifier.safetensors "
      "--quarantine\n"
      "  audit --synthetic out/generator/synthetic --utility --doses 0,0.5,1 --seeds 3\n");
  program.add_data_options();
  program.add_training_options("out/audit");
  program.add_synthetic_option();
  std::filesystem::path judge_file, model;
  bool move_copies = false, utility = false;
  DoseOptions dose;
  dose.real_shares = {1};
  auto& app = program.app;
  app.add_option(
      "--judge", judge_file,
      "a classifier trained on the same real training images; without it one is trained");
  app.add_option("--model", model,
                 "folder of the generator: also asks whether it knows its training images");
  app.add_flag("--quarantine", move_copies,
               "move suspected copies to DIR/quarantine and out of labels.csv");
  app.add_flag("--utility", utility,
               "also train: on synthetic alone, and on real images with doses of synthetic ones");
  app.add_option("--doses", dose.doses, "synthetic images over real ones")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--real-shares", dose.real_shares, "shares of the real images to train with")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--seeds", dose.seeds, "trainings of each dose")->capture_default_str();
  return program.run(argc, argv, [&] {
    check_argument(!program.synthetic.empty(), "[audit] expected --synthetic DIR");
    const auto context = program.context();
    const auto recipe = program.recipe();
    const auto parts = program.parts(recipe);
    const auto synthetic = program.recompressed(program.synthetic_images(parts), parts);
    const auto judge = judge_file.empty()
                           ? train_classifier(parts.train, measure_normalization(parts.train),
                                              recipe.teacher, context, "judge")
                           : load_classifier(judge_file, at::Device(program.device));
    check_argument(judge.classes == parts.train.classes, "[audit] ", judge_file.string(),
                   " knows other classes than the data");
    auto found = audit(parts, synthetic, judge, program.seed, true);
    if (!model.empty())
      audit_generator(found, load_generator(model, context.device), parts, program.seed);
    if (utility) {
      dose.classifier = recipe.teacher;
      found.transfer = transfer_audit(parts.train, synthetic, parts.test, recipe.teacher, context);
      found.dose = dose_curve(parts.train, synthetic, parts.validation, parts.test, dose, context);
    }
    std::int64_t moved = 0;
    if (move_copies && found.memorisation)
      moved = quarantine(program.synthetic, *found.memorisation);
    write_audit(context.out, found, "data " + parts.source);
    std::string lines;
    for (const auto& finding : found.findings())
      lines += finding.about + ": " + finding.text + "\n";
    if (move_copies) lines += text(moved, " images moved to quarantine\n");
    program.print(to_json(found), lines + "report: " + (context.out / "audit.html").string());
  });
}
