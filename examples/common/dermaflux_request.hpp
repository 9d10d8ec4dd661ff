#pragma once
/// \file
/// What `dermaflux` is asked for, and the captions and generators that follow from it.

#include "adjusted_recipe.hpp"
#include "dermis/data/caption_files.hpp"
#include "dermis/experiment/dermaflux.hpp"

namespace dermis {

namespace fs = std::filesystem;

/// What is asked for besides what all programs know.
struct Request {
  fs::path captions, masks, base, model, prompt_file, flux, autoencoder, text, adapter;
  std::string prompt, negative;
  std::int64_t count = 1, steps = 0;
  double guidance = 0, adapter_weight = 1;
  bool streamed = false, fp32 = false;
};

/// Nothing is held out of photographs: whoever trains on them wants all of them.
inline DermafluxRecipe recipe_of(const Program& program) {
  auto recipe = dermaflux_recipe(program.preset);
  recipe.hold_out = program.data.empty();
  return adjusted(program, std::move(recipe));
}

inline Phantom phantom_of(const Program& program, const DermafluxRecipe& recipe) {
  return Phantom(program.phantom_options(recipe.data));
}

/// Captions of the training part: the phantom's truth, or measured in photographs, inside --masks
/// where there are some; what --captions gives takes their place.
inline CaptionedSet captioned_training(const Program& program, const DermafluxRecipe& recipe,
                                       const DataParts& parts, const Request& request) {
  if (program.data.empty()) {
    check_argument(request.captions.empty() && request.masks.empty(),
                   "[dermaflux] --captions and --masks need --data FOLDER");
    return captioned(parts.train, phantom_of(program, recipe), PhantomPart::Train, program.seed);
  }
  auto set = request.masks.empty()
                 ? captioned(parts.train, program.seed)
                 : captioned(with_masks(request.masks, parts.train), program.seed);
  if (request.captions.empty()) return set;
  return recaptioned(std::move(set), fs::is_directory(request.captions)
                                         ? read_caption_sidecars(request.captions)
                                         : read_caption_table(request.captions, program.data));
}

inline FluxFiles files_of(const Request& r) {
  return {r.flux, r.autoencoder, text_encoders_in(r.text), r.adapter, r.adapter_weight, r.streamed};
}

inline std::vector<std::string> prompts_of(const Request& request) {
  if (!request.prompt_file.empty()) return read_prompts(request.prompt_file);
  check_argument(!request.prompt.empty(),
                 "[dermaflux] expected --prompt TEXT or --prompts FILE with a line a prompt");
  return {request.prompt};
}

inline PromptedGenerator generator_of(const Program& program, const Request& request,
                                      const std::vector<std::string>& prompts) {
  if (!request.flux.empty()) {
    FluxSamplingOptions sampling{.steps = request.steps > 0 ? request.steps : 20};
    if (request.guidance > 0) sampling.guidance = request.guidance;
    if (!request.negative.empty()) sampling.true_guidance = sampling.guidance;
    return published_flux(
        files_of(request), prompts, program.image_size > 0 ? program.image_size : 512, sampling,
        {.device = at::Device(program.device), .dtype = request.fp32 ? at::kFloat : at::kBFloat16},
        request.negative);
  }
  check_argument(!request.model.empty(), "[dermaflux] expected --model DIR or --flux FILE");
  auto model = load_text_to_image(request.model, at::Device(program.device));
  if (request.steps > 0) model.options.sampling.steps = request.steps;
  if (request.guidance > 0) model.options.sampling.true_guidance = request.guidance;
  if (program.image_size > 0) model.image_size = program.image_size;
  if (!request.adapter.empty()) apply_adapter(model, request.adapter, request.adapter_weight);
  return prompted(model);
}

/// Options of sub-commands: those that caption, that take published files (training first), that
/// take a model (drawing first).
inline void add_options(Request& r, const std::vector<CLI::App*>& captioning,
                        const std::vector<CLI::App*>& published,
                        const std::vector<CLI::App*>& drawing_ones) {
  auto* training = published.front();
  auto* drawing = drawing_ones.front();
  for (auto* sub : captioning) {
    sub->add_option("--captions", r.captions, "CSV or .jsonl of captions, or a folder of NAME.txt");
    sub->add_option("--masks", r.masks,
                    "lesion masks to measure inside of: NAME.png or NAME_segmentation.png");
  }
  training->add_option("--base", r.base, "folder of a model whose transformer gets adapters");
  for (auto* sub : drawing_ones) sub->add_option("--model", r.model, "folder that `train` wrote");
  for (auto* sub : published) {
    sub->add_option("--flux", r.flux, "published transformer: file or folder");
    sub->add_option("--ae", r.autoencoder, "its autoencoder");
    sub->add_option("--text", r.text, "folder with its text encoders, as diffusers has them");
  }
  drawing->add_option("--prompt", r.prompt, "what to draw");
  drawing->add_option("--prompts", r.prompt_file, "file with a line a prompt");
  drawing->add_option("--negative", r.negative, "what to move away from (published weights)");
  drawing->add_option("--count", r.count, "images a prompt")->check(CLI::PositiveNumber);
  drawing->add_option("--steps", r.steps, "of the sampler; 0: the model's, or 20");
  drawing->add_option("--guidance", r.guidance, "0: the model's, or 3.5");
  drawing->add_option("--adapter", r.adapter, "of kohya, PEFT or diffusers, or train's");
  drawing->add_option("--adapter-weight", r.adapter_weight, "1: as trained")->capture_default_str();
  drawing->add_flag("--stream", r.streamed, "read the transformer block by block");
  drawing->add_flag("--fp32", r.fp32, "published weights in float32: twice the memory of bfloat16");
}

}  // namespace dermis
