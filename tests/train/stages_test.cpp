#include <torch/types.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>

#include "dermis/train/baselines.hpp"
#include "dermis/train/distillation.hpp"
#include "dermis/train/generator.hpp"
#include "dermis/train/masked.hpp"
#include "dermis/train/recipe.hpp"
#include "stripes.hpp"

using namespace dermis;
using namespace dermis::test;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / ("dermis_stages_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

Generator tiny_generator(const PixelSet& training, Objective objective) {
  const auto autoencoder =
      train_autoencoder(training,
                        {.model = {.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4},
                         .training = steps(20)},
                        quiet());
  GeneratorOptions options{.model = {.channels = {16, 16},
                                     .layers_per_block = 1,
                                     .attention = {0, 0},
                                     .head_dim = 8,
                                     .norm_groups = 4},
                           .training = steps(120),
                           .objective = objective,
                           .sampling_steps = 3};
  return train_generator(training, autoencoder, options, quiet());
}

}  // namespace

TEST_CASE(
    "classifier: learns what can be told apart, beats chance on new images, survives its file") {
  const auto training = striped(64, 1), test = striped(40, 2);
  TrainResult result;
  const auto classifier =
      train_classifier(training, measure_normalization(training),
                       {.model = small, .training = steps(40)}, quiet(), "classifier", &result);
  CHECK(result.image_passes == 40 * 16);
  const auto evaluation = evaluate(classifier, test);
  CHECK(evaluation.balanced_accuracy.lo > 0.6);  // chance is 0.5
  CHECK(evaluation.balanced_accuracy.lo <= evaluation.balanced_accuracy.mean);

  const Folder folder;
  save_classifier(folder.path / "c.safetensors", classifier);
  const auto loaded = load_classifier(folder.path / "c.safetensors");
  CHECK(loaded.classes == training.classes);
  CHECK(at::equal(predict_logits(loaded, test.images), predict_logits(classifier, test.images)));
  CHECK_THROWS_WITH(load_mae(folder.path / "c.safetensors"),
                    Catch::Contains("expected architecture mae, got vit"));
  CHECK(encoder_features(classifier, test.images).cols() == 32);
}

TEST_CASE("classifier: one seed gives one network, another seed another") {
  const auto training = striped(32, 1);
  const auto train_with = [&](std::uint64_t seed) {
    auto context = quiet();
    context.seed = seed;
    return predict_logits(
        train_classifier(training, {}, {.model = small, .training = steps(3)}, context, "c"),
        training.images);
  };
  const auto first = train_with(1);
  CHECK(at::equal(first, train_with(1)));
  CHECK_FALSE(at::equal(first, train_with(2)));
}

TEST_CASE(
    "masked pre-training: the error of hidden patches falls below filling with the mean; pictures "
    "copy what is visible") {
  // A horizontal ramp: what is hidden follows from what is visible.
  auto training = striped(48, 3);
  training.images.copy_(
      (torch::arange(16, torch::kFloat) * 15).expand({48, 3, 16, 16}).to(torch::kByte));
  const MAEOptions model{.encoder = small,
                         .decoder_dim = 32,
                         .decoder_depth = 1,
                         .decoder_heads = 2,
                         .norm_pix_loss = false};
  const auto mae =
      pretrain(training, measure_normalization(training),
               {.model = model, .training = steps(60), .augment = no_augmentation()}, quiet());
  const auto error = masked_error(mae, training.images, 5);
  CHECK(error.mean_fill > 0);
  CHECK(error.reduction() > 0.3);
  const auto again = masked_error(mae, training.images, 5);
  CHECK(error.model == again.model);
  const auto pictures = masked_pictures(mae, training.images.slice(0, 0, 2), 5);
  const auto hidden = (pictures.masked - pictures.original).abs() > 1e-3;
  CHECK(hidden.to(torch::kFloat).mean().item<double>() > 0.5);
  const auto visible_error =
      ((pictures.reconstructed - pictures.original).abs() * hidden.logical_not())
          .max()
          .item<double>();
  CHECK(visible_error < 0.04);  // a grey value that happens to equal the mask's counts as visible
}

TEST_CASE("generator: a drawn image depends on seed, class and number alone; files bring it back") {
  const auto training = striped(32, 4);
  for (const auto objective : {Objective::Velocity, Objective::Epsilon, Objective::Flow}) {
    const auto generator = tiny_generator(training, objective);
    const auto both = generator.sample({0, 1}, {5, 7}, 9);
    CHECK(both.sizes() == at::IntArrayRef({2, 3, 16, 16}));
    const auto alone = generator.sample({1}, {7}, 9);
    CHECK((both[1].to(torch::kInt) - alone[0].to(torch::kInt)).abs().max().item<int>() <=
          1);  // batch sizes may round differently
    CHECK_FALSE(at::equal(generator.sample({1}, {8}, 9), alone));
    CHECK_FALSE(at::equal(generator.sample({1}, {7}, 10), alone));

    const Folder folder;
    save_generator(folder.path, generator);
    const auto loaded = load_generator(folder.path);
    CHECK(at::equal(loaded.sample({1}, {7}, 9), alone));
    CHECK(loaded.lineage == lineage_of(training));
    CHECK(loaded.autoencoder.ptr()->options.scaling_factor ==
          generator.autoencoder.ptr()->options.scaling_factor);
  }
}

