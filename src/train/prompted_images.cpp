#include "dermis/train/prompted_images.hpp"

#include <algorithm>
#include <memory>

#include "dermis/core/file.hpp"
#include "dermis/core/hash.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/core/progress.hpp"
#include "dermis/core/random.hpp"
#include "dermis/data/caption_files.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/version.hpp"
#include "take_over.hpp"

namespace dermis {
namespace {

constexpr std::size_t batch_size = 16;

at::Tensor noise_of(const PromptedGenerator& generator, const std::vector<ImageRequest>& requests,
                    std::uint64_t seed) {
  const auto& autoencoder = generator.autoencoder.ptr()->options;
  const auto token = 2 * autoencoder.factor();
  check_argument(generator.image_size > 0 && generator.image_size % token == 0,
                 "[prompted] expected an image size divisible by ", token, ", got ",
                 generator.image_size);
  const auto side = generator.image_size / autoencoder.factor();
  const auto noise = torch::empty(
      {static_cast<std::int64_t>(requests.size()), autoencoder.latent_channels, side, side});
  auto* value = noise.data_ptr<float>();
  const auto each = noise.numel() / noise.size(0);
  for (const auto& request : requests) {
    RandomStream stream(seed, "prompt", 0, static_cast<std::uint64_t>(request.number));
    for (std::int64_t i = 0; i < each; ++i) *value++ = static_cast<float>(stream.normal());
  }
  return noise;
}

std::filesystem::path path_of(const std::filesystem::path& directory, const ImageRequest& request) {
  const auto digits = std::to_string(request.number);
  return directory / request.class_name /
         ("prompted_" + std::string(6 - std::min<std::size_t>(6, digits.size()), '0') + digits +
          ".png");
}

Provenance mark_of(const PromptedGenerator& generator, const ImageRequest& request,
                   std::uint64_t seed) {
  auto mark = generator.mark;
  mark.class_name = request.class_name;
  mark.number = request.number;
  mark.seed = seed;
  mark.prompt = request.prompt;
  return mark;
}

/// The images without pixels.
PixelSet described(const PromptedGenerator& generator, const std::vector<ImageRequest>& requests,
                   const std::vector<std::string>& classes) {
  PixelSet set;
  set.classes = classes;
  std::vector<std::int64_t> labels;
  for (const auto& request : requests) {
    const auto found = std::find(classes.begin(), classes.end(), request.class_name);
    check_argument(found != classes.end(), "[prompted] expected one of the classes ",
                   detail::join(classes), ", got ", request.class_name);
    Sample sample;
    sample.label = static_cast<int>(found - classes.begin());
    sample.id = text(request.class_name, "/prompted_", request.number);
    sample.lesion = sample.id;
    sample.synthetic = true;
    sample.original_width = sample.original_height = generator.image_size;
    set.samples.push_back(sample);
    labels.push_back(sample.label);
  }
  const auto side = generator.image_size;
  set.images = torch::zeros({set.size(), 3, side, side}, torch::kByte);
  set.labels = torch::tensor(labels, torch::kLong);
  return set;
}

void write_lists(const PromptedGenerator& generator, const std::vector<ImageRequest>& requests,
                 const std::filesystem::path& directory) {
  write_atomically(directory / "lineage.json", to_json(generator.lineage).dump(2) + "\n");
  std::vector<Caption> captions;
  for (const auto& request : requests)
    captions.push_back({path_of(directory, request), request.prompt});
  write_caption_table(directory / "captions.csv", directory, captions);
}

}  // namespace

PromptedGenerator prompted(const TextToImage& model) {
  const auto options = options_to_json(model.options);
  const auto& sampling = model.options.sampling;
  const bool flow = model.options.objective == Objective::Flow;
  return {.latents = [model](const auto& prompts,
                             const at::Tensor& noise) { return model.latents(prompts, noise); },
          .autoencoder = model.autoencoder,
          .image_size = model.image_size,
          .mark = {.generator =
                       fingerprint(text(fingerprint(state_dict(*model.network)),
                                        fingerprint(state_dict(*model.autoencoder)),
                                        fingerprint(model.vocabulary.dump()), model.image_size)),
                   .split = model.lineage.split,
                   .guidance_scale = sampling.true_guidance,
                   .sampler = flow ? (sampling.heun ? "heun" : "euler") : "ddim",
                   .steps = sampling.steps,
                   .settings = fingerprint(options.dump()),
                   .version = version},
          .lineage = model.lineage};
}

at::Tensor draw(const PromptedGenerator& generator, const std::vector<ImageRequest>& requests,
                std::uint64_t seed) {
  check_argument(!requests.empty(), "[prompted] expected at least one prompt, got none");
  std::vector<std::string> prompts;
  for (const auto& request : requests) {
    check_argument(request.prompt.find_first_not_of(" \t\r\n") != std::string::npos,
                   "[prompted] expected a prompt with words, got an empty one for image ",
                   request.number);
    prompts.push_back(request.prompt);
  }
  return decode_latents(generator.autoencoder,
                        generator.latents(prompts, noise_of(generator, requests, seed)));
}

PixelSet draw_images(const PromptedGenerator& generator, const std::vector<ImageRequest>& requests,
                     const std::vector<std::string>& classes, std::uint64_t seed,
                     const std::filesystem::path& directory, bool progress) {
  auto set = described(generator, requests, classes);
  std::vector<char> here(requests.size());
  if (!directory.empty()) {
    for (const auto& name : classes) make_directories(directory / name);
    std::filesystem::remove(directory / "captions.csv");  // written last: an unfinished folder
                                                          // is not taken for a whole one
    for (std::size_t i = 0; i < requests.size(); ++i)
      here[i] =
          detail::take_over(path_of(directory, requests[i]), mark_of(generator, requests[i], seed),
                            set.images[static_cast<std::int64_t>(i)]);
  }
  std::unique_ptr<Progress> bar;
  if (progress) bar = std::make_unique<Progress>("draw", set.size(), "image");
  for (std::size_t first = 0; first < requests.size(); first += batch_size) {
    const auto last = std::min(requests.size(), first + batch_size);
    if (bar) bar->update(static_cast<std::int64_t>(first));
    if (std::all_of(&here[first], here.data() + last, [](char found) { return found; })) continue;
    if (InterruptGuard::requested())
      throw Interrupted("[prompted] stopped; --resume draws what is missing");
    const auto drawn = draw(generator,
                            {requests.begin() + static_cast<std::ptrdiff_t>(first),
                             requests.begin() + static_cast<std::ptrdiff_t>(last)},
                            seed);
    for (auto i = first; i < last; ++i) {
      const auto image = drawn[static_cast<std::int64_t>(i - first)];
      if (here[i]) continue;
      set.images[static_cast<std::int64_t>(i)].copy_(image);
      if (!directory.empty())
        write_png(path_of(directory, requests[i]), to_image(image),
                  png_text(mark_of(generator, requests[i], seed)));
    }
  }
  if (bar) {
    bar->update(set.size());
    bar->finish();
  }
  if (!directory.empty()) write_lists(generator, requests, directory);
  return set;
}

}  // namespace dermis
