#include "dermis/train/cascade.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "dermis/core/interrupt.hpp"
#include "folder.hpp"
#include "stripes.hpp"

using namespace dermis;
using namespace dermis::test;
namespace fs = std::filesystem;

namespace {

Classifier teacher_of(const PixelSet& training) {
  auto model = small;
  model.depth = 3;
  return train_classifier(training, {}, {.model = model, .training = steps(4)}, quiet(), "teacher");
}

/// One step whose learning rate is 0: each model stays as it began.
StudentOptions still() {
  auto training = steps(1);
  training.weight_decay = 0;
  return {.loss = skindistilvit_loss(), .training = training};
}

at::Tensor fc1(const Classifier& classifier, std::size_t block) {
  return classifier.model.ptr()->blocks->at<TransformerBlockImpl>(block).mlp->fc1->weight;
}

}  // namespace

TEST_CASE("cascade: order, first weights and teachers of the three ways") {
  using Links = std::vector<CascadeLink>;
  CHECK((cascade_links(3, CascadeTeacher::Down) == Links{{3, 0, 0}, {2, 3, 3}, {1, 2, 2}}));
  CHECK((cascade_links(3, CascadeTeacher::Own) == Links{{3, 0, 0}, {2, 3, 0}, {1, 2, 0}}));
  CHECK((cascade_links(3, CascadeTeacher::Up) == Links{{1, 0, 0}, {2, 0, 1}, {3, 0, 2}}));
  CHECK_THROWS_WITH(cascade_links(0, CascadeTeacher::Up), Catch::Contains("at least 1 block"));
  for (const auto way : {CascadeTeacher::Down, CascadeTeacher::Up, CascadeTeacher::Own}) {
    CascadeTeacher read{};
    from_name(read, name(way));
    CHECK(read == way);
  }
  CascadeTeacher read{};
  CHECK_THROWS_WITH(from_name(read, "left"), Catch::Contains("down, up or own, got left"));
}

TEST_CASE("cascade: a model begins as the first blocks, norm and head of the one above") {
  const auto training = striped(32, 1);
  const auto teacher = teacher_of(training);
  const auto models = train_cascade(teacher, training, still(), CascadeTeacher::Down, quiet());
  REQUIRE(models.size() == 3);
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(models[k].model.ptr()->options.depth == static_cast<std::int64_t>(k + 1));
    for (std::size_t block = 0; block <= k; ++block)
      CHECK(at::equal(fc1(models[k], block), fc1(teacher, block)));
    CHECK(at::equal(models[k].model.ptr()->head->weight, teacher.model.ptr()->head->weight));
  }

  // Trained, the second begins where the first ended: one by one they give the same.
  StudentOptions options{.loss = skindistilvit_loss(), .training = steps(3)};
  const auto trained = train_cascade(teacher, training, options, CascadeTeacher::Down, quiet());
  CHECK_FALSE(at::equal(fc1(trained[2], 0), fc1(teacher, 0)));
  options.views = "cascade";
  options.layers = {0, 1, 2};
  const auto deepest = distill(teacher, training, options, quiet(), "cascade_3");
  options.layers = {0, 1};
  const auto next = distill(deepest, training, options, quiet(), "cascade_2");
  CHECK(at::equal(predict_logits(next, training.images),
                  predict_logits(trained[1], training.images)));

  // With the original teacher at every depth it begins there too, and ends elsewhere.
  const auto own = train_cascade(teacher, training, options, CascadeTeacher::Own, quiet());
  const auto taught = distill(teacher, training, options, quiet(), "cascade_2", nullptr, &own[2]);
  CHECK(
      at::equal(predict_logits(taught, training.images), predict_logits(own[1], training.images)));
  CHECK_FALSE(at::equal(predict_logits(own[1], training.images),
                        predict_logits(trained[1], training.images)));

  // Upwards: the second is taught by the first.
  const auto up = train_cascade(teacher, training, options, CascadeTeacher::Up, quiet());
  const auto second = distill(up[0], training, options, quiet(), "cascade_2", nullptr, &teacher);
  CHECK(at::equal(predict_logits(second, training.images), predict_logits(up[1], training.images)));
}

TEST_CASE("cascade: stopped and resumed equals uninterrupted; what is finished is loaded") {
  const auto training = striped(32, 1);
  const auto teacher = teacher_of(training);
  const StudentOptions options{.loss = skindistilvit_loss(), .training = steps(4)};
  const ScratchFolder scratch;
  const auto run = [&](const StageContext& context, std::vector<TrainResult>* results = nullptr) {
    return train_cascade(teacher, training, options, CascadeTeacher::Down, context, "cascade",
                         results);
  };
  const auto whole = run(quiet(scratch / "whole"));
  auto context = quiet(scratch / "stopped");
  context.resume = true;
  context.cache = scratch / "answers";
  for (int stop = 0; stop < 2; ++stop) {
    const InterruptGuard guard;
    std::raise(SIGINT);
    CHECK_THROWS_AS(run(context), Interrupted);
    InterruptGuard::clear();
  }
  CHECK(fs::exists(scratch / "stopped" / "cascade_3"));
  CHECK_FALSE(fs::exists(scratch / "stopped" / "cascade_1"));
  std::vector<TrainResult> results;
  const auto resumed = run(context, &results);
  CHECK_FALSE(results[0].loaded);
  for (std::size_t k = 0; k < 3; ++k)
    CHECK(at::equal(predict_logits(resumed[k], training.images),
                    predict_logits(whole[k], training.images)));
  run(context, &results);
  for (const auto& result : results) CHECK(result.loaded);
}
