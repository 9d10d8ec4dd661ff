#include "dermis/experiment/dermaflux.hpp"

#include <algorithm>
#include <map>

#include "dermis/core/file.hpp"
#include "dermis/io/csv.hpp"
#include "dermis/train/flux.hpp"
#include "dermis/train/latent_cache.hpp"
#include "dermis/weights/lora.hpp"

namespace dermis {
namespace {

void add(CaptionedSet& set, const LesionDescription& description, std::int64_t index,
         std::uint64_t seed) {
  set.descriptions.push_back(description);
  set.captions.push_back(caption(description, static_cast<std::uint64_t>(index), {.seed = seed}));
}

bool malignant(const PixelSet& set, std::int64_t i) {
  return is_malignant(
      set.classes.at(static_cast<std::size_t>(set.samples[static_cast<std::size_t>(i)].label)));
}

/// Captions of the images of which something was measured.
CaptionedSet captioned_by(const PixelSet& set,
                          const std::vector<std::optional<LesionMeasures>>& measured,
                          std::uint64_t seed) {
  std::vector<std::int64_t> rows;
  CaptionedSet result;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto& measures = measured[static_cast<std::size_t>(i)];
    if (!measures) continue;
    rows.push_back(i);
    add(result, describe(*measures, malignant(set, i)), i, seed);
  }
  check_runtime(!rows.empty(), "[dermaflux] no lesion was found in any of ", set.size(),
                " images: captions cannot be measured");
  result.set = set.subset(rows);
  result.unmeasured = set.size() - result.set.size();
  return result;
}

/// The captions, each once, behind the empty one.
std::vector<std::string> different(std::vector<std::string> captions) {
  std::sort(captions.begin(), captions.end());
  captions.erase(std::unique(captions.begin(), captions.end()), captions.end());
  captions.insert(captions.begin(), "");
  return captions;
}

}  // namespace

const std::vector<std::string>& malignancy_classes() {
  static const std::vector<std::string> classes{"benign", "malignant"};
  return classes;
}

PixelSet by_malignancy(const PixelSet& set) {
  auto binary = set;
  binary.classes = malignancy_classes();
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    labels.push_back(malignant(set, i));
    binary.samples[static_cast<std::size_t>(i)].label = static_cast<int>(labels.back());
  }
  binary.labels = torch::tensor(labels, torch::kLong);
  return binary;
}

CaptionedSet CaptionedSet::subset(const std::vector<std::int64_t>& rows) const {
  return {set.subset(rows), select(descriptions, rows), select(captions, rows), unmeasured};
}

CaptionedSet captioned(const PixelSet& set, const Phantom& phantom, PhantomPart part,
                       std::uint64_t seed) {
  const auto& samples = phantom.samples(part);
  check_argument(set.size() == phantom.size(part), "[dermaflux] expected all ", phantom.size(part),
                 " images of the phantom's part, got ", set.size());
  CaptionedSet result{.set = set, .descriptions = {}, .captions = {}};
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    check_argument(set.samples[row].id == samples[row].id, "[dermaflux] expected image ",
                   samples[row].id, " at ", i, ", got ", set.samples[row].id);
    add(result, describe(phantom.attributes(part, i), malignant(set, i)), i, seed);
  }
  return result;
}

CaptionedSet captioned(const PixelSet& set, std::uint64_t seed) {
  return captioned_by(set, measured_lesions(set.images), seed);
}

CaptionedSet captioned(const MaskedSet& masked, std::uint64_t seed) {
  const auto measured = measured_lesions(masked.set.images, masked.masks);
  auto result = captioned_by(masked.set, measured, seed);
  result.unmeasured += masked.without_mask;
  return result;
}

CaptionedSet recaptioned(CaptionedSet set, const std::vector<Caption>& captions) {
  std::map<std::string, std::string> texts;
  for (const auto& given : captions) texts[given.image.stem().string()] = given.text;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < set.captions.size(); ++i) {
    const auto name = std::filesystem::path(set.set.samples[i].id).filename().string();
    const auto found = texts.find(name);
    if (found == texts.end()) {
      missing.push_back(name);
    } else {
      set.captions[i] = found->second;
    }
  }
  if (missing.empty()) return set;
  const auto count = missing.size();
  missing.resize(std::min<std::size_t>(3, count));
  check_runtime(false, "[dermaflux] ", count, " of ", set.captions.size(),
                " training images have no caption: ", detail::join(missing),
                count > 3 ? " ..." : "");
  return set;
}

bool is_held_out(const LesionDescription& d) {
  return d.asymmetric_axes == 2 &&
         std::find(d.colours.begin(), d.colours.end(), "blue-grey") != d.colours.end();
}

CaptionedSet without_held_out(const CaptionedSet& set) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < set.set.size(); ++i)
    if (!is_held_out(set.descriptions[static_cast<std::size_t>(i)])) rows.push_back(i);
  check_runtime(!rows.empty(), "[dermaflux] all images show the combination that is held out");
  return set.subset(rows);
}

TextToImage train_dermaflux(const DermafluxRecipe& recipe, const CaptionedSet& training,
                            const StageContext& context, KLVAE autoencoder) {
  validate(recipe);
  const auto seen = recipe.hold_out ? without_held_out(training) : training;
  if (autoencoder.is_empty())
    autoencoder = train_autoencoder(seen.set, recipe.autoencoder, context);
  auto model = train_text_to_image(seen.set, seen.captions, autoencoder, recipe.generator, context);
  save_text_to_image(context.out, model);
  return model;
}

void train_adapter(const DermafluxRecipe& recipe, Flux flux, const KLVAE& autoencoder,
                   const std::function<FluxPrompt(const std::vector<std::string>&)>& read,
                   const CaptionedSet& training, const StageContext& context) {
  const auto texts = different(training.captions);
  const auto prompt = read(texts);
  std::vector<std::int64_t> rows;
  for (const auto& words : training.captions)
    rows.push_back(std::lower_bound(texts.begin(), texts.end(), words) - texts.begin());
  const FluxTrainingSet set{
      cached_latents(autoencoder, training.set.images, 1, context.out / "adapter"),
      torch::tensor(rows, torch::kLong), prompt.text.cpu(), prompt.pooled.cpu()};
  FluxTrainingOptions options{.training = recipe.adapter_training,
                              .flow = recipe.generator.flow,
                              .resolution_shift = recipe.generator.sampling.shift,
                              .prompt_dropout = recipe.generator.caption_dropout,
                              .low_rank = recipe.adapter};
  train_flux(flux, set, options, context, "adapter");
  write_lora_kohya(context.out / "adapter.safetensors", collect_lora(*flux));
}

}  // namespace dermis