TEST_CASE(
    "generator: latents come out with unit variance, and denoising is compared on the same noise") {
  const auto training = striped(64, 5), held_out = striped(32, 6);
  const auto generator = tiny_generator(training, Objective::Velocity);
  CHECK(encode_latents(generator.autoencoder, training.images).std().item<double>() ==
        Approx(1).epsilon(1e-3));
  const auto a = compare_denoising(generator, training, held_out, 1, 4),
             b = compare_denoising(generator, training, held_out, 1, 4);
  CHECK(a.model == b.model);
  CHECK(a.linear > 0);
  CHECK(a.shuffled_minus_model.mean == Approx(a.shuffled - a.model).margin(1e-9));
  CHECK(a.linear_minus_model.mean == Approx(a.linear - a.model).margin(1e-9));
}

TEST_CASE("sampler: synthetic images have the same share in every class that has both") {
  auto set = striped(60, 1);  // 30 of either class
  for (std::size_t i = 0; i < set.samples.size(); ++i)
    set.samples[i].synthetic = i % 2 == 0 ? i < 8 : i < 40;  // 4 and 20 synthetic
  const auto sampler = stage_sampler(set, true, quiet(), "s", 0.75);
  std::array<std::array<double, 2>, 2> drawn{};
  for (std::int64_t step = 0; step < 200; ++step) {
    for (const auto& draw : sampler.batch(step, 32)) {
      const auto& sample = set.samples[static_cast<std::size_t>(draw.index)];
      drawn[static_cast<std::size_t>(sample.label)][sample.synthetic] += 1.0 / 6400;
    }
  }
  for (const auto& [real, synthetic] : drawn) {
    CHECK(real + synthetic == Approx(0.5).margin(0.03));
    CHECK(real / (real + synthetic) == Approx(0.75).margin(0.03));
  }
  for (const bool balanced : {true, false})
    CHECK_THROWS_WITH(stage_sampler(set, balanced, quiet(), "s", 1.5),
                      Catch::Contains("real_share"));
}

TEST_CASE("distillation: a smaller student learns from the teacher; the teacher stays as it was") {
  const auto training = striped(64, 1), test = striped(40, 2);
  const auto teacher = train_classifier(training, measure_normalization(training),
                                        {.model = small, .training = steps(40)}, quiet(), "t");
  const auto before = predict_logits(teacher, test.images);
  const ViTOptions smaller{
      .patch_size = 8, .dim = 16, .depth = 1, .heads = 2, .mean_pooling = true};
  const auto student = distill(
      teacher, training, {.model = smaller, .loss = dermae_loss(), .training = steps(80)}, quiet());
  CHECK(at::equal(predict_logits(teacher, test.images), before));
  CHECK(evaluate(student, test).balanced_accuracy.lo > 0.6);
  const auto half = distill(teacher, training,
                            {.layers = {0}, .loss = skindistilvit_loss(), .training = steps(20)},
                            quiet(), "half");
  CHECK(half.model.ptr()->options.depth == 1);
  CHECK(half.model.ptr()->options.dim == 32);
}

TEST_CASE("baselines: thumbnails tell stripes, sizes tell nothing when all are equal") {
  const auto training = striped(64, 1), validation = striped(32, 2), test = striped(40, 3);
  const auto baselines = trivial_baselines(training, validation, test);
  REQUIRE(baselines.size() == 3);
  CHECK(baselines[0].name == "thumbnail_16");
  CHECK(baselines[0].evaluation.balanced_accuracy.mean > 0.8);
  CHECK(baselines[2].name == "image_size");
  CHECK(baselines[2].evaluation.balanced_accuracy.mean == 0.5);
  auto sized = training;
  for (auto& sample : sized.samples) sample.original_width = sample.label == 0 ? 600 : 1024;
  auto sized_test = test;
  for (auto& sample : sized_test.samples) sample.original_width = sample.label == 0 ? 600 : 1024;
  const auto with_size = trivial_baselines(sized, sized_test, sized_test);
  REQUIRE(with_size.size() == 3);
  CHECK(with_size[2].evaluation.balanced_accuracy.mean == 1);
  CHECK(colour_features(training).rowwise().sum().isApproxToConstant(3, 1e-4));
}

TEST_CASE("pictures: psnr of known errors; bicubic down and up keeps a constant") {
  const auto a = torch::full({1, 3, 16, 16}, 100, torch::kByte),
             b = torch::full({1, 3, 16, 16}, 151, torch::kByte);
  CHECK(psnr(a, b) == Approx(-20 * std::log10(51.0 / 255)));
  CHECK(std::isinf(psnr(a, a)));
  CHECK(at::equal(bicubic_down_up(a, 8), a));
  CHECK_THROWS_WITH(bicubic_down_up(a, 32), Catch::Contains("[bicubic]"));
}

TEST_CASE("recipe: presets are valid, sizes that do not divide and unknown names are not") {
  for (const auto* preset : {"demo", "study", "paper"}) {
    auto recipe = dermae_recipe(preset);
    CHECK_NOTHROW(validate(recipe));
    DermaeRecipe read;
    options_from_json(read, options_to_json(recipe), "test");
    CHECK(options_to_json(read) == options_to_json(recipe));
  }
  CHECK_THROWS_WITH(dermae_recipe("quick"), Catch::Contains("got quick"));
  auto recipe = dermae_recipe("demo");
  set_image_size(recipe, 60);
  CHECK_THROWS_WITH(validate(recipe), Catch::Contains("patch_size"));
  const auto stages = plan(dermae_recipe("paper"), 7);
  CHECK(stages.size() == 5);
  CHECK(stages[3].parameters > 630'000'000);
}
