#include "dermis/train/autoencoder.hpp"

#include <limits>

#include "dermis/io/contact_sheet.hpp"
#include "dermis/io/tensors.hpp"

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
}  // namespace

KLVAE train_autoencoder(const PixelSet& training, const AutoencoderOptions& options,
                        const StageContext& context, const std::string& name, TrainResult* result) {
  KLVAE model(options.model, first_weights(context, name));
  model->to(context.device);
  const auto sampler = stage_sampler(training, /*class_balanced=*/false, context, name);
  const auto step = [&](const Batch& batch) -> StepLoss {
    const auto images = to_signed(augmented(training, batch, options.augment, context.seed,
                                            "augment/" + name, context.device));
    const auto posterior = model->encode(images);
    const auto noise = torch::randn(posterior.mean.sizes(), batch.generator).to(context.device);
    const auto rebuilt = model->decode(posterior.sample(noise));
    const auto error = at::l1_loss(rebuilt, images);
    const auto kl = posterior.kl().sum() / static_cast<double>(images.numel());
    return {error + options.kl_weight * kl,
            {{"absolute_error", error.item<double>()}, {"kl", kl.item<double>()}}};
  };
  const auto preview = preview_writer(context, name, [&] {  // two rows: original, rebuilt
    const auto originals = training.images.slice(0, 0, 8);
    std::vector<Image> images;
    for (const auto& row : {originals, decode_latents(model, encode_latents(model, originals))})
      for (const auto& image : row.unbind()) images.push_back(to_image(image));
    return grid(images, originals.size(0));
  });
  auto outcome =
      train(*model, parameter_groups(*model, {.weight_decay = options.training.weight_decay}),
            sampler, step,
            train_options(
                options.training, context, name,
                stage_configuration("autoencoder", options_to_json(options), sampler, training)),
            {.preview = preview});
  if (result) *result = std::move(outcome);
  model->options.scaling_factor = 1.0;
  model->options.scaling_factor = latent_scale(encode_latents(model, training.images));
  return model;
}

at::Tensor encode_latents(KLVAE autoencoder, const at::Tensor& images) {
  autoencoder->eval();
  std::vector<at::Tensor> latents;
  in_batches(images.size(0), 64, [&](std::int64_t first, std::int64_t last) {
    const auto x = to_signed(unit(images.slice(0, first, last).to(device_of(autoencoder))));
    latents.push_back(autoencoder->scale(autoencoder->encode(x).mean).cpu());
  });
  return at::cat(latents);
}

at::Tensor decode_latents(KLVAE autoencoder, const at::Tensor& latents) {
  autoencoder->eval();
  std::vector<at::Tensor> images;
  in_batches(latents.size(0), 64, [&](std::int64_t first, std::int64_t last) {
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

void save_autoencoder(const std::filesystem::path& path, const KLVAE& autoencoder) {
  save_model(path, *autoencoder, "kl_vae", options_to_json(autoencoder->options), Json::object());
}

KLVAE load_autoencoder(const std::filesystem::path& path, at::Device device) {
  const auto file = read_model_file(path, "kl_vae");
  KLVAEOptions options;
  options_from_json(options, file.options, path.string());
  KLVAE model(options, ParameterOptions{.init = false});
  load_state_dict(*model, file.tensors, path.string());
  model->to(device);
  model->eval();
  return model;
}

}  // namespace dermis
