#include "dermis/train/classification_loss.hpp"

#include <catch2/catch.hpp>

#include "support.hpp"

using namespace dermis;
using namespace dermis::test;
using Catch::Matchers::Contains;

namespace {

const at::Tensor kLogits = randn({6, 3}, 4) * 2;
const at::Tensor kLabels = torch::tensor({0, 1, 2, 0, 0, 1}, torch::kLong);

double value(const ClassificationLossOptions& options, const at::Tensor& targets = kLabels,
             const std::vector<std::int64_t>& counts = {60, 30, 10}) {
  return ClassificationLoss(options, counts)(kLogits, targets).item<double>();
}

}  // namespace

TEST_CASE(
    "classification loss: torch's cross-entropy without extras, its weighted one with weights") {
  for (const double smoothing : {0.0, 0.1})
    CHECK(value({.label_smoothing = smoothing}) ==
          Approx(at::cross_entropy_loss(kLogits, kLabels, {}, at::Reduction::Mean, -100, smoothing)
                     .item<double>()));
  const auto weights = torch::tensor({1.0 / 60, 1.0 / 30, 1.0 / 10}, torch::kFloat);
  CHECK(value({.weights = ClassWeights::Inverse, .label_smoothing = 0}) ==
        Approx(at::cross_entropy_loss(kLogits, kLabels, weights).item<double>()));
}

TEST_CASE("classification loss: soft targets of one class are hard ones; mixtures are linear") {
  const ClassificationLossOptions options{.label_smoothing = 0.1, .focal_gamma = 2};
  const auto hard = at::one_hot(kLabels, 3).to(at::kFloat);
  CHECK(value(options, hard) == Approx(value(options)));
  const auto swapped = hard.flip({0});
  CHECK(value(options, 0.3 * hard + 0.7 * swapped) ==
        Approx(0.3 * value(options, hard) + 0.7 * value(options, swapped)));
}

TEST_CASE("classification loss: focal loss by hand; gamma has finite gradients at certainty") {
  // p = softmax([ln 3, 0]) = [0.75, 0.25]: (1 - 0.75)^2 * -ln 0.75
  const ClassificationLoss focal({.label_smoothing = 0, .focal_gamma = 2}, {1, 1});
  const auto logits = torch::tensor({{std::log(3.0), 0.0}}, torch::kFloat);
  CHECK(focal(logits, torch::tensor({0}, torch::kLong)).item<double>() ==
        Approx(0.0625 * -std::log(0.75)));
  const ClassificationLoss gentle({.label_smoothing = 0, .focal_gamma = 0.5}, {1, 1});
  const auto certain = torch::tensor({{200.0, 0.0}}, torch::kFloat).requires_grad_();
  gentle(certain, torch::tensor({0}, torch::kLong)).backward();
  CHECK(torch::isfinite(certain.grad()).all().item<bool>());
}

TEST_CASE("classification loss: logit adjustment moves the decision by the log prior") {
  // Equal logits, prior 0.6, 0.3, 0.1 and tau 1: the loss of class c is -log prior_c.
  const ClassificationLoss adjusted({.label_smoothing = 0, .logit_adjustment = 1}, {60, 30, 10});
  const auto even = torch::zeros({1, 3});
  for (const auto& [label, prior] : {std::pair{0, 0.6}, {1, 0.3}, {2, 0.1}})
    CHECK(adjusted(even, torch::tensor({label}, torch::kLong)).item<double>() ==
          Approx(-std::log(prior)));
}

TEST_CASE("class weights: mean 1 over the classes that occur, rarer weighs more") {
  CHECK(class_weights(ClassWeights::None, {5, 1, 0}) == std::vector<double>{1, 1, 0});
  const auto inverse = class_weights(ClassWeights::Inverse, {30, 10, 0});
  CHECK(inverse[0] == Approx(0.5));
  CHECK(inverse[1] == Approx(1.5));
  CHECK(inverse[2] == 0);
  const auto root = class_weights(ClassWeights::InverseSqrt, {40, 10});
  CHECK(root[1] / root[0] == Approx(2));
  const auto effective = class_weights(ClassWeights::EffectiveNumber, {1000, 10});
  CHECK(effective[1] / effective[0] ==
        Approx((1 - std::pow(0.999, 1000)) / (1 - std::pow(0.999, 10))));
  CHECK(effective[0] + effective[1] == Approx(2));
}

TEST_CASE("classification loss: what is out of range is named") {
  CHECK_THROWS_WITH(value({.label_smoothing = 1}), Contains("label_smoothing in [0, 1), got 1"));
  CHECK_THROWS_WITH(value({.focal_gamma = -1}), Contains("focal_gamma of at least 0, got -1"));
  CHECK_THROWS_WITH(value({.logit_adjustment = -1}), Contains("logit_adjustment"));
  CHECK_THROWS_WITH(value({}, kLabels, {0, 0, 0}), Contains("at least one class with images"));
  CHECK_THROWS_WITH(value({}, kLabels, {1, -1, 1}), Contains("at least 0, got -1"));
  CHECK_THROWS_WITH(value({}, kLabels, {1, 1}), Contains("expected logits [B, 2]"));
  ClassWeights weights;
  CHECK_THROWS_WITH(from_name(weights, "heavy"), Contains("got heavy"));
  from_name(weights, "inverse_sqrt");
  CHECK(weights == ClassWeights::InverseSqrt);
}

TEST_CASE("focal losses: the mean over the batch, and RetinaNet's over independent classes") {
  // torch 2.13 by the formulas of the header.
  const auto logits = torch::tensor({{2.0, 1.0, 0.0}, {0.5, -1.0, 3.0}});
  const auto labels = torch::tensor({0, 2}, torch::kLong);
  const auto weights = torch::tensor({1.0, 2.0, 4.0});
  CHECK(softmax_focal_loss(logits, labels, 2).item<double>() == Approx(0.0232371334));
  CHECK(softmax_focal_loss(logits, labels, 2, weights).item<double>() == Approx(0.0244318321));
  CHECK(softmax_focal_loss(logits, labels, 0).item<double>() ==
        Approx(at::cross_entropy_loss(logits, labels).item<double>()));
  const auto targets = torch::tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 1.0}});
  CHECK(sigmoid_focal_loss(logits, targets, 0).item<double>() == Approx(0.7448771595));
  CHECK(sigmoid_focal_loss(logits, targets, 2, 0.25).item<double>() == Approx(0.1858950704));

  CHECK_THROWS_WITH(softmax_focal_loss(logits, labels, -1), Contains("gamma of at least 0"));
  CHECK_THROWS_WITH(softmax_focal_loss(logits, labels, 1, torch::ones({2})),
                    Contains("weights [C]") && Contains("[2]"));
  CHECK_THROWS_WITH(sigmoid_focal_loss(logits, labels, 0), Contains("one shape"));
  CHECK_THROWS_WITH(sigmoid_focal_loss(logits, targets, -1), Contains("gamma of at least 0"));
  CHECK_THROWS_WITH(sigmoid_focal_loss(logits, targets, 0, 2), Contains("alpha of at most 1"));
}
