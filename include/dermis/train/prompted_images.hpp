#pragma once
/// \file
/// Images drawn for prompts, by our own text-to-image model or by a published Flux, as PNG files
/// that carry their provenance and the prompt.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dermis/data/provenance.hpp"
#include "dermis/train/text_embeddings.hpp"
#include "dermis/train/text_to_image.hpp"

namespace dermis {

/// An image that is asked for.
struct ImageRequest {
  std::string prompt;
  std::int64_t number = 0;  ///< with the seed: the noise it starts from, whatever the prompt
  std::string class_name = "prompted";  ///< sub-folder, and class of the provenance
};

/// Whatever draws latents for prompts.
struct PromptedGenerator {
  /// Scaled latents for prompts, one each, from noise [B, C, h, w].
  std::function<at::Tensor(const std::vector<std::string>& prompts, const at::Tensor& noise)>
      latents;
  KLVAE autoencoder{nullptr};
  std::int64_t image_size = 0;  ///< pixels
  Provenance mark;              ///< what all its images have in common, without the seed
  Lineage lineage = {};         ///< unknown for published weights
};

/// Our own model with its present options.
PromptedGenerator prompted(const TextToImage& model);

/// The published file set of FLUX.1, as black-forest-labs and diffusers have it.
struct FluxFiles {
  std::filesystem::path transformer;  ///< flux1-dev.safetensors, or what load_flux reads
  std::filesystem::path autoencoder;  ///< ae.safetensors, or what load_autoencoder reads
  TextEncoderFolders text;
  std::filesystem::path adapter = {};  ///< of kohya, PEFT or diffusers; empty: none
  double adapter_weight = 1;           ///< 1: as it was trained
  bool streamed = false;  ///< blocks are read from the disk as they are used (StreamedFlux)
};

/// A generator for these files. The prompts that it will be asked for are embedded at once, before
/// the transformer is read, so that text encoders and transformer need not fit into memory
/// together; another prompt is std::invalid_argument. With a true_guidance other than 1, `negative`
/// is what to move away from.
/// \throws std::runtime_error naming the file that is missing, damaged, or whose sizes do not fit
PromptedGenerator published_flux(const FluxFiles& files, const std::vector<std::string>& prompts,
                                 std::int64_t image_size, const FluxSamplingOptions& sampling = {},
                                 const TextEmbeddingOptions& text = {},
                                 const std::string& negative = "");

/// Reads an adapter (see read_lora) into `model`, `weight` times as strong as trained; its text
/// encoder stays what it is.
void apply_adapter(TextToImage& model, const std::filesystem::path& adapter, double weight = 1);

/// uint8 images [N, 3, S, S]. Image i depends on its prompt, its number and the seed; in the batch
/// it is drawn in only rounding differs. Throws std::invalid_argument for an empty prompt.
at::Tensor draw(const PromptedGenerator& generator, const std::vector<ImageRequest>& requests,
                std::uint64_t seed);

/// The same in batches, marked synthetic, with class i of `classes` as label where class_name is
/// it. With a directory each image is written there as CLASS/prompted_NUMBER.png, captions.csv
/// beside them when all are there, and lineage.json. An image found there that carries the very
/// mark it would be given is taken over. \throws Interrupted after Ctrl-C
PixelSet draw_images(const PromptedGenerator& generator, const std::vector<ImageRequest>& requests,
                     const std::vector<std::string>& classes, std::uint64_t seed,
                     const std::filesystem::path& directory = {}, bool progress = true);

}  // namespace dermis
