// What the training kit adds to a classifier: probing, validation, views, ensembles.

#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/train/classifier.hpp"
#include "dermis/train/linear_probe.hpp"
#include "dermis/train/masked.hpp"
#include "stripes.hpp"
#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

TEST_CASE("linear probe: the folded layer answers as norm and layer did") {
  torch::nn::BatchNorm1d norm(torch::nn::BatchNorm1dOptions(6).affine(false).eps(1e-6));
  norm->running_mean.copy_(randn({6}, 1));
  norm->running_var.copy_(randn({6}, 2).square() + 0.1);
  norm->eval();
  Linear layer(6, 3, true, ParameterOptions{.generator = generator(3)});
  const auto x = randn({5, 6}, 4);
  const auto expected = layer->forward(norm->forward(x)).detach().clone();
  fold_batch_norm(norm, layer);
  CHECK(difference(layer->forward(x), expected) < 1e-5);
  CHECK(difference(layer->forward(norm->forward(x)), expected) > 0.01);
}

TEST_CASE("linear probe: learns on a frozen encoder, which stays as it was") {
  const auto training = striped(64, 1), test = striped(40, 2);
  const auto normalization = measure_normalization(training);
  const auto mae = pretrain(
      training, normalization,
      {.model = {.encoder = small, .decoder_dim = 16, .decoder_depth = 1, .decoder_heads = 2},
       .training = steps(30)},
      quiet());
  const auto before = state_dict(*mae.model);
  auto schedule = steps(60);
  schedule.learning_rate = 2e-2;
  TrainResult result;
  const auto probe = train_linear_probe(training, mae.encoder(), {.training = schedule}, quiet(),
                                        "probe", &result);
  CHECK(evaluate(probe, test).balanced_accuracy.lo > 0.6);
  CHECK(result.image_passes == 60 * 16);
  for (const auto& [name, tensor] : state_dict(*probe.model)) {
    if (name.rfind("blocks.", 0) != 0) continue;
    const auto found =
        std::find_if(before.begin(), before.end(),
                     [&, &name = name](const auto& item) { return item.first == name; });
    REQUIRE(found != before.end());
    CHECK(at::equal(tensor, found->second));
  }
  CHECK_THROWS_WITH(train_linear_probe(training, {}, {}, quiet()), Contains("expected an encoder"));
}

TEST_CASE("classifier: the weights kept are those that validate best") {
  const auto training = striped(64, 1), validation = striped(32, 2);
  auto schedule = steps(40);
  schedule.validations = 5;
  TrainResult result;
  const auto classifier = train_classifier(training, measure_normalization(training),
                                           {.model = small, .training = schedule}, quiet(), "c",
                                           &result, {}, &validation);
  double best = -1;
  std::int64_t best_step = 0;
  int validations = 0;
  for (const auto& point : result.curve)
    for (const auto& [name, value] : point.values) {
      if (name != "validation") continue;
      ++validations;
      if (value > best) best = value, best_step = point.step;
    }
  CHECK(validations == 5);
  CHECK(result.best_step == best_step);
  CHECK(evaluate(classifier, validation).balanced_accuracy.mean == Approx(best));
  auto other = validation;
  other.classes = {"a", "b"};
  CHECK_THROWS_WITH(train_classifier(training, {}, {.model = small, .training = steps(2)}, quiet(),
                                     "c", nullptr, {}, &other),
                    Contains("validation part with the training part's classes"));
}

TEST_CASE("classifier: views and ensembles are means of probabilities") {
  const auto training = striped(32, 1), test = striped(10, 2);
  const auto train_one = [&](const std::string& name) {
    return train_classifier(training, measure_normalization(training),
                            {.model = small, .training = steps(10)}, quiet(), name);
  };
  const auto a = train_one("a"), b = train_one("b");
  const auto turned = right_angle_view(test.images, 1);
  CHECK(predict_probabilities(a, test.images, 2)
            .isApprox((predict_probabilities(a, test.images) + predict_probabilities(a, turned)) /
                      2));
  CHECK(predict_probabilities(a, test.images, 8)
            .isApprox(predict_probabilities(a, right_angle_view(test.images, 3), 8), 1e-5));
  CHECK(
      predict_probabilities({a, b}, test.images)
          .isApprox(
              (predict_probabilities(a, test.images) + predict_probabilities(b, test.images)) / 2));
  CHECK_THROWS_WITH(predict_probabilities(a, test.images, 4), Contains("1, 2 or 8 views, got 4"));
  CHECK_THROWS_WITH(predict_probabilities(std::vector<Classifier>{}, test.images),
                    Contains("ensemble of at least 1"));
  auto renamed = b;
  renamed.classes = {"x", "y"};
  CHECK_THROWS_WITH(predict_probabilities({a, renamed}, test.images),
                    Contains("member 1 has others than member 0"));
  CHECK_THROWS_WITH(right_angle_view(test.images, 8), Contains("view in 0 .. 7, got 8"));
}

TEST_CASE("classifier: MAE's fine-tuning settings by size") {
  CHECK(mae_finetuning(vit_base()).layer_decay == 0.65);
  CHECK(mae_finetuning(vit_base()).model.drop_path == 0.1);
  CHECK(mae_finetuning(vit_large()).layer_decay == 0.75);
  CHECK(mae_finetuning(vit_large()).model.drop_path == 0.2);
  CHECK(mae_finetuning(vit_huge()).model.drop_path == 0.3);
  CHECK(mae_finetuning(vit_huge()).model.mean_pooling);
}
