#include "dermis/train/text_to_image.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>

#include "dermis/core/file.hpp"
#include "dermis/core/random.hpp"
#include "dermis/diffusion/ddim.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/layers/autocast.hpp"
#include "dermis/train/latent_cache.hpp"
#include "dermis/train/text_embeddings.hpp"
#include "generator_process.hpp"
#include "preview.hpp"

namespace dermis {
namespace {

constexpr const char* encoder_name = "the text encoder";
constexpr std::int64_t texts_at_a_time = 64;

Tokenizer tokenizer_of(const Json& vocabulary) {
  return parse_tokenizer_json(vocabulary.dump(), "tokenizer.json");
}

/// Sizes that follow from tokenizer, captions and latents.
void fit(TextToImageOptions& o, const Tokenizer& tokenizer, std::int64_t longest,
         std::int64_t latent_channels) {
  o.text.vocabulary = tokenizer.vocabulary_size();
  o.text_length = std::min(o.text_length, longest);
  o.model.in_channels = 4 * latent_channels;
  o.model.text_dim = o.model.pooled_dim = o.text.dim;
}

/// The network as a Denoiser of the process's own times, up to `scale`.
Denoiser denoiser_of(const ReadingFlux& network, FluxPrompt prompt, double scale) {
  const FluxNetwork flux = [network](const FluxInput& input) {
    return network.ptr()->flux->forward(input);
  };
  return
      [inner = flux_denoiser(flux, std::move(prompt), {}), scale](
          const at::Tensor& x, const at::Tensor& t) { return inner(x, t.to(at::kFloat) / scale); };
}

at::Tensor run_sampler(const RectifiedFlow&, const TextToImage& model, const FluxPrompt& prompt,
                       const FluxPrompt& empty, const at::Tensor& noise) {
  return sample_flux(model.network.ptr()->flux, prompt, noise, model.options.sampling, empty);
}
at::Tensor run_sampler(const DiffusionProcess& process, const TextToImage& model,
                       const FluxPrompt& prompt, const FluxPrompt& empty, const at::Tensor& noise) {
  const auto scale = detail::time_scale(process);
  const auto& sampling = model.options.sampling;
  auto denoiser = denoiser_of(model.network, prompt, scale);
  if (sampling.true_guidance != 1)
    denoiser = guided(std::move(denoiser), denoiser_of(model.network, empty, scale),
                      sampling.true_guidance);
  return DDIM(process, {.steps = sampling.steps}).sample(denoiser, noise);
}

/// `text` for every row of `rows`.
FluxPrompt repeated(const FluxPrompt& prompt, std::int64_t rows) {
  return {prompt.text.expand({rows, -1, -1}), prompt.pooled.expand({rows, -1})};
}

/// Eight training images above what is drawn for their captions, the same noise whenever it is
/// drawn.
Image drawn(const TextToImage& model, const PixelSet& training,
            const std::vector<std::string>& captions, std::uint64_t seed) {
  const auto columns = std::min<std::int64_t>(8, training.size());
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < columns; ++i) rows.push_back(i * training.size() / columns);
  const auto& autoencoder = model.autoencoder.ptr()->options;
  const auto side = model.image_size / autoencoder.factor();
  const auto noise = torch::randn({columns, autoencoder.latent_channels, side, side},
                                  at::make_generator<at::CPUGeneratorImpl>(seed));
  const auto pictures =
      decode_latents(model.autoencoder, model.latents(select(captions, rows), noise));
  return detail::sheet(at::cat({training.subset(rows).images, pictures}), columns);
}

}  // namespace

void validate(const TextToImageOptions& o) {
  check_argument(o.text_length >= 2, "[text_to_image] expected a text_length of at least 2, got ",
                 o.text_length);
  check_argument(o.caption_dropout >= 0 && o.caption_dropout <= 1,
                 "[text_to_image] expected a caption_dropout in 0..1, got ", o.caption_dropout);
  check_argument(!o.model.guidance,
                 "[text_to_image] expected a model without guidance input: its guidance is by the "
                 "empty caption");
  validate(o.text);
  validate(o.model);
}

FluxPrompt TextToImage::read(const std::vector<std::string>& texts) const {
  const torch::NoGradGuard no_grad;
  const auto device = network.ptr()->flux->img_in->weight.device();
  const auto batch = tokenized(tokenizer, texts, options.text_length, encoder_name);
  const auto ids = batch.ids.split(texts_at_a_time), mask = batch.mask.split(texts_at_a_time);
  std::vector<at::Tensor> tokens, pooled;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto said = network.ptr()->read(ids[i].to(device), mask[i].to(device));
    tokens.push_back(said.text);
    pooled.push_back(said.pooled);
  }
  return {at::cat(tokens), at::cat(pooled)};
}

