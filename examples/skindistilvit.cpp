/// \file
/// SkinDistilViT (arXiv 2308.08669): a teacher, a student of half its depth, networks that answer
/// at every depth and a cascade of ever shallower ones, with several seeds on the same data.

#include <algorithm>

#include "adjusted_recipe.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/skindistilvit_report.hpp"

using namespace dermis;

namespace {

using Stage = SkinDistilViTStage;

/// What is asked for besides what all programs know.
struct Request {
  std::string variant = "fixed", stage = "all";
  bool quick = false;
  std::vector<std::uint64_t> seeds = {0, 1, 2};
  std::filesystem::path init;
};

std::vector<Stage> stages(const std::string& name) {
  if (name == "teacher") return {};  // which every stage trains or loads
  if (name == "student") return {Stage::Student};
  if (name == "full") return {Stage::Full};
  if (name == "cascade") return {Stage::Cascade};
  return {Stage::Student, Stage::Full, Stage::Cascade};
}

SkinDistilViTRecipe recipe_of(const Program& program, const Request& request) {
  return adjusted(program, skindistilvit_recipe(program.preset, request.variant));
}

std::string table(const SkinDistilViTResults& results) {
  std::string lines;
  for (const auto& method : results.methods())
    for (const auto depth : results.depths(method))
      lines += text(method, ", depth ", depth, ": balanced accuracy ",
                    percent(results.balanced_accuracy(method, depth)), '\n');
  return lines;
}

void run(const Program& program, const Request& request) {
  const auto recipe = recipe_of(program, request);
  auto context = program.context();
  for (const auto seed : request.seeds) {
    const auto folder = context.out / text("seed_", seed);
    check_runtime(context.resume || request.stage != "all" || !std::filesystem::exists(folder),
                  "[skindistilvit] ", folder.string(),
                  " is there already: go on with it by --resume, or choose another --out");
  }
  context.resume = true;  // a stage finds what an earlier one trained
  write_atomically(context.out / "config.json", options_to_json(recipe).dump(2) + "\n");
  const auto parts = program.parts(recipe.data);
  write_split(context.out, parts);
  const auto encoder =
      request.init.empty() ? Encoder{} : load_encoder(request.init, context.device);
  const auto results =
      run_skindistilvit(recipe, parts, request.seeds, context, stages(request.stage), encoder);
  write_skindistilvit(context.out, results);
  program.print(Json::read(context.out / "metrics.json"),
                table(results) + "report: " + (context.out / "report.html").string());
}

}  // namespace

int main(int argc, char** argv) {
  Program program(
      "skindistilvit",
      "SkinDistilViT: distils a classifier into shallower ones, every way beside the "
      "others.",
      "  skindistilvit --quick --out out/quick\n"
      "  skindistilvit --stage teacher --out out/mine; skindistilvit --stage cascade "
      "--out out/mine\n"
      "  skindistilvit --data photos --labels labels.csv --init vit_base --preset full\n"
      "  skindistilvit --variant code --dry-run\n");
  Request request;
  program.preset = "default";
  program.add_data_options();
  program.add_training_options("out/skindistilvit");
  program.app.get_option("--preset")
      ->description(
          "quick (one seed, under 15 min on 2 cores), default (three seeds, under 2 h), "
          "full (published sizes)");
  program.app
      .add_option("--variant", request.variant,
                  "code (the published repository's recipe), paper (the text's), fixed (split by "
                  "lesion, no ninth logit, centre squares)")
      ->capture_default_str()
      ->check(CLI::IsMember({"code", "paper", "fixed"}));
  program.app
      .add_option("--stage", request.stage,
                  "teacher, student, full, cascade: this and what it needs, what --out has "
                  "already is loaded; table: as all, in an --out that is there")
      ->capture_default_str()
      ->check(CLI::IsMember({"all", "teacher", "student", "full", "cascade", "table"}));
  program.app.add_flag("--quick", request.quick, "--preset quick --seeds 0");
  auto* seeds = program.app
                    .add_option("--seeds", request.seeds,
                                "of weights, order, augmentation and noise; --seed is that of the "
                                "data, the same for all")
                    ->delimiter(',')
                    ->capture_default_str();
  program.app.add_option("--init", request.init,
                         "weights that the teacher starts from (see finetune --init)");
  const auto settle = [&] {
    if (!request.quick) return;
    program.preset = "quick";
    if (seeds->empty()) request.seeds = {0};
  };
  program.run_plan = [&](std::int64_t classes) {
    settle();
    const auto recipe = recipe_of(program, request);
    return Program::RunPlan{recipe.data.image_size, plan(recipe, classes)};
  };
  return program.run(argc, argv, [&] {
    settle();
    run(program, request);
  });
}
