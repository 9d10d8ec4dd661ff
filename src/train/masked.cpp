#include "dermis/train/masked.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include "dermis/core/random.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/classifier.hpp"
#include "preview.hpp"

namespace dermis {

namespace {

constexpr std::int64_t kPreviewed = 8;  // images in a preview

/// Three rows: original, masked, reconstructed.
Image contact_sheet(const MaskedPictures& pictures) {
  return detail::sheet(at::cat({pictures.original, pictures.masked, pictures.reconstructed}),
                       pictures.original.size(0));
}

}  // namespace

PretrainedMAE pretrain(const PixelSet& training, const Normalization& normalization,
                       PretrainingOptions options, const StageContext& context,
                       const std::string& name, TrainResult* result) {
  options.model.encoder.image_size = training.images.size(2);
  options.model.encoder.num_classes = 0;
  options.model.encoder.drop_path = 0;
  MAE model(options.model, first_weights(context, name));
  model->to(context.device);
  const auto patches = options.model.encoder.patches();
  const auto sampler = stage_sampler(training, /*class_balanced=*/false, context, name);
  const auto step = [&](const Batch& batch) -> StepLoss {
    const auto images = augmented(training, batch, options.augment, context.seed, "augment/" + name,
                                  context.device);
    const auto noise = torch::rand({images.size(0), patches}, batch.generator).to(context.device);
    return {model->forward(normalization(images), noise).loss, {}};
  };
  const auto preview = preview_writer(context, name, [&] {
    return contact_sheet(masked_pictures({model, normalization},
                                         training.images.slice(0, 0, kPreviewed), context.seed));
  });
  auto outcome =
      train(*model, parameter_groups(*model, {.weight_decay = options.training.weight_decay}),
            sampler, step,
            train_options(options.training, context, name,
                          stage_configuration("mae", options_to_json(options), sampler, training)),
            {.preview = preview});
  if (result) *result = std::move(outcome);
  return {model, normalization};
}

namespace {

struct Filled {
  at::Tensor prediction;  ///< [B, N, p p C], normalised pixels, what the model alone can know
  at::Tensor mean_fill;   ///< [B, N, p p C]
  at::Tensor patches;     ///< [B, N, p p C], the truth
  at::Tensor mask;        ///< [B, N]
};

Filled fill(const PretrainedMAE& mae, const at::Tensor& images, std::uint64_t seed,
            std::int64_t first) {
  torch::NoGradGuard no_grad;
  auto model = mae.model;
  model->eval();
  const auto& encoder = model->options.encoder;
  const auto device = model->cls_token.device();
  const auto x = mae.normalization(images.to(device));
  RandomStream stream(seed, "masked", 0, static_cast<std::uint64_t>(first));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(stream.bits64());
  const auto output =
      model->forward(x, torch::rand({x.size(0), encoder.patches()}, generator).to(device));

  Filled filled;
  filled.patches = patchify(x, encoder.patch_size);
  filled.mask = output.mask;
  const auto b = x.size(0), n = encoder.patches(), channels = encoder.in_channels;
  const auto by_channel = filled.patches.reshape({b, n, -1, channels});  // [B, N, p p, C]
  const auto visible = (1 - output.mask).reshape({b, n, 1, 1});          // [B, N, 1, 1]
  const auto count = visible.sum({1, 2}, true) * by_channel.size(2);
  const auto mean = (by_channel * visible).sum({1, 2}, true) / count;  // [B, 1, 1, C]
  filled.mean_fill = mean.expand_as(by_channel).reshape({b, n, -1});
  filled.prediction = output.prediction;
  if (model->options.norm_pix_loss) {
    const auto spread = (((by_channel - mean).square() * visible).sum({1, 2}, true) / count).sqrt();
    filled.prediction =
        filled.prediction.reshape({b, n, -1, channels}).mul(spread).add(mean).reshape({b, n, -1});
  }
  return filled;
}

}  // namespace

MaskedError masked_error(const PretrainedMAE& mae, const at::Tensor& images, std::uint64_t seed) {
  double model = 0, mean_fill = 0, hidden = 0;
  const auto scale =
      torch::tensor(mae.normalization.std, torch::kDouble).square();  // normalised units -> 0..1
  in_batches(images.size(0), 128, [&](std::int64_t first, std::int64_t last) {
    const auto filled = fill(mae, images.slice(0, first, last), seed, first);
    const auto add = [&](const at::Tensor& guess) {
      const auto error =
          (guess - filled.patches).square().cpu().to(torch::kDouble);  // [B, N, p p C]
      const auto pixels =
          error.reshape({error.size(0), error.size(1), -1, 3}).mul(scale).mean({2, 3});
      return (pixels * filled.mask.cpu()).sum().item<double>();
    };
    model += add(filled.prediction);
    mean_fill += add(filled.mean_fill);
    hidden += filled.mask.sum().item<double>();
  });
  return {model / hidden, mean_fill / hidden};
}

MaskedPictures masked_pictures(const PretrainedMAE& mae, const at::Tensor& images,
                               std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  const auto filled = fill(mae, images, seed, 0);
  const auto patch = mae.model->options.encoder.patch_size;
  const auto hidden = filled.mask.unsqueeze(-1) > 0.5;
  const auto picture = [&](const at::Tensor& patches) {
    return mae.normalization.inverse(unpatchify(patches, patch)).clamp(0, 1).cpu();
  };
  MaskedPictures pictures;
  pictures.original = picture(filled.patches);
  pictures.reconstructed = picture(at::where(hidden, filled.prediction, filled.patches));
  const auto grey = hidden.expand_as(filled.patches).to(torch::kFloat);
  pictures.masked = at::where(unpatchify(grey, patch).cpu() > 0.5, 0.5, pictures.original);
  return pictures;
}

void save_mae(const std::filesystem::path& path, const PretrainedMAE& mae) {
  save_model(path, *mae.model, "mae", options_to_json(mae.model->options),
             Json::object({{"normalization", to_json(mae.normalization)}}));
}

PretrainedMAE load_mae(const std::filesystem::path& path, at::Device device) {
  const auto file = read_model_file(path, "mae");
  MAEOptions options;
  options_from_json(options, file.options, path.string());
  MAE model(options, ParameterOptions{.init = false});
  load_state_dict(*model, file.tensors, path.string());
  model->to(device);
  model->eval();
  return {model, normalization_from_json(file.extra.at("normalization"))};
}

}  // namespace dermis
