// The first stage of latent diffusion: its losses, its resumption, published autoencoders.

#include <csignal>

#include <catch2/catch.hpp>

#include "dermis/core/interrupt.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/metrics/generation.hpp"
#include "dermis/metrics/image_similarity.hpp"
#include "dermis/train/autoencoder.hpp"
#include "dermis/train/checkpoint.hpp"
#include "dermis/train/reconstruction.hpp"
#include "dermis/weights/diffusers_vae.hpp"
#include "folder.hpp"
#include "stripes.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;

namespace {

const KLVAEOptions tiny{.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4};

AutoencoderOptions with_adversary(std::int64_t count, std::int64_t start) {
  AutoencoderOptions options{.model = tiny, .training = steps(count)};
  options.training.ema_decay = 0.5;
  options.perceptual_weight = 1;
  options.adversarial_weight = 0.5;
  options.adversarial_start = start;
  options.discriminator = {.channels = 8, .layers = 2};
  return options;
}

PerceptualFeatures small_encoder() {
  const ViTOptions options{.image_size = 16, .patch_size = 4, .dim = 16, .depth = 2, .heads = 2};
  const ViT vit(options, ParameterOptions{.generator = generator(9)});
  return feature_maps({vit.ptr(), options, {}});
}

StateDict discriminator_in(const std::filesystem::path& run) {
  const auto checkpoint = load_checkpoint(run / "autoencoder" / "checkpoint");
  REQUIRE(checkpoint.has_value());
  return without_prefix(checkpoint->tensors, "model.discriminator.");
}

std::string weights_of(const KLVAE& autoencoder) {
  return fingerprint(state_dict(*autoencoder));
}

/// What is logged as `name` at the last log point.
double last(const TrainResult& result, const std::string& name) {
  for (const auto& [key, value] : result.curve.back().values)
    if (key == name) return value;
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

TEST_CASE("first stage: the adaptive weight brings two gradients to one size") {
  // y = w x; |d 3 y / dw| = 3 |x| = 15, |d (-2 y) / dw| = 10 for x = (3, 4).
  const auto w = torch::ones({2}, torch::dtype(torch::kDouble).requires_grad(true));
  const auto y = (w * torch::tensor({3.0, 4.0}, torch::kDouble)).sum();
  const auto weight = adaptive_weight(3 * y, -2 * y, w);
  CHECK(weight.item<double>() == Approx(15 / (10 + 1e-4)));
  CHECK_FALSE(weight.requires_grad());
  CHECK(adaptive_weight(3 * y, 0 * y, w).item<double>() == 1e4);  // 15 / 1e-4, cut off
  CHECK(adaptive_weight(0 * y, y, w).item<double>() == 0);
  (3 * y).backward();  // the graph is still there
  CHECK(w.grad().defined());
}

TEST_CASE("first stage: the discriminator learns from its start on and not before") {
  const auto training = striped(32, 1);
  const ScratchFolder folder;
  const auto features = small_encoder();
  const PatchDiscriminator first(PatchDiscriminatorOptions{.channels = 8, .layers = 2},
                                 first_weights(quiet(), "autoencoder/discriminator"));
  const auto same_as_first = [&](const StateDict& weights) {
    return fingerprint(weights) == fingerprint(state_dict(*first));
  };

  const auto before = train_autoencoder(training, with_adversary(6, 6), quiet(folder / "before"),
                                        "autoencoder", nullptr, features);
  CHECK(same_as_first(discriminator_in(folder / "before")));

  // Until then it is a run without one, to the bit, and such a run's checkpoint has no owner's
  // name.
  auto alone = with_adversary(6, 0);
  alone.adversarial_weight = 0;
  const auto plain =
      train_autoencoder(training, alone, quiet(folder / "plain"), "autoencoder", nullptr, features);
  CHECK(weights_of(plain) == weights_of(before));
  const auto checkpoint = load_checkpoint(folder / "plain" / "autoencoder" / "checkpoint");
  CHECK(fingerprint(without_prefix(checkpoint->tensors, "model.")) == weights_of(plain));

  TrainResult result;
  const auto after = train_autoencoder(training, with_adversary(60, 5), quiet(folder / "after"),
                                       "autoencoder", &result, features);
  CHECK_FALSE(same_as_first(discriminator_in(folder / "after")));
  for (const auto& parameter : after->parameters())
    CHECK(at::isfinite(parameter).all().item<bool>());
  for (const auto& point : result.curve) {
    INFO("step " << point.step);
    CHECK(std::isfinite(point.loss));
    CHECK((point.values.size() == 6) == (point.step > 5));
  }
  CHECK(result.skipped == 0);
  CHECK(last(result, "absolute_error") < result.curve.front().values.front().second);
  CHECK(last(result, "perceptual") > 0);
  CHECK(last(result, "adversarial_weight") > 0);
  // 1 is what indifference costs; it was 5 when the autoencoder's share reached the discriminator.
  CHECK(last(result, "discriminator") < 0.9);
}

TEST_CASE("first stage: interrupted and resumed equals uninterrupted, bit for bit") {
  const auto training = striped(32, 1);
  const ScratchFolder folder;
  const auto features = small_encoder();
  const auto options = with_adversary(10, 3);
  TrainResult straight_result;
  const auto straight = train_autoencoder(training, options, quiet(folder / "straight"),
                                          "autoencoder", &straight_result, features);
  {
    const InterruptGuard guard;
    int calls = 0;  // two a step: reconstruction and original
    const PerceptualFeatures stopping([&](const at::Tensor& images) {
      if (++calls == 12) std::raise(SIGINT);
      return features.maps(images);
    });
    CHECK_THROWS_AS(train_autoencoder(training, options, quiet(folder / "stopped"), "autoencoder",
                                      nullptr, stopping),
                    Interrupted);
    InterruptGuard::clear();
  }
  CHECK(load_checkpoint(folder / "stopped" / "autoencoder" / "checkpoint")->step == 6);
  auto context = quiet(folder / "stopped");
  context.resume = true;
  TrainResult result;
  const auto resumed =
      train_autoencoder(training, options, context, "autoencoder", &result, features);
  CHECK(weights_of(resumed) == weights_of(straight));
  CHECK(fingerprint(discriminator_in(folder / "stopped")) ==
        fingerprint(discriminator_in(folder / "straight")));
  CHECK((result.curve == straight_result.curve));
  CHECK(resumed->options.scaling_factor == straight->options.scaling_factor);

  const auto loaded =
      train_autoencoder(training, options, context, "autoencoder", &result, features);
  CHECK(result.loaded);
  CHECK(weights_of(loaded) == weights_of(straight));
}

TEST_CASE("first stage: options that cannot be are refused") {
  const auto training = striped(4, 1);
  const auto error = [&](auto change) {
    auto options = with_adversary(1, 0);
    options.perceptual_weight = 0;
    change(options);
    return message_of([&] { train_autoencoder(training, options, quiet()); });
  };
  CHECK(error([](auto& o) { o.perceptual_weight = 0.5; }) ==
        "[autoencoder] perceptual_weight 0.5 needs feature maps: pass feature_maps(encoder) or "
        "load_lpips(file) to train_autoencoder, or set it to 0");
  CHECK(error([](auto& o) { o.discriminator.layers = 3; }) ==
        "[autoencoder] expected images of at least 24 pixels for a discriminator of 3 layers, got "
        "16; lower discriminator.layers");
  CHECK(error([](auto& o) { o.kl_weight = -1; }) ==
        "[autoencoder] expected kl_weight of at least 0, got -1");
  CHECK(error([](auto& o) { o.perceptual_weight = -1; }) ==
        "[autoencoder] expected perceptual_weight of at least 0, got -1");
  CHECK(error([](auto& o) { o.adversarial_weight = -1; }) ==
        "[autoencoder] expected adversarial_weight of at least 0, got -1");
  CHECK(error([](auto& o) { o.adversarial_start = -1; }) ==
        "[autoencoder] expected adversarial_start of at least 0, got -1");
  CHECK(error([](auto& o) { o.training.beta1 = 1; }) ==
        "[adamw] expected betas in [0, 1), got 1 and 0.999");
}

TEST_CASE("first stage: a published autoencoder is taken as it is") {
  const ScratchFolder folder;
  auto wide = tiny;
  wide.channels = {32, 32};
  wide.norm_groups = 32;
  wide.scaling_factor = 0.25;
  wide.shift_factor = 0.5;
  const KLVAE vae(wide, ParameterOptions{.generator = generator(1)});
  const auto training = striped(8, 1);
  const auto taken = [&](const std::filesystem::path& path) {
    TrainResult result;
    const auto model = train_autoencoder(training, {.weights = path.string()}, quiet(folder / "o"),
                                         "autoencoder", &result);
    CHECK(result.loaded);
    CHECK(result.steps == 0);
    CHECK(weights_of(model) == weights_of(vae));
    CHECK_FALSE(model->is_training());
    for (const auto& parameter : model->parameters()) CHECK_FALSE(parameter.requires_grad());
    return model;
  };
  save_autoencoder(folder / "own.safetensors", vae);
  CHECK(options_to_json(taken(folder / "own.safetensors")->options) == options_to_json(wide));

  save_diffusers_vae(folder / "vae", vae);
  const auto tensors = folder / "vae" / "diffusion_pytorch_model.safetensors";
  for (const auto& path : {folder / "vae", tensors}) {
    const auto model = taken(path);
    CHECK(model->options.scaling_factor == 0.25);
    CHECK(model->options.shift_factor == 0.5);
  }

  // Tensors alone say nothing of the scale: it is measured, and then latents have unit variance.
  std::filesystem::remove(folder / "vae" / "config.json");
  CHECK(load_autoencoder(tensors)->options.scaling_factor == 1);
  const auto measured = taken(tensors);
  CHECK(measured->options.shift_factor == 0);
  CHECK(encode_latents(measured, training.images).std().item<double>() == Approx(1).epsilon(1e-5));
  CHECK_FALSE(std::filesystem::exists(folder / "o"));  // no run, no files
}

TEST_CASE("first stage: files that are no autoencoder, or none for these images, are named") {
  const ScratchFolder folder;
  auto coarse = tiny;
  coarse.channels = {8, 8, 8};
  const auto path = folder / "own.safetensors";
  save_autoencoder(path, KLVAE(coarse));
  auto training = striped(4, 1);
  training.images = training.images.slice(2, 0, 14).slice(3, 0, 14);
  CHECK(message_of([&] { train_autoencoder(training, {.weights = path.string()}, quiet()); }) ==
        text("[autoencoder] expected images of a side divisible by 4, as ", path.string(),
             " makes one latent of so many pixels, got 14"));

  const auto error = [&](const std::filesystem::path& given) {
    return message_of<std::runtime_error>([&] { load_autoencoder(given); });
  };
  write_tensors(path, {{"blocks.0.attn.qkv.weight", torch::zeros({2})}});
  CHECK(error(path) == text("[autoencoder] ", path.string(),
                            ": expected an autoencoder of dermis, diffusers, CompVis or Black "
                            "Forest Labs; this looks like timm's VisionTransformer"));
  write_tensors(path, {{"weight", torch::zeros({2})}});
  CHECK(error(path) == text("[autoencoder] ", path.string(),
                            ": expected an autoencoder of dermis, diffusers, CompVis or Black "
                            "Forest Labs"));
  save_model(path, *KLVAE(tiny), "vit", Json::object(), Json::object());
  CHECK_THAT(error(path), Catch::Contains("expected architecture kl_vae, got vit"));
  CHECK_THAT(error(folder / "none.safetensors"), Catch::Contains("none.safetensors"));
}

TEST_CASE("first stage: reconstruction quality is that of the decoded images") {
  const KLVAE vae(tiny, ParameterOptions{.generator = generator(1)});
  const auto images = striped(6, 3).images;
  const auto rebuilt = decode_latents(vae, encode_latents(vae, images));
  const ImageFeatures means = [](const at::Tensor& set) {
    const auto values = set.to(torch::kDouble).mean({2, 3}).contiguous();  // [N, 3]
    return Eigen::MatrixXd(Eigen::Map<const Eigen::Matrix<double, -1, -1, Eigen::RowMajor>>(
        values.const_data_ptr<double>(), values.size(0), values.size(1)));
  };
  const auto quality = reconstruction_quality(vae, images, means);
  CHECK(quality.n == 6);
  const auto squared =
      (images.to(torch::kDouble) - rebuilt.to(torch::kDouble)).square().mean({1, 2, 3});
  CHECK(quality.psnr == Approx((10 * torch::log10(255.0 * 255.0 / squared)).mean().item<double>()));
  double similarity = 0;
  for (std::int64_t i = 0; i < 6; ++i)
    similarity += ssim(to_image(images[i]), to_image(rebuilt[i])).mean / 6;
  CHECK(quality.ssim == Approx(similarity));
  REQUIRE(quality.rfid.has_value());
  CHECK(*quality.rfid == Approx(frechet_distance(means(images), means(rebuilt))));
  CHECK(*quality.rfid > 0);
  const auto json = to_json(quality);
  CHECK(json.at("psnr").at("value").get<double>() == quality.psnr);
  CHECK(json.at("rfid").at("n").get<int>() == 6);

  const auto without = reconstruction_quality(vae, images);
  CHECK_FALSE(without.rfid.has_value());
  CHECK(to_json(without).at("rfid").dump() == R"({"value":null,"n":6})");
  CHECK(message_of([&] { reconstruction_quality(vae, images.slice(2, 0, 15)); }) ==
        "[reconstruction] expected uint8 images [N, 3, S, S] with S divisible by 2, got "
        "[6, 3, 15, 16] of unsigned char");
  CHECK_THAT(message_of([&] { reconstruction_quality(vae, images.to(torch::kFloat)); }),
             Catch::Contains("expected uint8 images"));
}