at::Tensor TextToImage::latents(const std::vector<std::string>& prompts,
                                const at::Tensor& noise) const {
  check_argument(static_cast<std::int64_t>(prompts.size()) == noise.size(0),
                 "[text_to_image] expected noise for ", prompts.size(), " prompts, got ",
                 shape_text(noise));
  const torch::NoGradGuard no_grad;
  network.ptr()->eval();
  const auto device = network.ptr()->flux->img_in->weight.device();
  const Autocast full_precision(false, device.type());
  const auto prompt = read(prompts), empty = repeated(read({""}), noise.size(0));
  return detail::with_process(options, [&](const auto& process) {
    return run_sampler(process, *this, prompt, empty, noise.to(device));
  });
}

TextToImage train_text_to_image(const PixelSet& training, const std::vector<std::string>& captions,
                                const KLVAE& autoencoder, TextToImageOptions options,
                                const StageContext& context, const std::string& name,
                                TrainResult* result) {
  validate(options);
  const auto count = training.size();
  check_argument(static_cast<std::int64_t>(captions.size()) == count,
                 "[text_to_image] expected a caption for each of ", count, " images, got ",
                 captions.size());
  const auto vocabulary = learned_vocabulary(captions, options.vocabulary);
  const auto tokenizer = tokenizer_of(vocabulary);
  auto texts = captions;
  texts.emplace_back();  // the empty caption is the last row
  const auto words = tokenized(tokenizer, texts, options.text_length, encoder_name);
  fit(options, tokenizer, std::max<std::int64_t>(2, words.mask.sum(1).max().item<std::int64_t>()),
      autoencoder->options.latent_channels);
  const auto ids = words.ids.slice(1, 0, options.text_length).contiguous();
  const auto mask = words.mask.slice(1, 0, options.text_length).contiguous();
  ReadingFlux network(options.text, options.model, first_weights(context, name));
  network->to(context.device);
  const auto sampler = Sampler::natural(count, context.seed, name);
  auto configuration =
      stage_configuration("text_to_image", options_to_json(options), sampler, training,
                          {{"autoencoder", fingerprint(state_dict(*autoencoder))},
                           {"captions", fingerprint(StateDict{{"ids", ids}, {"mask", mask}})}});
  const TextToImage model{autoencoder,         network, vocabulary,
                          tokenizer,           options, training.images.size(2),
                          lineage_of(training)};
  const auto preview =
      preview_writer(context, name, [&] { return drawn(model, training, captions, context.seed); });
  at::Tensor latents;  // [views N, C, h, w]; made by the first step: a finished run needs none
  auto outcome = detail::with_process(options, [&](const auto& process) {
    const double scale = detail::time_scale(process);
    const auto step = [&](const Batch& batch) -> StepLoss {
      if (!latents.defined())
        latents =
            cached_latents(autoencoder, training.images, options.latent_views,
                           context.out.empty() ? std::filesystem::path() : context.out / name);
      network->train();
      const auto size = batch.indices.size(0);
      const auto view = torch::randint(options.latent_views, {size}, batch.generator, torch::kLong);
      const auto x0 = latents.index_select(0, batch.indices + view * count).to(context.device);
      const auto noise = torch::randn(x0.sizes(), batch.generator).to(context.device);
      const auto times = process.times(torch::rand({size}, batch.generator)).to(context.device);
      const auto rows = drop_labels(batch.indices, count, torch::rand({size}, batch.generator),
                                    options.caption_dropout);
      const auto prompt = network->read(ids.index_select(0, rows).to(context.device),
                                        mask.index_select(0, rows).to(context.device));
      const auto noisy = process.corrupt(x0, noise, times);
      const auto output = denoiser_of(network, prompt, scale)(noisy.x, noisy.time);
      return {at::mse_loss(output.to(torch::kFloat), noisy.target), {}};
    };
    return train(
        *network, parameter_groups(*network, {.weight_decay = options.training.weight_decay}),
        sampler, step, train_options(options.training, context, name, std::move(configuration)),
        {.preview = preview});
  });
  network->eval();
  if (result) *result = std::move(outcome);
  return model;
}

