/// \file
/// A generator that was trained on 20 images until it knows them, beside one that was trained on
/// 2,000: does the audit tell them apart?

#include <catch2/catch.hpp>

#include "audit/planted.hpp"
#include "dermis/audit/memorisation.hpp"
#include "dermis/train/generator.hpp"
#include "folder.hpp"

using namespace dermis;
using namespace dermis::test;

namespace {

constexpr std::int64_t kSide = 32, kSteps = 3000, kDrawn = 200;

StageSchedule schedule(std::int64_t steps, std::int64_t batch_size) {
  return {.steps = steps,
          .batch_size = batch_size,
          .learning_rate = 2e-3,
          .warmup_steps = 50,
          .ema_decay = 0.99,
          .previews = 0};
}

StageContext context(const ScratchFolder& folder, const std::string& name, std::uint64_t seed) {
  return {.out = folder / name, .seed = seed, .progress = false};
}

/// Images that `generator` draws, of the classes of its training images.
PixelSet drawn(const Generator& generator, const PixelSet& training, std::uint64_t seed) {
  PixelSet set{.classes = training.classes};
  std::vector<int> labels;
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < kDrawn; ++i) {
    const auto& like = training.samples[static_cast<std::size_t>(i % training.size())];
    labels.push_back(like.label);
    indices.push_back(i);
    set.samples.push_back({.id = text("synthetic_", i), .label = like.label, .synthetic = true});
  }
  set.images = generator.sample(labels, indices, seed);
  set.labels = torch::tensor(std::vector<std::int64_t>(labels.begin(), labels.end()));
  return set;
}

}  // namespace

TEST_CASE("memorisation: a trained generator that knows its 20 images is found", "[.full]") {
  const ScratchFolder folder;
  const auto others = planted_data(100, 2000, 13, kSide);
  const auto autoencoder =
      train_autoencoder(others.training,
                        {.model = {.channels = {16, 32}, .layers_per_block = 1, .norm_groups = 8},
                         .training = schedule(1500, 16)},
                        context(folder, "autoencoder", 0));
  const GeneratorOptions options{.model = {.channels = {32, 64},
                                           .layers_per_block = 1,
                                           .attention = {0, 1},
                                           .norm_groups = 8,
                                           .scale_shift = true},
                                 .training = schedule(kSteps, 20),
                                 .class_balanced = false,
                                 .sampling_steps = 25,
                                 .guidance_scale = 1};
  int found = 0, accused = 0;
  std::string figures;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto data = planted_data(seed, 2000, 25, kSide);
    std::vector<std::int64_t> few(20);
    for (std::size_t i = 0; i < few.size(); ++i) few[i] = static_cast<std::int64_t>(i) * 97;
    for (const bool overfitted : {true, false}) {
      const auto training = overfitted ? data.training.subset(few) : data.training;
      const auto generator =
          train_generator(training, autoencoder, options,
                          context(folder, text(overfitted ? "few" : "many", seed), seed));
      const auto result =
          memorisation_audit(training, data.held_out, drawn(generator, training, seed));
      (overfitted ? found : accused) += result.memorised();
      figures += text(overfitted ? "20 images" : "2,000 images", ", seed ", seed, ": ",
                      result.copies, " copies of ", kDrawn, ", closeness ", result.closeness.mean,
                      " (", result.closeness.lo, " to ", result.closeness.hi, ")\n");
    }
  }
  WARN(figures);
  CHECK(found == 5);
  CHECK(accused == 0);
}
