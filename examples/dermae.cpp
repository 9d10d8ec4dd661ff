/// \file
/// DerMAE (arXiv 2602.19848) end to end: a class-conditioned latent generator balances the rare
/// classes, a ViT is pre-trained as a masked autoencoder on real and synthetic images, fine-tuned,
/// and distilled into a smaller one; every step beside its control.

#include <chrono>
#include <filesystem>
#include <iostream>

#include "dermis/core/file.hpp"
#include "dermis/report/dermae_report.hpp"
#include "dermis/train/first_stage.hpp"
#include "dermis/train/synthesis.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

ModelCost cost_of(const Classifier& classifier, const std::filesystem::path& file) {
  save_classifier(file, classifier);
  return {parameter_count(*classifier.model.ptr()),
          static_cast<std::int64_t>(std::filesystem::file_size(file)),
          batch_one_latency_ms(classifier)};
}

bool run(const Program& program) {
  const auto start = std::chrono::steady_clock::now();
  const auto context = program.context();
  DermaeResults r;
  r.recipe = program.recipe();
  r.seed = program.seed;
  write_atomically(context.out / "config.json", options_to_json(r.recipe).dump(2) + "\n");
  r.parts = program.parts(r.recipe);
  write_split(context.out, r.parts);

  const auto& recipe = r.recipe;
  const auto& train = r.parts.train;  // the only part that any weight sees
  const auto& validation = r.parts.validation;
  const auto& test = r.parts.test;
  const auto normalization = measure_normalization(train);
  const auto curve = [&](const std::string& stage) {
    return &r.curves.emplace_back(stage, TrainResult{}).second;
  };

  r.baselines = trivial_baselines(train, validation, test);

  // 1. Generator: images to latents, latents from noise and a class.
  const auto autoencoder = train_first_stage(train, recipe, context, curve("autoencoder"));
  r.psnr = psnr(decode_latents(autoencoder, encode_latents(autoencoder, validation.images)),
                validation.images);
  r.bicubic_psnr = psnr(bicubic_down_up(validation.images, 8), validation.images);
  const auto generator = train_generator(train, autoencoder, recipe.generator, context, "generator",
                                         curve("generator"));
  save_generator(context.out, generator);
  r.denoising = compare_denoising(generator, train, validation, program.seed);
  r.plan = balancing_plan(train.class_counts(), recipe.synthetic_target, recipe.synthetic_minimum);
  r.synthetic = program.recompressed(
      synthesize(generator, r.plan, program.seed, context.out / "synthetic"), r.parts);
  const auto mixed = concatenate(train, r.synthetic);

  // 2. Classifiers. Every arm sees as many images in fine-tuning; what pre-training adds is counted
  // and given to a control too.
  const auto tune_passes = recipe.teacher.training.image_passes();
  const auto mae_passes = recipe.pretraining.training.image_passes();
  const auto add_arm = [&](const std::string& name, const std::string& what,
                           const Classifier& model, std::int64_t passes) {
    r.arms.push_back({name, what, evaluate(model, test), passes});
    std::cerr << text(name, ": balanced accuracy ", r.arms.back().evaluation.balanced_accuracy.mean,
                      '\n');
  };

  const auto judge = train_classifier(train, normalization, recipe.teacher, context,
                                      "real_balanced", curve("real_balanced"));
  add_arm("real_balanced", "real images alone, classes drawn equally often", judge, tune_passes);
  r.audit = audit(r.parts, r.synthetic, judge, program.seed, true);
  audit_generator(r.audit, generator, r.parts, program.seed);

  add_arm("real_synthetic", "real and synthetic images, from scratch",
          train_classifier(mixed, normalization, recipe.teacher, context, "real_synthetic",
                           curve("real_synthetic")),
          tune_passes);
  auto longer = recipe.teacher;
  longer.training.steps = (tune_passes + mae_passes) / longer.training.batch_size;
  add_arm("scratch_longer", "the same with the image passes of pre-training added",
          train_classifier(mixed, normalization, longer, context, "scratch_longer",
                           curve("scratch_longer")),
          longer.training.image_passes());

  // 3. Masked pre-training on real and synthetic images, then fine-tuning: the teacher.
  const auto mae = pretrain(mixed, normalization, recipe.pretraining, context, "mae", curve("mae"));
  save_mae(context.out / "mae.safetensors", mae);
  r.masked = masked_error(mae, validation.images, program.seed);
  r.masked_pictures =
      masked_pictures(mae,
                      validation.images.slice(0, 0, validation.size(),
                                              std::max<std::int64_t>(1, validation.size() / 8)),
                      program.seed);
  const auto teacher = train_classifier(mixed, normalization, recipe.teacher, context, "teacher",
                                        curve("teacher"), mae.encoder());
  add_arm("teacher", "pre-trained as a masked autoencoder, fine-tuned on real and synthetic images",
          teacher, tune_passes + mae_passes);

  // 4. The small model for the phone.
  const auto student =
      distill(teacher, mixed, recipe.student, context, "student", curve("student"));
  add_arm("student", "smaller ViT taught by the teacher", student,
          recipe.student.training.image_passes());
  const auto alone = without_teacher(recipe.student);
  add_arm("student_alone", "the student's network without a teacher",
          train_classifier(mixed, normalization, alone, context, "student_alone",
                           curve("student_alone")),
          alone.training.image_passes());

  r.teacher = cost_of(teacher, context.out / "teacher.safetensors");
  r.student = cost_of(student, context.out / "student.safetensors");
  r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  conclude(r);
  write_results(context.out, r);
  std::string checks;
  for (const auto& check : r.checks)
    checks += text(check.passed ? "passed  " : "FAILED  ", check.name, ": ", check.found, '\n');
  program.print(Json::read(context.out / "metrics.json"),
                checks + "report: " + (context.out / "report.html").string());
  return r.passed();
}

}  // namespace

int main(int argc, char** argv) {
  Program program("dermae",
                  "DerMAE end to end: generate, pre-train, fine-tune, distill, compare, report.",
                  "  dermae --out out/demo\n"
                  "  dermae --data photos --labels labels.csv --out out/mine\n"
                  "  dermae --data photos --labels labels.csv --classes AK,SCC,DF,VASC --resume "
                  "--out out/mine\n"
                  "  dermae --preset paper --dry-run\n");
  program.add_data_options();
  program.add_training_options("out/dermae");
  bool report_only = false;
  program.app.add_flag("--no-checks", report_only,
                       "exit 0 even when a check failed: your data may be harder than the phantom");
  return program.run(argc, argv, [&] {
    if (!run(program) && !report_only)
      throw std::runtime_error("a check failed, see above and " +
                               (program.out / "report.html").string());
  });
}
