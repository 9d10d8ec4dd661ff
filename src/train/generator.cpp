#include "dermis/train/generator.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include "dermis/core/random.hpp"
#include "dermis/diffusion/denoising_loss.hpp"
#include "dermis/diffusion/guidance.hpp"
#include "dermis/diffusion/linear_denoiser.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/latent_cache.hpp"
#include "generator_process.hpp"
#include "preview.hpp"

namespace dermis {

namespace {

/// A row of four images a class, the same noise whenever it is drawn.
Image drawn(const Generator& generator, std::uint64_t seed) {
  constexpr std::int64_t columns = 4;
  std::vector<int> labels;
  std::vector<std::int64_t> indices;
  for (std::size_t c = 0; c < generator.classes.size(); ++c) {
    labels.insert(labels.end(), columns, static_cast<int>(c));
    for (std::int64_t i = 0; i < columns; ++i) indices.push_back(i);
  }
  return detail::sheet(generator.sample(labels, indices, seed), columns);
}

}  // namespace

Generator train_generator(const PixelSet& training, const KLVAE& autoencoder,
                          GeneratorOptions options, const StageContext& context,
                          const std::string& name, TrainResult* result) {
  validate(options);
  const auto count = training.size();
  at::Tensor latents;  // [views N, C, h, w]; made by the first step: a finished run needs none
  options.model = network_options(options, autoencoder->options.latent_channels,
                                  static_cast<std::int64_t>(training.classes.size()));
  UNet unet(options.model, first_weights(context, name));
  unet->to(context.device);
  unet->checkpoint_activations = options.checkpoint_activations;
  const auto sampler = stage_sampler(training, options.class_balanced, context, name);
  auto configuration =
      stage_configuration("generator", options_to_json(options), sampler, training,
                          {{"autoencoder", fingerprint(state_dict(*autoencoder))}});
  const Generator generator{
      autoencoder, unet, options, training.classes, training.images.size(2), lineage_of(training)};
  const auto preview =
      preview_writer(context, name, [&] { return drawn(generator, context.seed); });
  auto outcome = detail::with_process(options, [&](const auto& process) {
    const auto step = [&](const Batch& batch) -> StepLoss {
      if (!latents.defined())
        latents =
            cached_latents(autoencoder, training.images, options.latent_views,
                           context.out.empty() ? std::filesystem::path() : context.out / name);
      const auto size = batch.indices.size(0);
      const auto view = torch::randint(options.latent_views, {size}, batch.generator, torch::kLong);
      const auto x0 = latents.index_select(0, batch.indices + view * count).to(context.device);
      const auto noise = torch::randn(x0.sizes(), batch.generator).to(context.device);
      const auto times = process.times(torch::rand({size}, batch.generator)).to(context.device);
      const auto kept =
          drop_labels(training.labels.index_select(0, batch.indices), unet->null_class(),
                      torch::rand({size}, batch.generator), options.label_dropout);
      const auto noisy = process.corrupt(x0, noise, times);
      const auto output = unet->forward(noisy.x, noisy.time, kept.to(context.device));
      const auto weights = detail::loss_weights(process, options, times);
      if (!weights.defined()) return {at::mse_loss(output.to(torch::kFloat), noisy.target), {}};
      const auto errors = (output.to(torch::kFloat) - noisy.target).square().flatten(1).mean(1);
      return {(weights * errors).mean(), {}};
    };
    return train(*unet, parameter_groups(*unet, {.weight_decay = options.training.weight_decay}),
                 sampler, step,
                 train_options(options.training, context, name, std::move(configuration)),
                 {.preview = preview});
  });
  if (result) *result = std::move(outcome);
  return generator;
}

DenoisingComparison compare_denoising(const Generator& generator, const PixelSet& training,
                                      const PixelSet& held_out, std::uint64_t seed,
                                      std::int64_t times) {
  auto unet = generator.unet;
  unet->eval();
  const auto device = unet->conv_in->weight.device();
  const auto latents = encode_latents(generator.autoencoder, held_out.images).to(device);
  const LinearDenoiser linear(encode_latents(generator.autoencoder, training.images));
  RandomStream stream(seed, "denoising");
  const auto cpu = at::make_generator<at::CPUGeneratorImpl>(stream.bits64());
  std::vector<std::int64_t> shape = {times};
  for (const auto side : latents.sizes()) shape.push_back(side);
  const auto noise = torch::randn(shape, cpu).to(device);

  // Another image's label: a rotation of the order by a random shift, so that the labels stay
  // equally frequent.
  const auto order = torch::tensor(stream.permutation(held_out.size()), torch::kLong);
  const auto labels = held_out.labels.to(device);
  auto wrong = torch::empty_like(held_out.labels);
  wrong.index_put_({order}, held_out.labels.index_select(0, order).roll({held_out.size() / 2}));

  const auto [model, shuffled, gaussian] =
      detail::with_process(generator.options, [&](const auto& process) {
        const auto grid = time_grid(process, times).to(device);
        const auto loss = [&](const ConditionalDenoiser& denoiser, const at::Tensor& of) {
          return denoising_loss(process, denoiser, latents, of, grid, noise)
              .mean(0)
              .to(torch::kDouble)
              .cpu();  // [N]
        };
        return std::make_tuple(loss(denoiser_of(unet), labels),
                               loss(denoiser_of(unet), wrong.to(device)),
                               loss(ignore_labels(linear.denoiser(process)), {}));
      });
  const auto lesions = lesions_of(held_out);
  const auto difference = [&](const at::Tensor& values) {
    const auto* v = values.const_data_ptr<double>();
    return bootstrap_interval(lesions, [&](const std::vector<std::int64_t>& rows) {
      double sum = 0;
      for (const auto row : rows) sum += v[row];
      return sum / static_cast<double>(rows.size());
    });
  };
  return {model.mean().item<double>(), shuffled.mean().item<double>(),
          gaussian.mean().item<double>(), difference(gaussian - model),
          difference((shuffled - model).contiguous())};
}

void save_generator(const std::filesystem::path& directory, const Generator& generator) {
  save_autoencoder(directory / "autoencoder.safetensors", generator.autoencoder);
  save_model(directory / "generator.safetensors", *generator.unet, "unet",
             options_to_json(generator.options),
             Json::object({{"classes", generator.classes},
                           {"image_size", generator.image_size},
                           {"lineage", to_json(generator.lineage)},
                           {"autoencoder", fingerprint(state_dict(*generator.autoencoder))}}));
}

Generator load_generator(const std::filesystem::path& directory, at::Device device) {
  const auto path = directory / "generator.safetensors";
  const auto file = read_model_file(path, "unet");
  Generator generator;
  options_from_json(generator.options, file.options, path.string());
  generator.autoencoder = load_autoencoder(directory / "autoencoder.safetensors", device);
  check_runtime(file.extra.at("autoencoder").get<std::string>() ==
                    fingerprint(state_dict(*generator.autoencoder)),
                "[generator] ", path.string(),
                " was trained on the latents of another autoencoder than the one beside it");
  generator.unet = UNet(generator.options.model, ParameterOptions{.init = false});
  load_state_dict(*generator.unet, file.tensors, path.string());
  generator.unet->to(device);
  generator.unet->eval();
  generator.classes = file.extra.at("classes").get<std::vector<std::string>>();
  generator.image_size = file.extra.at("image_size").get<std::int64_t>();
  if (file.extra.contains("lineage"))
    generator.lineage = lineage_from_json(file.extra.at("lineage"), path.string());
  return generator;
}

}  // namespace dermis
