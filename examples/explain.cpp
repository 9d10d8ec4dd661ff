/// \file
/// Where classifiers look: attention, rollout, Grad-CAM and occlusion against lesion masks, for
/// right and wrong predictions.

#include <algorithm>

#include "dermis/report/explain_report.hpp"
#include "program.hpp"

using namespace dermis;

namespace {

/// The images to look at, with masks: of the phantom its test part, of a folder its test part or
/// all of it.
MaskedSet masked_images(const Program& program, const DermaeRecipe& recipe, bool all,
                        const std::filesystem::path& masks, std::string& source) {
  if (program.data.empty()) {
    check_argument(masks.empty() && !all,
                   "[explain] --masks and --part all need --data FOLDER: the phantom's test part "
                   "has its own masks");
    const auto parts = program.parts(recipe);
    source = parts.source;
    return with_phantom_masks(Phantom(program.phantom_options(parts_options(recipe))),
                              PhantomPart::Test, parts.test);
  }
  check_argument(!masks.empty(), "[explain] --data needs --masks FOLDER");
  if (all) {
    const auto images = program.images(recipe);
    source = images.source;
    return with_masks(masks, images.set);
  }
  const auto parts = program.parts(recipe);
  source = parts.source;
  return with_masks(masks, parts.test);
}

/// The file's name, or where that is taken its folder's name, too.
std::string short_name(const std::filesystem::path& file, const std::vector<Explanation>& others) {
  const auto stem = file.stem().string();
  const bool taken = std::any_of(others.begin(), others.end(),
                                 [&](const Explanation& other) { return other.model == stem; });
  return taken ? (file.parent_path().filename() / stem).string() : stem;
}

std::string lines_of(const std::vector<Explanation>& explanations) {
  std::string lines;
  for (const auto& e : explanations)
    for (const auto& method : e.methods) {
      const auto& all = method.localisation.all;
      lines += text(e.model, ", ", method.method, ": share in the lesion ", percent(all.share),
                    ", its area ", percent(all.area.mean), ", pointing ", percent(all.hit), "\n");
    }
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  Program program(
      "explain",
      "Shows where classifiers look on images with lesion masks, and measures it: attention, "
      "rollout, Grad-CAM and occlusion.",
      "  explain --model out/dermae/teacher.safetensors --against "
      "out/dermae/student.safetensors\n"
      "  explain --model classifier.safetensors --resnet resnet.safetensors --data photos --labels "
      "labels.csv --masks masks\n");
  program.add_data_options();
  std::filesystem::path model, against, resnet, masks;
  std::string part = "test", fill = "mean";
  std::int64_t most = 200;
  program.out = "out/explain";
  auto& app = program.app;
  app.add_option("--model", model, "classifier.safetensors or teacher.safetensors")->required();
  app.add_option("--against", against, "a second ViT classifier, such as student.safetensors");
  app.add_option("--resnet", resnet, "a convolutional one: resnet.safetensors of `finetune`");
  app.add_option("--masks", masks,
                 "folder of lesion masks, light inside: NAME.png or NAME_segmentation.png");
  app.add_option("--part", part,
                 "of --data: test, of the split that training with the same --seed made, or all")
      ->capture_default_str()
      ->check(CLI::IsMember({"test", "all"}));
  app.add_option("--images", most, "images to look at, spread over the classes")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--config", program.config,
                 "JSON file of the training run: the split, and how large the phantom is");
  app.add_option("--seed", program.seed, "of the split and of the phantom, as in training")
      ->capture_default_str();
  app.add_option("--out", program.out, "folder for explain.json and explain.html")
      ->capture_default_str();
  app.add_option("--occlusion", fill, "what covered squares show: mean colour or blur")
      ->capture_default_str()
      ->check(CLI::IsMember({"mean", "blur"}));
  return program.run(argc, argv, [&] {
    const at::Device device(program.device);
    const auto first = load_classifier(model, device);
    program.preprocessing = first.preprocessing;  // as it was trained
    auto recipe = program.recipe();
    set_image_size(recipe, first.model.ptr()->options.image_size);
    std::string source;
    auto data = masked_images(program, recipe, part == "all", masks, source);
    data.set = relabelled(data.set, first.classes);
    data = data.subset(spread_over_classes(data.set, most));
    auto options = explain_options_for(recipe.image_size);
    from_name(options.occlusion.fill, fill);
    std::vector<Explanation> explanations = {explain(short_name(model, {}), first, data, options)};
    if (!against.empty())
      explanations.push_back(explain(short_name(against, explanations),
                                     load_classifier(against, device), data, options));
    if (!resnet.empty())
      explanations.push_back(explain(short_name(resnet, explanations),
                                     load_resnet_classifier(resnet, device), data, options));
    write_explanations(program.out, data, explanations, options,
                       text("data ", source, ", ", part == "all" ? "all images" : "test part", ", ",
                            data.set.size(), " images with masks"));
    program.print(Json::read(program.out / "explain.json"),
                  lines_of(explanations) + "report: " + (program.out / "explain.html").string());
  });
}
