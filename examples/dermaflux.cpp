/// \file
/// DermaFlux (arXiv 2603.16392): lesions drawn from captions, whether they show what was asked for,
/// and whether they help a classifier.

#include "dermaflux_request.hpp"
#include "dermis/core/file.hpp"
#include "dermis/report/dermaflux_report.hpp"
#include "dermis/weights/flux.hpp"

using namespace dermis;

namespace {

void write_captions(const Program& program, const Request& request) {
  const auto recipe = recipe_of(program);
  const auto context = program.context();
  const auto set = captioned_training(program, recipe, program.parts(recipe.data), request);
  std::vector<Caption> captions;
  for (std::size_t i = 0; i < set.captions.size(); ++i)
    captions.push_back({context.out / set.set.samples[i].id, set.captions[i]});
  write_caption_table(context.out / "captions.csv", context.out, captions);
  program.print(Json::object({{"captions", captions.size()}, {"unmeasured", set.unmeasured}}),
                text(captions.size(), " captions: ", (context.out / "captions.csv").string(), "; ",
                     set.unmeasured, " images left out, no lesion or no mask was found"));
}

void train_model(const Program& program, const Request& request) {
  const auto recipe = recipe_of(program);
  const auto context = program.context();
  write_atomically(context.out / "config.json", options_to_json(recipe).dump(2) + "\n");
  const auto set = captioned_training(program, recipe, program.parts(recipe.data), request);
  if (!request.base.empty()) {
    const auto model = load_text_to_image(request.base, context.device);
    train_adapter(
        recipe, model.network.ptr()->flux, model.autoencoder,
        [&](const auto& texts) { return model.read(texts); }, set, context);
  } else if (!request.flux.empty()) {
    const auto read = [&](const std::vector<std::string>& texts) {
      const auto found = text_embeddings(texts, text_encoders_in(request.text),
                                         {.device = context.device}, context.out / "text");
      return FluxPrompt{found.tokens, found.pooled};
    };
    train_adapter(recipe, load_flux(request.flux, {context.device, at::kBFloat16}),
                  load_autoencoder(request.autoencoder, context.device), read, set, context);
  } else {
    train_dermaflux(recipe, set, context);
  }
  program.print(Json::object({{"images", set.set.size()}}),
                text("trained on ", set.set.size(), " images: ", context.out.string()));
}

void generate(const Program& program, const Request& request) {
  const auto prompts = prompts_of(request);
  const auto context = program.context();
  std::vector<ImageRequest> requests;
  for (const auto& prompt : prompts)
    for (std::int64_t i = 0; i < request.count; ++i)
      requests.push_back({prompt, static_cast<std::int64_t>(requests.size())});
  const auto images = draw_images(generator_of(program, request, prompts), requests, {"prompted"},
                                  program.seed, context.out);
  write_prompted(context.out, requests, images);
  program.print(Json::object({{"images", images.size()}}),
                text(images.size(), " images: ", (context.out / "report.html").string()));
}

void follow(const Program& program, const Request& request) {
  const auto recipe = recipe_of(program);
  const auto context = program.context();
  const auto model = load_text_to_image(request.model, context.device);
  const auto results = follow_prompts(recipe, model, phantom_of(program, recipe), context);
  write_following(context.out, results);
  program.print(to_json(results), summary(results));
}

void classify_lesions(const Program& program, const Request& request) {
  const auto recipe = recipe_of(program);
  auto context = program.context();
  context.resume = true;  // what `train` left in --out is found
  const auto parts = program.parts(recipe.data);
  const auto results =
      classify(recipe, captioned_training(program, recipe, parts, request), parts, context);
  write_classify(context.out, results);
  program.print(to_json(results), "report: " + (context.out / "classify.html").string());
}

}  // namespace

int main(int argc, char** argv) {
  Program program(
      "dermaflux", "DermaFlux: lesions drawn from captions.",
      "  dermaflux train --out out/flux; dermaflux follow --model out/flux --out out/f\n"
      "  dermaflux generate --model out/flux --prompt 'a dark brown mole' --count 4\n"
      "  dermaflux generate --flux flux1-dev.safetensors --ae ae.safetensors --text "
      "FLUX.1-dev --adapter flux_lora_64_64.safetensors --prompts prompts.txt\n"
      "  dermaflux classify --out out/flux\n");
  Request r;
  program.add_data_options();
  program.add_training_options("out/dermaflux");
  program.app.get_option("--preset")->description("demo (the phantom, two cores)");
  program.app.require_subcommand(1);
  program.app.fallthrough();
  void (*action)(const Program&, const Request&) = nullptr;
  const auto command = [&](const char* name, const char* what, auto* function) {
    auto* sub = program.app.add_subcommand(name, what);
    sub->fallthrough();
    sub->callback([&action, function] { action = function; });
    return sub;
  };
  auto* caption = command("caption", "writes a caption a training image", write_captions);
  auto* training =
      command("train", "trains the model, or adapters alone (--base, --flux)", train_model);
  auto* drawing = command("generate", "draws images for prompts", generate);
  auto* following = command("follow", "measures whether images show what was asked for", follow);
  auto* judging =
      command("classify", "benign or malignant, by real share and dose", classify_lesions);
  add_options(r, {caption, training, judging}, {training, drawing}, {drawing, following});
  program.run_plan = [&](std::int64_t) {
    const auto recipe = recipe_of(program);
    return Program::RunPlan{recipe.data.image_size, plan(recipe)};
  };
  return program.run(argc, argv, [&] { action(program, r); });
}
