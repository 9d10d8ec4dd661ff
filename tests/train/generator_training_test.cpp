#include "dermis/io/contact_sheet.hpp"
#include "dermis/io/image.hpp"
#include "folder.hpp"
#include "tiny_generator.hpp"

using namespace dermis;
using namespace dermis::test;

namespace {

/// The loss of the first step, in which the network answers zero: the mean of weight x target^2.
double first_loss(const std::function<void(GeneratorOptions&)>& change) {
  const auto training = striped(64, 1);
  auto options = tiny_generator_options(1);
  options.training.batch_size = 512;
  options.training.warmup_steps = 0;
  change(options);
  TrainResult result;
  train_generator(training, random_autoencoder(training), options, quiet(), "g", &result);
  return result.curve.front().loss;
}

/// A constant learning rate: how long a run is does not change its steps.
GeneratorOptions constant_rate(std::int64_t count, double rate) {
  auto options = tiny_generator_options(count);
  options.training.learning_rate = options.training.minimum_learning_rate = rate;
  options.training.warmup_steps = 0;
  return options;
}

}  // namespace

TEST_CASE("generator training: learns its classes by either conditioning") {
  const auto training = striped(64, 1), held_out = striped(48, 2);
  const auto autoencoder = random_autoencoder(training);
  for (const auto conditioning : {Conditioning::Added, Conditioning::CrossAttention}) {
    auto options = tiny_generator_options(120);
    options.training.learning_rate = 4e-3;
    options.conditioning = conditioning;
    const auto generator = train_generator(training, autoencoder, options, quiet());
    CHECK(generator.unet.ptr()->class_embedder.is_empty() == (conditioning == Conditioning::Added));
    CHECK(generator.options.model.cross_attention_dim ==
          (conditioning == Conditioning::Added ? 0 : 64));
    const auto comparison = compare_denoising(generator, training, held_out, 1, 8);
    INFO(name(conditioning) << ": model " << comparison.model << ", shuffled "
                            << comparison.shuffled << ", linear " << comparison.linear);
    CHECK(comparison.model < 0.7);  // 1: nothing learned
    CHECK(comparison.shuffled_minus_model.lo > 0);

    const ScratchFolder folder;
    save_generator(folder.path(), generator);
    const auto loaded = load_generator(folder.path());
    CHECK(torch::equal(loaded.sample({1}, {7}, 9), generator.sample({1}, {7}, 9)));
  }
}

TEST_CASE("generator training: weights and densities of the loss are those asked for") {
  // Means of weights over all steps, by numpy; the target has unit variance for epsilon.
  const auto epsilon = [](double gamma) {
    return first_loss([&](auto& o) {
      o.objective = Objective::Epsilon;
      o.min_snr_gamma = gamma;
    });
  };
  CHECK(epsilon(0) == Approx(1).margin(0.02));
  CHECK(epsilon(1) == Approx(0.6421).margin(0.05));
  CHECK(epsilon(5) == Approx(0.8240).margin(0.05));
  // A flow's target has the same variance at all times: the ratio to the plain loss is the mean
  // weight under the density.
  const auto flow = [](TimeDensity density, FlowWeighting weighting) {
    return first_loss([&](auto& o) {
      o.objective = Objective::Flow;
      o.flow.density = density;
      o.flow_weighting = weighting;
    });
  };
  const double plain = flow(TimeDensity::Uniform, FlowWeighting::None);
  CHECK(flow(TimeDensity::Uniform, FlowWeighting::CosMap) / plain == Approx(1).margin(0.03));
  CHECK(flow(TimeDensity::LogitNormal, FlowWeighting::CosMap) / plain ==
        Approx(1.1085).margin(0.03));
}

