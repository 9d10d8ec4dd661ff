#include "dermis/train/depth_classifier.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "dermis/core/interrupt.hpp"
#include "folder.hpp"
#include "stripes.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

const ViTOptions tokens = [] {
  auto model = small;
  model.mean_pooling = false;
  return model;
}();

DepthClassifierOptions options(const DepthLossOptions& loss, std::int64_t count) {
  return {.model = tokens, .loss = loss, .training = steps(count)};
}

at::Tensor logits_of(const DepthClassifier& classifier, const PixelSet& set) {
  return predict_depth_logits(classifier, set.images);
}

/// A run of one step, then the rest, beside one that was not stopped.
template <class Train>
void check_resumes(Train train) {
  const ScratchFolder scratch;
  auto context = quiet(scratch / "stopped");
  {
    const InterruptGuard guard;
    std::raise(SIGINT);  // asked for before the first step, answered after it
    CHECK_THROWS_AS(train(context), Interrupted);
    InterruptGuard::clear();
  }
  context.resume = true;
  const auto resumed = train(context);
  CHECK(at::equal(resumed, train(quiet(scratch / "whole"))));
  CHECK(at::equal(resumed, train(context)));  // finished: loaded
}

}  // namespace

TEST_CASE("depth classifier: the agreement grows by whole steps; as published it never begins") {
  // 20,264 images, batches of 64, 9,001 steps, 12 levels: 5 passes are 1583.125 steps.
  const double warmup = 5 * 20264.0 / 64;
  const auto levels = [&](AgreementGrowth growth, std::int64_t step) {
    return agreeing_levels(growth, step, warmup, 9001, 12);
  };
  CHECK(levels(AgreementGrowth::Steps, 1582) == 0);
  CHECK(levels(AgreementGrowth::Steps, 1583) == 1);
  CHECK(levels(AgreementGrowth::Steps, 1583 + 749) == 1);
  CHECK(levels(AgreementGrowth::Steps, 1583 + 750) == 2);
  CHECK(levels(AgreementGrowth::Steps, 9000) == 10);
  CHECK(agreeing_levels(AgreementGrowth::Steps, 20'000, warmup, 9001, 12) == 11);  // no further
  bool ever = false;
  for (std::int64_t step = 0; step < 9001; ++step)
    ever = ever || levels(AgreementGrowth::Published, step) > 0;
  CHECK_FALSE(ever);
  CHECK(agreeing_levels(AgreementGrowth::Published, 1583, 1583, 9001, 12) == 1);  // whole by chance
  CHECK(levels(AgreementGrowth::All, 0) == 11);
  CHECK_THROWS_WITH(agreeing_levels(AgreementGrowth::All, -1, 0, 1, 1), Contains("at least 0"));
  AgreementGrowth growth{};
  CHECK_THROWS_WITH(from_name(growth, "never"), Contains("steps, published or all, got never"));
}

TEST_CASE("depth classifier: FCViT learns at every depth and survives its file") {
  const auto training = striped(64, 1), test = striped(40, 2);
  TrainResult result;
  auto classifier =
      train_depth_classifier(training, measure_normalization(training), options(fcvit_loss(), 60),
                             quiet(), "fcvit", {}, &result);
  CHECK(result.image_passes == 60 * 16);
  const auto logits = logits_of(classifier, test);
  REQUIRE(logits.sizes() == at::IntArrayRef({2, 40, 2}));
  calibrate(classifier, striped(40, 3));
  REQUIRE(classifier.temperatures.size() == 2);
  for (const auto& probabilities : probabilities_by_depth(classifier, test.images))
    CHECK(evaluate(probabilities, test).balanced_accuracy.lo > 0.6);  // chance is 0.5

  const ScratchFolder scratch;
  save_depth_classifier(scratch / "fcvit.safetensors", classifier);
  const auto loaded = load_depth_classifier(scratch / "fcvit.safetensors");
  CHECK(at::equal(logits_of(loaded, test), logits));
  CHECK(loaded.temperatures == classifier.temperatures);
  CHECK(loaded.classes == training.classes);
  CHECK_THROWS_WITH(load_classifier(scratch / "fcvit.safetensors"),
                    Contains("expected architecture vit, got depth_vit"));

  for (std::int64_t depth = 1; depth <= 2; ++depth) {  // each depth as a classifier of its own
    const auto cut = classifier_at(classifier, depth);
    CHECK(cut.model.ptr()->options.depth == depth);
    CHECK(at::allclose(predict_logits(cut, test.images), logits[depth - 1], 1e-5, 1e-6));
  }
  CHECK_THROWS_WITH(classifier_at(classifier, 3), Contains("1 .. 2, got 3"));
}

TEST_CASE("depth classifier: FCViTProbs agrees where the schedule lets it, not as published") {
  const auto training = striped(40, 1);
  const auto run = [&](AgreementGrowth growth, double passes) {
    auto loss = fcvit_probs_loss(growth);
    loss.warmup_passes = passes;  // of 40 images in batches of 16: 2.5 steps each
    TrainResult result;
    const auto classifier =
        train_depth_classifier(training, {}, options(loss, 6), quiet(), "probs", {}, &result);
    double levels = 0;
    for (const auto& point : result.curve)
      for (const auto& [name, value] : point.values)
        if (name == "levels") levels = std::max(levels, value);
    return std::pair(levels, logits_of(classifier, training));
  };
  const auto published = run(AgreementGrowth::Published, 1), fixed = run(AgreementGrowth::Steps, 1);
  CHECK(published.first == 0);
  CHECK(fixed.first == 1);
  CHECK_FALSE(at::equal(published.second, fixed.second));
  // Before anything agrees the two are one, to the bit.
  CHECK(
      at::equal(run(AgreementGrowth::Published, 3).second, run(AgreementGrowth::Steps, 3).second));

  auto sized = tokens;
  sized.image_size = 16;
  sized.num_classes = 2;
  const DepthViT model(sized, DepthHeadUse::Last);
  const DepthClassifier shared{.model = model, .normalization = {}, .classes = training.classes};
  CHECK(at::allclose(predict_logits(classifier_at(shared, 1), training.images),
                     logits_of(shared, training)[0], 1e-5, 1e-6));
}

TEST_CASE("depth classifier: the combination starts as its teacher and learns from it") {
  const auto training = striped(64, 1), test = striped(40, 2);
  const auto teacher = train_classifier(training, measure_normalization(training),
                                        {.model = tokens, .training = steps(40)}, quiet(), "t");
  const auto before = predict_logits(teacher, test.images);
  const auto start = [&](std::int64_t count, DepthLossOptions loss) {
    return train_depth_classifier(training, teacher.normalization, options(loss, count), quiet(),
                                  "combined", {.initial = &teacher, .teacher = &teacher});
  };
  auto still = options(combined_depth_loss(), 1);
  still.training.warmup_steps = 1;  // the first step's learning rate is 0
  still.training.weight_decay = 0;
  const auto begun = train_depth_classifier(training, teacher.normalization, still, quiet(), "c",
                                            {.initial = &teacher, .teacher = &teacher});
  CHECK(at::equal(logits_of(begun, test)[1], before));
  const auto head = [&](std::size_t i) {
    return begun.model.ptr()->heads[i]->as<LinearImpl>()->weight;
  };
  CHECK(at::equal(head(0), head(1)));

  const auto trained = start(30, combined_depth_loss());
  CHECK(evaluate(classifier_at(trained, 1), test).balanced_accuracy.lo > 0.6);
  CHECK(at::equal(predict_logits(teacher, test.images), before));

  // Each part of the loss reaches the weights.
  for (auto off : {0, 1, 2}) {
    auto loss = combined_depth_loss();
    (off == 0 ? loss.agreement : off == 1 ? loss.terms.kl : loss.terms.cross_entropy) = 0;
    CHECK_FALSE(at::equal(logits_of(start(3, loss), test),
                          logits_of(start(3, combined_depth_loss()), test)));
  }
}

TEST_CASE("depth classifier: stopped and resumed equals uninterrupted, bit for bit") {
  const auto training = striped(40, 1), test = striped(20, 2);
  const auto teacher =
      train_classifier(training, {}, {.model = tokens, .training = steps(3)}, quiet(), "t");
  for (const auto& loss : {fcvit_loss(), fcvit_probs_loss(), combined_depth_loss()}) {
    check_resumes([&](const StageContext& context) {
      return logits_of(train_depth_classifier(training, {}, options(loss, 5), context, "depth",
                                              {.initial = &teacher, .teacher = &teacher}),
                       test);
    });
  }
}

TEST_CASE("depth classifier: kept answers change nothing") {
  const auto training = striped(40, 1), test = striped(20, 2);
  const auto teacher =
      train_classifier(training, {}, {.model = tokens, .training = steps(3)}, quiet(), "t");
  const ScratchFolder scratch;
  auto keeping = quiet();
  keeping.cache = scratch.path();
  auto choice = options(combined_depth_loss(), 5);
  choice.views = "shared";
  const auto run = [&](const StageContext& context, const std::string& name) {
    return logits_of(train_depth_classifier(training, {}, choice, context, name,
                                            {.initial = &teacher, .teacher = &teacher}),
                     test);
  };
  const auto asked = run(quiet(), "a");
  CHECK(at::equal(run(keeping, "b"), asked));
  CHECK_FALSE(std::filesystem::is_empty(scratch.path()));
  CHECK(at::equal(run(keeping, "c"), asked));
}

TEST_CASE("depth classifier: what cannot be is one clear error") {
  const auto training = striped(16, 1);
  const auto run = [&](const DepthLossOptions& loss, const DepthStart& start = {}) {
    train_depth_classifier(training, {}, options(loss, 1), quiet(), "d", start);
  };
  CHECK_THROWS_WITH(run(combined_depth_loss()), Contains("expected a teacher"));
  auto loss = fcvit_loss();
  loss.terms.hidden_cosine = 1;
  CHECK_THROWS_WITH(run(loss), Contains("hidden_cosine 0"));
  loss = fcvit_loss();
  loss.terms.cross_entropy = 0;
  CHECK_THROWS_WITH(run(loss), Contains("at least one term"));
  const Classifier other{.model = nullptr, .normalization = {}, .classes = {"a", "b"}};
  CHECK_THROWS_WITH(run(fcvit_loss(), {.initial = &other}), Contains("the data's classes"));
  CHECK_THROWS_WITH(predict_depth_logits({}, training.images), Contains("expected a model"));
}
