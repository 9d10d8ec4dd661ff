#include "dermis/core/random.hpp"
#include "dermis/diffusion/ddim.hpp"
#include "dermis/diffusion/dpm_solver.hpp"
#include "dermis/diffusion/guidance.hpp"
#include "dermis/layers/autocast.hpp"
#include "dermis/train/generator.hpp"
#include "generator_process.hpp"

namespace dermis {

namespace {

at::Tensor run_sampler(const RectifiedFlow& flow, const GeneratorOptions& options,
                       const Denoiser& denoiser, const NoiseSource& /*fresh*/,
                       const at::Tensor& noise) {
  return flow.sample(denoiser, noise, options.sampling_steps);
}
at::Tensor run_sampler(const DiffusionProcess& process, const GeneratorOptions& options,
                       const Denoiser& denoiser, const NoiseSource& fresh,
                       const at::Tensor& noise) {
  if (options.sampler == SamplingMethod::DPMSolver)
    return DPMSolver(process, {.steps = options.sampling_steps, .sigmas = options.sigmas})
        .sample(denoiser, noise);
  return DDIM(process, {.steps = options.sampling_steps, .eta = options.eta})
      .sample(denoiser, noise, fresh);
}

/// The noise [C, h, w] that image `index` of a class starts from (draw 0) or is given in step draw
/// - 1.
at::Tensor latent_noise(const Generator& generator, int label, std::int64_t index,
                        std::uint64_t seed, std::int64_t draw) {
  const auto factor = generator.autoencoder->options.factor();
  const auto side = generator.image_size / factor;
  const auto noise = torch::empty({generator.autoencoder->options.latent_channels, side, side});
  RandomStream stream(seed, "synthesis/" + generator.classes.at(static_cast<std::size_t>(label)),
                      static_cast<std::uint64_t>(draw), static_cast<std::uint64_t>(index));
  auto* values = noise.data_ptr<float>();
  for (std::int64_t i = 0; i < noise.numel(); ++i) values[i] = static_cast<float>(stream.normal());
  return noise;
}

}  // namespace

at::Tensor Generator::sample(const std::vector<int>& labels,
                             const std::vector<std::int64_t>& indices, std::uint64_t seed) const {
  check_argument(!labels.empty() && labels.size() == indices.size(),
                 "[generator] expected as many labels as indices, got ", labels.size(), " and ",
                 indices.size());
  validate(options);
  auto network = unet;
  network->eval();
  const auto device = network->conv_in->weight.device();
  const Autocast full_precision(false, device.type());
  const auto noise_of = [&](std::int64_t draw) {
    std::vector<at::Tensor> noise;
    for (std::size_t i = 0; i < labels.size(); ++i)
      noise.push_back(latent_noise(*this, labels[i], indices[i], seed, draw));
    return at::stack(noise).to(device);
  };
  const auto fresh = [&](std::int64_t step, const at::Tensor&) { return noise_of(step + 1); };
  const auto classes_of =
      torch::tensor(std::vector<std::int64_t>(labels.begin(), labels.end()), torch::kLong);
  const auto latents = detail::with_process(options, [&](const auto& process) {
    const auto denoiser = guided(denoiser_of(network), classes_of.to(device), network->null_class(),
                                 GuidanceOptions{.scale = options.guidance_scale,
                                                 .rescale = options.guidance_rescale,
                                                 .low = options.guidance_interval[0],
                                                 .high = options.guidance_interval[1],
                                                 .time_scale = detail::time_scale(process)});
    return run_sampler(process, options, denoiser, fresh, noise_of(0));
  });
  return decode_latents(autoencoder, latents);
}

}  // namespace dermis