TEST_CASE("generator training: averaged weights are what is drawn from, shown and saved") {
  const auto training = striped(16, 1);
  const auto autoencoder = random_autoencoder(training);
  const auto train_for = [&](std::int64_t count, double ema_decay, const StageContext& context) {
    auto options = constant_rate(count, 5e-3);
    options.training.ema_decay = ema_decay;
    options.training.previews = 1;
    return train_generator(training, autoencoder, options, context);
  };
  const ScratchFolder folder;
  const auto averaged = train_for(3, 0.2, quiet(folder.path()));
  // By hand from runs without averaging: w <- d w + (1 - d) p, d = min(0.2, (1 + n) / (10 + n)).
  auto expected = state_dict(*UNet(averaged.options.model, first_weights(quiet(), "generator")));
  for (std::int64_t n = 1; n <= 3; ++n) {
    const auto plain = state_dict(*train_for(n, 0, quiet()).unet);
    const double d = n == 1 ? 2.0 / 11 : 0.2;
    for (std::size_t i = 0; i < plain.size(); ++i)
      expected[i].second = d * expected[i].second + (1 - d) * plain[i].second;
  }
  const auto held = state_dict(*averaged.unet);
  const auto last = state_dict(*train_for(3, 0, quiet()).unet);
  double furthest = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    CHECK(difference(held[i].second, expected[i].second) < 1e-6);
    furthest = std::max(furthest, difference(held[i].second, last[i].second));
  }
  CHECK(furthest > 1e-3);

  save_generator(folder.path(), averaged);
  const auto saved = state_dict(*load_generator(folder.path()).unet);
  for (std::size_t i = 0; i < held.size(); ++i)
    CHECK(torch::equal(saved[i].second, held[i].second));

  std::vector<Image> images;
  for (const auto& image :
       averaged.sample({0, 0, 0, 0, 1, 1, 1, 1}, {0, 1, 2, 3, 0, 1, 2, 3}, 1).unbind())
    images.push_back(to_image(image));
  const auto shown = read_image(folder / "generator/samples/step_000003.png");
  CHECK(torch::equal(to_tensor(shown), to_tensor(grid(images, 4))));
}

TEST_CASE("generator training: the pictures on the way start from the same noise each time") {
  const auto training = striped(16, 1);
  const auto autoencoder = random_autoencoder(training);
  const auto pictures = [&](std::uint64_t seed) {
    const ScratchFolder folder;
    auto options = constant_rate(4, 1e-30);  // the network stays as it is
    options.training.previews = 2;
    auto context = quiet(folder.path());
    context.seed = seed;
    train_generator(training, autoencoder, options, context, "g");
    return std::pair(to_tensor(read_image(folder / "g/samples/step_000002.png")),
                     to_tensor(read_image(folder / "g/samples/step_000004.png")));
  };
  const auto [first, second] = pictures(1);
  CHECK(torch::equal(first, second));
  CHECK_FALSE(torch::equal(first, pictures(2).first));
}

TEST_CASE("generator training: bfloat16 trains weights of full precision") {
  const auto training = striped(16, 1);
  const auto autoencoder = random_autoencoder(training);
  const auto trained = [&](bool bf16) {
    auto context = quiet();
    context.bf16 = bf16;
    return train_generator(training, autoencoder, constant_rate(3, 1e-3), context);
  };
  const auto generator = trained(true);
  bool rounded = true;  // as if every weight had been stored as bfloat16
  for (const auto& p : generator.unet.ptr()->parameters()) {
    CHECK(p.scalar_type() == torch::kFloat);
    rounded = rounded && torch::equal(p, p.to(torch::kBFloat16).to(torch::kFloat));
  }
  CHECK_FALSE(rounded);
  CHECK_FALSE(torch::equal(generator.unet.ptr()->conv_in->weight,
                           trained(false).unet.ptr()->conv_in->weight));  // it was bfloat16
}

TEST_CASE("generator training: checkpointed activations train the same weights") {
  const auto training = striped(16, 1);
  const auto autoencoder = random_autoencoder(training);
  const auto trained = [&](bool checkpoint) {
    auto options = constant_rate(8, 1e-3);
    options.conditioning = Conditioning::CrossAttention;
    options.checkpoint_activations = checkpoint;
    return train_generator(training, autoencoder, options, quiet());
  };
  const auto plain = trained(false), saving = trained(true);
  CHECK(saving.unet.ptr()->checkpoint_activations);
  const auto a = state_dict(*plain.unet), b = state_dict(*saving.unet);
  // On average: Adam's first step for a gradient of rounding errors is as long as for any other.
  double apart = 0, count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    apart += (a[i].second - b[i].second).abs().sum().item<double>();
    count += static_cast<double>(a[i].second.numel());
  }
  CHECK(apart / count < 1e-5);
}
