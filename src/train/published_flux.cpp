/// \file
/// Published weights of Flux, and adapters, for prompted images.

#include <map>

#include "dermis/core/hash.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/prompted_images.hpp"
#include "dermis/version.hpp"
#include "dermis/weights/flux.hpp"
#include "dermis/weights/lora.hpp"
#include "dermis/weights/streamed_flux.hpp"

namespace dermis {
namespace {

LoraAdapter scaled(LoraAdapter adapter, double weight) {
  for (auto& layer : adapter.layers) layer.scale *= weight;
  return adapter;
}

/// The network and what it is.
struct Network {
  FluxNetwork forward;
  FluxOptions options;
};

Network network_of(const FluxFiles& files, const ParameterOptions& parameters) {
  const auto source = files.adapter.string();
  if (files.streamed) {
    const auto flux = std::make_shared<StreamedFlux>(files.transformer, parameters);
    if (!source.empty())
      flux->set_lora(scaled(read_lora(files.adapter), files.adapter_weight), source);
    return {[flux](const FluxInput& input) { return flux->forward(input); }, flux->options()};
  }
  auto flux = load_flux(files.transformer, parameters);
  if (!source.empty())
    apply_lora(*flux, scaled(read_lora(files.adapter), files.adapter_weight), source,
               diffusers_flux_layers(flux->options));
  flux->eval();
  return {[flux](const FluxInput& input) { return flux.ptr()->forward(input); }, flux->options};
}

/// Rows of embeddings by text.
class PromptRows {
 public:
  PromptRows(const std::vector<std::string>& texts, TextEmbeddings embeddings)
      : embeddings_(std::move(embeddings)) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      rows_.emplace(texts[i], static_cast<std::int64_t>(i));
  }
  FluxPrompt of(const std::vector<std::string>& texts, at::Device device) const {
    std::vector<std::int64_t> rows;
    for (const auto& words : texts) {
      const auto found = rows_.find(words);
      check_argument(found != rows_.end(),
                     "[published_flux] expected one of the prompts that were embedded, got '",
                     words, "'");
      rows.push_back(found->second);
    }
    const auto index = torch::tensor(rows, at::kLong);
    return {embeddings_.tokens.index_select(0, index).to(device),
            embeddings_.pooled.index_select(0, index).to(device)};
  }

 private:
  TextEmbeddings embeddings_;
  std::map<std::string, std::int64_t> rows_;
};

/// What the files are, by name and size: hashing gigabytes would take as long as using them.
std::string identity(const FluxFiles& files) {
  std::string all = text(files.adapter_weight);
  for (const auto& path : {files.transformer, files.autoencoder, files.adapter})
    all += text('\n', path.filename().string(), ' ',
                std::filesystem::is_regular_file(path) ? std::filesystem::file_size(path) : 0);
  return fingerprint(all);
}

void check_sizes(const FluxOptions& flux, const KLVAE& autoencoder, const TextEmbeddings& text) {
  const auto& vae = autoencoder.ptr()->options;
  check_runtime(flux.in_channels == 4 * vae.latent_channels,
                "[published_flux] expected an autoencoder of ", flux.in_channels / 4,
                " latent channels for this transformer, got ", vae.latent_channels);
  check_runtime(flux.text_dim == text.tokens.size(2) && flux.pooled_dim == text.pooled.size(1),
                "[published_flux] expected text encoders of widths ", flux.text_dim, " (T5) and ",
                flux.pooled_dim, " (CLIP) for this transformer, got ", text.tokens.size(2), " and ",
                text.pooled.size(1));
}

}  // namespace

PromptedGenerator published_flux(const FluxFiles& files, const std::vector<std::string>& prompts,
                                 std::int64_t image_size, const FluxSamplingOptions& sampling,
                                 const TextEmbeddingOptions& text_options,
                                 const std::string& negative) {
  auto texts = prompts;
  texts.push_back(negative);
  const auto embeddings = text_embeddings(texts, files.text, text_options);
  const auto rows = std::make_shared<PromptRows>(texts, embeddings);
  const auto device = text_options.device;
  const auto autoencoder = load_autoencoder(files.autoencoder, device);
  const auto network = network_of(files, {.device = device, .dtype = text_options.dtype});
  check_sizes(network.options, autoencoder, embeddings);
  const bool distilled = network.options.guidance;
  const auto latents = [=](const std::vector<std::string>& texts_now, const at::Tensor& noise) {
    const torch::NoGradGuard no_grad;
    const std::vector<std::string> away(texts_now.size(), negative);
    return sample_flux(network.forward, distilled, rows->of(texts_now, device), noise.to(device),
                       sampling, rows->of(away, device));
  };
  return {.latents = latents,
          .autoencoder = autoencoder,
          .image_size = image_size,
          .mark = {.generator = identity(files),
                   .split = "",
                   .guidance_scale = distilled ? sampling.guidance : sampling.true_guidance,
                   .sampler = sampling.heun ? "heun" : "euler",
                   .steps = sampling.steps,
                   .settings = fingerprint(options_to_json(sampling).dump() + negative),
                   .version = version}};
}

void apply_adapter(TextToImage& model, const std::filesystem::path& adapter, double weight) {
  auto& flux = *model.network.ptr()->flux;
  apply_lora(flux, scaled(read_lora(adapter), weight), adapter.string(),
             diffusers_flux_layers(flux.options));
}

}  // namespace dermis
