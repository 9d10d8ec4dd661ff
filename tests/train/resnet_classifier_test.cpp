// The convolutional control: trained, resumed and stored as the ViT is.

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "dermis/core/interrupt.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/checkpoint.hpp"
#include "dermis/train/predict_function.hpp"
#include "fixtures.hpp"
#include "stripes.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

namespace {

const ResNetOptions shape{.widths = {4, 8}, .depths = {1, 1}, .small_stem = true};

}  // namespace

TEST_CASE("resnet classifier: learns what the ViT learns, by the same options") {
  const auto training = striped(64, 1), test = striped(40, 2);
  TrainResult result;
  const auto classifier = train_resnet(training, measure_normalization(training), shape,
                                       {.training = steps(40)}, quiet(), "resnet", &result);
  CHECK(result.image_passes == 40 * 16);
  CHECK(classifier.model->options.image_size == 16);
  CHECK(classifier.model->options.num_classes == 2);
  CHECK(evaluate(classifier, test).balanced_accuracy.lo > 0.7);
  // As many batches passed through the norms as there were steps.
  CHECK(classifier.model->bn1->num_batches_tracked.item<std::int64_t>() == 40);
  const auto predict = predict_with(classifier);
  CHECK(predict(test.images).isApprox(predict_probabilities(classifier, test.images)));
  CHECK(predict_probabilities(classifier, test.images, 2)
            .isApprox((predict_probabilities(classifier, test.images) +
                       predict_probabilities(classifier, right_angle_view(test.images, 1))) /
                      2));
}

TEST_CASE("resnet classifier: interrupted and resumed equals uninterrupted, buffers too") {
  const ScratchFolder folder;
  const auto training = striped(32, 1);
  const auto normalization = measure_normalization(training);
  auto schedule = steps(12);
  schedule.ema_decay = 0.9;
  const ClassifierOptions options{.training = schedule,
                                  .mixup = {.mixup_alpha = 0.8, .probability = 0.5}};
  const auto train_in = [&](const std::filesystem::path& out, bool resume) {
    auto context = quiet(out);
    context.resume = resume;
    return train_resnet(training, normalization, shape, options, context, "resnet");
  };
  const auto whole = train_in(folder / "whole", false);
  {
    const InterruptGuard guard;
    std::raise(SIGINT);
    CHECK_THROWS_AS(train_in(folder / "parts", false), Interrupted);
    InterruptGuard::clear();
  }
  const auto checkpoint = load_checkpoint(folder / "parts" / "resnet" / "checkpoint");
  REQUIRE(checkpoint.has_value());
  REQUIRE_FALSE(checkpoint->finished);
  const auto resumed = train_in(folder / "parts", true);
  CHECK(equal(state_dict(*resumed.model), state_dict(*whole.model)));
  auto other = shape;
  other.widths = {4, 10};
  auto context = quiet(folder / "parts");
  context.resume = true;
  CHECK_THROWS_WITH(train_resnet(training, normalization, other, options, context, "resnet"),
                    Contains("options.model.widths"));
}

TEST_CASE("resnet classifier: one file holds all of it") {
  const ScratchFolder folder;
  auto training = striped(32, 1);
  training.preprocessing.remove_hair = true;
  const auto saved = train_resnet(training, measure_normalization(training), shape,
                                  {.training = steps(5)}, quiet(), "resnet");
  save_classifier(folder / "resnet.safetensors", saved);
  const auto loaded = load_resnet_classifier(folder / "resnet.safetensors");
  CHECK(equal(state_dict(*loaded.model), state_dict(*saved.model)));
  CHECK(loaded.classes == saved.classes);
  CHECK(loaded.normalization.mean == saved.normalization.mean);
  CHECK(loaded.preprocessing.remove_hair);
  CHECK(at::equal(predict_logits(loaded, training.images), predict_logits(saved, training.images)));
  CHECK_THROWS_WITH(load_classifier(folder / "resnet.safetensors"),
                    Contains("expected architecture vit, got resnet"));
}

TEST_CASE("resnet classifier: the best weights on a validation part are kept") {
  const auto training = striped(32, 1), validation = striped(16, 2);
  auto schedule = steps(12);
  schedule.validations = 3;
  TrainResult result;
  const auto classifier =
      train_resnet(training, measure_normalization(training), shape, {.training = schedule},
                   quiet(), "resnet", &result, &validation);
  double best = -1;
  for (const auto& point : result.curve)
    for (const auto& [name, value] : point.values)
      if (name == "validation") best = std::max(best, value);
  CHECK(evaluate(classifier, validation).balanced_accuracy.mean == Approx(best));
}

TEST_CASE("resnet classifier: what only a ViT has is refused") {
  const auto training = striped(16, 1);
  const auto message = [&](ClassifierOptions options) {
    options.training = steps(1);
    return message_of([&] { train_resnet(training, {}, shape, options, quiet(), "resnet"); });
  };
  CHECK_THAT(message({.layer_decay = 0.7}), Contains("got layer_decay 0.7"));
  CHECK_THAT(message({.checkpoint_activations = true}), Contains("no checkpoint_activations"));
  CHECK_THROWS_WITH(predict_logits(ResNetClassifier{}, training.images), Contains("got none"));
}
