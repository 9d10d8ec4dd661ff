#pragma once
/// \file
/// A small text-to-image model that is trained as a whole: a T5 reads captions, a Flux draws the
/// latents of an autoencoder (DermaFlux, arXiv 2603.16392, at a size for a CPU). Nothing but the
/// caption's words reaches the network.

#include <concepts>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/data/lineage.hpp"
#include "dermis/diffusion/flux_sampling.hpp"
#include "dermis/metrics/bootstrap.hpp"
#include "dermis/models/t5.hpp"
#include "dermis/text/tokenizer.hpp"
#include "dermis/text/vocabulary.hpp"
#include "dermis/train/autoencoder.hpp"
#include "dermis/train/generator_options.hpp"

namespace dermis {

/// A Flux and the text encoder that learns with it.
class ReadingFluxImpl : public torch::nn::Cloneable<ReadingFluxImpl> {
 public:
  ReadingFluxImpl(const T5Options& text_options, const FluxOptions& flux_options,
                  const ParameterOptions& parameters = {})
      : text_options_(text_options), flux_options_(flux_options), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }
  void reset() override {
    text = register_module("text", T5Encoder(text_options_, parameter_options_));
    flux = register_module("flux", Flux(flux_options_, parameter_options_));
  }

  /// What ids [B, L] with their mask say: T5's tokens, 0 where there is padding, and as the pooled
  /// vector their mean.
  FluxPrompt read(const at::Tensor& ids, const at::Tensor& mask) {
    const auto present = mask.unsqueeze(-1).to(at::kFloat);  // [B, L, 1]
    const auto tokens = text->forward(ids, mask) * present;  // [B, L, D]
    return {tokens, tokens.sum(1) / present.sum(1)};         // every text has its end token
  }

  T5Encoder text{nullptr};
  Flux flux{nullptr};

 private:
  T5Options text_options_;
  FluxOptions flux_options_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(ReadingFlux);

struct TextToImageOptions {
  VocabularyOptions vocabulary;    ///< learned from the training captions
  std::int64_t text_length = 128;  ///< tokens that are read; trained with fewer if no caption has
                                   ///< as many
  T5Options text = {.dim = 96,     ///< `vocabulary` is the tokenizer's
                    .depth = 2,
                    .heads = 4,
                    .head_dim = 24,
                    .hidden = 256,
                    .gated = true};
  FluxOptions model = {.dim = 128,  ///< in_channels, text_dim, pooled_dim follow from the others
                       .heads = 4,
                       .double_blocks = 2,
                       .single_blocks = 4,
                       .axes = {8, 12, 12},
                       .guidance = false};
  StageSchedule training;
  Objective objective = Objective::Flow;
  RectifiedFlowOptions flow = {};                     ///< of Objective::Flow alone
  NoiseScheduleOptions schedule = cosine_schedule();  ///< of the others
  double caption_dropout = 0.1;   ///< share of captions replaced by the empty one, for guidance
  std::int64_t latent_views = 8;  ///< cached latents an image, see GeneratorOptions
  FluxSamplingOptions sampling = {.steps = 25, .true_guidance = 2.5};  ///< guidance away from the
                                                                       ///< empty caption; `shift`
                                                                       ///< and `heun` of a flow
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, VocabularyOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("words", o.words);
  visit("least_count", o.least_count);
}

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, TextToImageOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("vocabulary", o.vocabulary);
  visit("text_length", o.text_length);
  visit("text", o.text);
  visit("model", o.model);
  visit("training", o.training);
  visit("objective", o.objective);
  visit("flow", o.flow);
  visit("schedule", o.schedule);
  visit("caption_dropout", o.caption_dropout);
  visit("latent_views", o.latent_views);
  visit("sampling", o.sampling);
}

/// Throws std::invalid_argument naming the first option that cannot be.
void validate(const TextToImageOptions& options);

/// The whole model, ready to draw.
struct TextToImage {
  KLVAE autoencoder{nullptr};
  ReadingFlux network{nullptr};
  Json vocabulary;  ///< the tokenizer.json that `tokenizer` was read from
  Tokenizer tokenizer{nullptr};
  TextToImageOptions options;
  std::int64_t image_size = 0;
  Lineage lineage = {};  ///< of the training images

  /// What the text encoder says of texts, without gradients. A text that is too long is cut, and
  /// said so on stderr.
  FluxPrompt read(const std::vector<std::string>& texts) const;
  /// Scaled latents for `prompts`, one each, from noise [B, C, h, w] of N(0, 1).
  at::Tensor latents(const std::vector<std::string>& prompts, const at::Tensor& noise) const;
};

/// Trains text encoder and transformer together on the cached latents of `training` and the caption
/// of each image, every image equally often.
/// \throws std::invalid_argument for options that cannot be, another number of captions than images
///         or latents of an odd side
TextToImage train_text_to_image(const PixelSet& training, const std::vector<std::string>& captions,
                                const KLVAE& autoencoder, TextToImageOptions options,
                                const StageContext& context,
                                const std::string& name = "text_to_image",
                                TrainResult* result = nullptr);

/// Held-out mean squared error on the same latents, times and noise, with each image's caption
/// and with another's: the difference is what the network takes from the words.
struct CaptionUse {
  double own = 0, shuffled = 0;
  Interval shuffled_minus_own;  ///< paired by image
};
CaptionUse caption_use(const TextToImage& model, const PixelSet& held_out,
                       const std::vector<std::string>& captions, std::uint64_t seed,
                       std::int64_t times = 8);

/// autoencoder.safetensors, text_to_image.safetensors and tokenizer.json in `directory`.
void save_text_to_image(const std::filesystem::path& directory, const TextToImage& model);
/// \throws std::runtime_error naming the file that is missing, damaged or not of this model: a
///         tokenizer with more ids than the encoder has rows, another autoencoder
TextToImage load_text_to_image(const std::filesystem::path& directory,
                               at::Device device = at::kCPU);

}  // namespace dermis
