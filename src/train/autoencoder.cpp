#include "dermis/train/autoencoder.hpp"

#include <torch/autograd.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "dermis/train/colour_whitening.hpp"
#include "preview.hpp"

namespace dermis {

namespace {
/// 0..1 -> -1..1, the range that autoencoders work in.
at::Tensor to_signed(const at::Tensor& images) {
  return images * 2 - 1;
}
at::Tensor unit(const at::Tensor& bytes) {
  return bytes.to(torch::kFloat) / 255;
}
at::Tensor bytes(const at::Tensor& unit_images) {
  return unit_images.mul(255).round_().clamp_(0, 255).to(torch::kByte).cpu();
}
at::Device device_of(const KLVAE& autoencoder) {
  return autoencoder->encoder->parameters().front().device();
}
/// Images that are coded at a time: 64, fewer where they are larger than 128 x 128.
std::int64_t at_a_time(std::int64_t height, std::int64_t width) {
  return std::clamp<std::int64_t>(64 * 128 * 128 / std::max<std::int64_t>(1, height * width), 1,
                                  64);
}

/// Both networks under one owner: one optimizer, one checkpoint.
struct Adversaries : torch::nn::Module {
  Adversaries(const KLVAE& autoencoder, const PatchDiscriminator& discriminator) {
    register_module("autoencoder", autoencoder);
    register_module("discriminator", discriminator);
  }
};

void set_trained(torch::nn::Module& module, bool trained) {
  for (auto& parameter : module.parameters()) parameter.set_requires_grad(trained);
}

/// What the adversarial term adds to a step.
struct Adversarial {
  at::Tensor loss;  ///< the autoencoder's share, weighted, and the discriminator's
  double weight, generator, discriminator;
};

Adversarial adversarial_term(PatchDiscriminator& discriminator, const at::Tensor& images,
                             const at::Tensor& rebuilt, const at::Tensor& error,
                             const at::Tensor& last_weights, double weight) {
  set_trained(*discriminator, false);  // the graph built now ends at the reconstruction
  const auto fooled = hinge_generator_loss(discriminator->forward(rebuilt));
  set_trained(*discriminator, true);
  const auto w = weight * adaptive_weight(error, fooled, last_weights);
  const auto judged = hinge_discriminator_loss(discriminator->forward(images),
                                               discriminator->forward(rebuilt.detach()));
  return {w * fooled + judged, w.item<double>(), fooled.item<double>(), judged.item<double>()};
}

void check(const AutoencoderOptions& o, const PixelSet& training,
           const PerceptualFeatures& perceptual, const std::string& name) {
  const auto expect = [&](bool ok, const char* wish, double got) {
    check_argument(ok, "[", name, "] expected ", wish, ", got ", got);
  };
  expect(o.kl_weight >= 0, "kl_weight of at least 0", o.kl_weight);
  expect(o.perceptual_weight >= 0, "perceptual_weight of at least 0", o.perceptual_weight);
  expect(o.adversarial_weight >= 0, "adversarial_weight of at least 0", o.adversarial_weight);
  expect(o.adversarial_start >= 0, "adversarial_start of at least 0",
         static_cast<double>(o.adversarial_start));
  check_argument(o.perceptual_weight == 0 || perceptual.maps, "[", name, "] perceptual_weight ",
                 o.perceptual_weight,
                 " needs feature maps: pass feature_maps(encoder) or load_lpips(file) to "
                 "train_autoencoder, or set it to 0");
  check_argument(
      o.adversarial_weight == 0 || training.images.size(2) >= o.discriminator.minimum_side(), "[",
      name, "] expected images of at least ", o.discriminator.minimum_side(),
      " pixels for a discriminator of ", o.discriminator.layers, " layers, got ",
      training.images.size(2), "; lower discriminator.layers");
}

/// A copy that takes and gives plain images.
KLVAE absorbed(const KLVAE& autoencoder, const ColourWhitening& whitening) {
  KLVAE copy(std::dynamic_pointer_cast<KLVAEImpl>(autoencoder->clone()));
  absorb(copy, whitening);
  return copy;
}

/// AutoencoderOptions::weights, ready for `training`.
KLVAE frozen_autoencoder(const PixelSet& training, const std::string& weights,
                         const StageContext& context, const std::string& name) {
  auto model = load_autoencoder(weights, context.device);
  const auto factor = model->options.factor(), side = training.images.size(2);
  check_argument(side % factor == 0, "[", name, "] expected images of a side divisible by ", factor,
                 ", as ", weights, " makes one latent of so many pixels, got ", side);
  freeze(*model);
  auto& scale = model->options.scaling_factor;
  if (scale == 1.0 && model->options.shift_factor == 0.0)
    scale = latent_scale(encode_latents(model, training.images));
  return model;
}
}  // namespace

at::Tensor adaptive_weight(const at::Tensor& error, const at::Tensor& adversarial,
                           const at::Tensor& last_weights) {
  const auto norm = [&](const at::Tensor& loss) {
    return torch::autograd::grad({loss}, {last_weights}, {}, /*retain_graph=*/true).front().norm();
  };
  return (norm(error) / (norm(adversarial) + 1e-4)).clamp(0, 1e4).detach();
}

KLVAE train_autoencoder(const PixelSet& training, const AutoencoderOptions& options,
                        const StageContext& context, const std::string& name, TrainResult* result,
                        const PerceptualFeatures& perceptual) {
  if (!options.weights.empty()) {
    if (result) *result = {.loaded = true};
    return frozen_autoencoder(training, options.weights, context, name);
  }
  check(options, training, perceptual, name);
  KLVAE model(options.model, first_weights(context, name));
  model->to(context.device);
  PatchDiscriminator discriminator = nullptr;
  std::shared_ptr<torch::nn::Module> owner = model.ptr();
  if (options.adversarial_weight > 0) {
    discriminator =
        PatchDiscriminator(options.discriminator, first_weights(context, name + "/discriminator"));
    discriminator->to(context.device);
    owner = std::make_shared<Adversaries>(model, discriminator);
  }
  const auto sampler = stage_sampler(training, /*class_balanced=*/false, context, name);
  const auto whitening =
      options.whiten_colours ? std::optional(colour_whitening(training.images)) : std::nullopt;
  const auto step = [&](const Batch& batch) -> StepLoss {
    const auto images = to_signed(augmented(training, batch, options.augment, context.seed,
                                            "augment/" + name, context.device));
    const auto coloured = whitening ? recoloured(images, whitening->forward) : images;
    const auto posterior = model->encode(coloured);
    const auto noise = torch::randn(posterior.mean.sizes(), batch.generator).to(context.device);
    const auto decoded = model->decode(posterior.sample(noise));
    auto error = at::l1_loss(decoded, coloured);
    const auto rebuilt = whitening ? recoloured(decoded, whitening->inverse) : decoded;
    const auto kl = posterior.kl().sum() / static_cast<double>(images.numel());
    StepLoss result{{}, {{"absolute_error", error.item<double>()}, {"kl", kl.item<double>()}}};
    if (options.perceptual_weight > 0) {
      const auto distance = perceptual_distance(perceptual, rebuilt, images).mean();
      error = error + options.perceptual_weight * distance;
      result.values.emplace_back("perceptual", distance.item<double>());
    }
    result.loss = error + options.kl_weight * kl;
    if (discriminator && batch.step >= options.adversarial_start) {
      const auto term =
          adversarial_term(discriminator, images, rebuilt, error, model->decoder->conv_out->weight,
                           options.adversarial_weight);
      result.loss = result.loss + term.loss;
      result.values.insert(result.values.end(), {{"adversarial", term.generator},
                                                 {"adversarial_weight", term.weight},
                                                 {"discriminator", term.discriminator}});
    }
    return result;
  };
  const auto preview = preview_writer(context, name, [&] {  // two rows: original, rebuilt
    const auto originals = training.images.slice(0, 0, 8);
    const auto plain = whitening ? absorbed(model, *whitening) : model;
    const auto rebuilt = decode_latents(plain, encode_latents(plain, originals));
    return detail::sheet(at::cat({originals, rebuilt}), originals.size(0));
  });
  auto outcome =
      train(*owner, parameter_groups(*owner, {.weight_decay = options.training.weight_decay}),
            sampler, step,
            train_options(
                options.training, context, name,
                stage_configuration("autoencoder", options_to_json(options), sampler, training)),
            {.preview = preview});
  if (result) *result = std::move(outcome);
  if (whitening) absorb(model, *whitening);
  model->options.scaling_factor = 1.0;
  model->options.scaling_factor = latent_scale(encode_latents(model, training.images));
  return model;
}

at::Tensor encode_latents(KLVAE autoencoder, const at::Tensor& images) {
  autoencoder->eval();
  std::vector<at::Tensor> latents;
  const auto size = at_a_time(images.size(2), images.size(3));
  in_batches(images.size(0), size, [&](std::int64_t first, std::int64_t last) {
    const auto x = to_signed(unit(images.slice(0, first, last).to(device_of(autoencoder))));
    latents.push_back(autoencoder->scale(autoencoder->encode(x).mean).cpu());
  });
  return at::cat(latents);
}

at::Tensor decode_latents(KLVAE autoencoder, const at::Tensor& latents) {
  autoencoder->eval();
  std::vector<at::Tensor> images;
  const auto factor = autoencoder->options.factor();
  const auto size = at_a_time(latents.size(2) * factor, latents.size(3) * factor);
  in_batches(latents.size(0), size, [&](std::int64_t first, std::int64_t last) {
    const auto z = latents.slice(0, first, last).to(device_of(autoencoder));
    images.push_back(bytes((autoencoder->decode(autoencoder->unscale(z)) + 1) / 2));
  });
  return at::cat(images);
}

double psnr(const at::Tensor& a, const at::Tensor& b) {
  check_argument(a.sizes() == b.sizes() && a.numel() > 0,
                 "[psnr] expected images of one shape, got ", shape_text(a), " and ",
                 shape_text(b));
  const double error = (unit(a) - unit(b)).square().mean(at::kDouble).item<double>();
  return error > 0 ? -10 * std::log10(error) : std::numeric_limits<double>::infinity();
}

at::Tensor bicubic_down_up(const at::Tensor& images, std::int64_t factor) {
  const auto h = images.size(2), w = images.size(3);
  check_argument(factor > 0 && h / factor > 0 && w / factor > 0,
                 "[bicubic] expected images larger than ", factor, " pixels, got ",
                 shape_text(images));
  const auto small = at::_upsample_bicubic2d_aa(unit(images), {h / factor, w / factor}, false);
  return bytes(at::_upsample_bicubic2d_aa(small, {h, w}, false));
}

}  // namespace dermis