CaptionUse caption_use(const TextToImage& model, const PixelSet& held_out,
                       const std::vector<std::string>& captions, std::uint64_t seed,
                       std::int64_t times) {
  check_argument(static_cast<std::int64_t>(captions.size()) == held_out.size() && times >= 1,
                 "[text_to_image] expected a caption for each of ", held_out.size(),
                 " images and at least 1 time, got ", captions.size(), " and ", times);
  const torch::NoGradGuard no_grad;
  auto network = model.network;
  network->eval();
  const auto device = network->flux->img_in->weight.device();
  const auto latents = encode_latents(model.autoencoder, held_out.images).to(device);
  const auto prompt = model.read(captions);
  RandomStream stream(seed, "caption_use");
  const auto order = torch::tensor(stream.permutation(held_out.size()), torch::kLong);
  auto other = torch::empty_like(order);  // another image's: the order, turned halfway round
  other.index_put_({order}, order.roll({std::max<std::int64_t>(1, held_out.size() / 2)}));
  other = other.to(device);
  const auto cpu = at::make_generator<at::CPUGeneratorImpl>(stream.bits64());
  std::array<at::Tensor, 2> losses;  // [N]: own, shuffled
  detail::with_process(model.options, [&](const auto& process) {
    const auto scale = detail::time_scale(process);
    for (std::int64_t t = 0; t < times; ++t) {
      const auto u = torch::full({latents.size(0)},
                                 (static_cast<double>(t) + 0.5) / static_cast<double>(times));
      const auto noisy = process.corrupt(latents, torch::randn(latents.sizes(), cpu).to(device),
                                         process.times(u).to(device));
      const auto loss = [&](const FluxPrompt& said) {
        const auto output = denoiser_of(network, said, scale)(noisy.x, noisy.time);
        return (output - noisy.target).square().flatten(1).mean(1).to(at::kDouble).cpu();
      };
      const std::array<at::Tensor, 2> now = {
          loss(prompt),
          loss({prompt.text.index_select(0, other), prompt.pooled.index_select(0, other)})};
      for (std::size_t i = 0; i < 2; ++i) losses[i] = t == 0 ? now[i] : losses[i] + now[i];
    }
    return 0;
  });
  const auto gain = ((losses[1] - losses[0]) / static_cast<double>(times)).contiguous();
  const auto* values = gain.const_data_ptr<double>();
  const auto mean = [&](const std::vector<std::int64_t>& rows) {
    double sum = 0;
    for (const auto row : rows) sum += values[row];
    return sum / static_cast<double>(rows.size());
  };
  const auto of = [&](const at::Tensor& loss) {
    return loss.mean().item<double>() / static_cast<double>(times);
  };
  return {of(losses[0]), of(losses[1]), bootstrap_interval(lesions_of(held_out), mean)};
}

void save_text_to_image(const std::filesystem::path& directory, const TextToImage& model) {
  save_autoencoder(directory / "autoencoder.safetensors", model.autoencoder);
  write_atomically(directory / "tokenizer.json", model.vocabulary.dump(1) + "\n");
  save_model(directory / "text_to_image.safetensors", *model.network, "text_to_image",
             options_to_json(model.options),
             Json::object({{"image_size", model.image_size},
                           {"lineage", to_json(model.lineage)},
                           {"autoencoder", fingerprint(state_dict(*model.autoencoder))}}));
}

TextToImage load_text_to_image(const std::filesystem::path& directory, at::Device device) {
  const auto path = directory / "text_to_image.safetensors";
  const auto file = read_model_file(path, "text_to_image");
  TextToImage model;
  options_from_json(model.options, file.options, path.string());
  model.vocabulary = Json::read(directory / "tokenizer.json");
  model.tokenizer = read_tokenizer_json(directory / "tokenizer.json");
  check_fits(model.tokenizer, model.options.text);
  model.autoencoder = load_autoencoder(directory / "autoencoder.safetensors", device);
  check_runtime(file.extra.at("autoencoder").get<std::string>() ==
                    fingerprint(state_dict(*model.autoencoder)),
                "[text_to_image] ", path.string(),
                " was trained on the latents of another autoencoder than the one beside it");
  model.network =
      ReadingFlux(model.options.text, model.options.model, ParameterOptions{.init = false});
  load_state_dict(*model.network, file.tensors, path.string());
  model.network->to(device);
  model.network->eval();
  model.image_size = file.extra.at("image_size").get<std::int64_t>();
  model.lineage = lineage_from_json(file.extra.at("lineage"), path.string());
  return model;
}

}  // namespace dermis
