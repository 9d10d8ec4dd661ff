#pragma once
/// \file
/// What a classifier of unevenly frequent classes learns from: cross-entropy with class weights,
/// focal loss, logit adjustment, label smoothing, hard or soft targets.

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {

/// How much an image of a class counts, by the class's frequency n_c in the training part.
enum class ClassWeights {
  None,             ///< all alike
  Inverse,          ///< 1 / n_c
  InverseSqrt,      ///< 1 / sqrt(n_c)
  EffectiveNumber,  ///< (1 - b) / (1 - b^n_c), b = 0.999 (Cui et al., arXiv 1901.05555 eq. 3)
};

inline std::string name(ClassWeights weights) {
  return weights == ClassWeights::None          ? "none"
         : weights == ClassWeights::Inverse     ? "inverse"
         : weights == ClassWeights::InverseSqrt ? "inverse_sqrt"
                                                : "effective_number";
}
inline void from_name(ClassWeights& weights, const std::string& text) {
  for (const auto candidate : {ClassWeights::None, ClassWeights::Inverse, ClassWeights::InverseSqrt,
                               ClassWeights::EffectiveNumber}) {
    if (name(candidate) != text) continue;
    weights = candidate;
    return;
  }
  check_argument(
      false, "[loss] expected class weights none, inverse, inverse_sqrt or effective_number, got ",
      text);
}

struct ClassificationLossOptions {
  ClassWeights weights = ClassWeights::None;
  double label_smoothing = 0.1;  ///< in [0, 1): share of the target spread over all classes
  double focal_gamma = 0;        ///< at least 0; 0 = cross-entropy (Lin et al., arXiv 1708.02002)
  double logit_adjustment = 0;   ///< tau of Menon et al., arXiv 2007.07314 eq. 10; 0 = off
  bool operator==(const ClassificationLossOptions&) const = default;
};

template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, ClassificationLossOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("weights", o.weights);
  visit("label_smoothing", o.label_smoothing);
  visit("focal_gamma", o.focal_gamma);
  visit("logit_adjustment", o.logit_adjustment);
}

/// Weights w_c [C] with mean 1 over the classes that occur; 0 for a class without images.
inline std::vector<double> class_weights(ClassWeights kind,
                                         const std::vector<std::int64_t>& counts) {
  std::vector<double> weights;
  double sum = 0, present = 0;
  for (const auto count : counts) {
    check_argument(count >= 0, "[loss] expected class counts of at least 0, got ", count);
    const auto n = static_cast<double>(count);
    double w = 1;
    if (kind == ClassWeights::Inverse) w = 1 / n;
    if (kind == ClassWeights::InverseSqrt) w = 1 / std::sqrt(n);
    if (kind == ClassWeights::EffectiveNumber) w = (1 - 0.999) / (1 - std::pow(0.999, n));
    weights.push_back(count > 0 ? w : 0);
    sum += weights.back();
    present += count > 0;
  }
  check_argument(present > 0, "[loss] expected at least one class with images, got none");
  for (auto& w : weights) w *= present / sum;
  return weights;
}

/// The loss of a batch, with t the targets (smoothed), p = softmax(logits + tau log prior):
///     sum_ic w_c t_ic (1 - p_ic)^gamma (-log p_ic) / sum_ic w_c t_ic
/// The prior is the share of each class in the training part. Without weights, gamma and tau this
/// is torch's cross-entropy; with weights and hard targets torch's weighted one. Adjusted logits
/// are for training alone: at test time the plain logits favour no class.
///
///     const ClassificationLoss loss({.weights = ClassWeights::Inverse}, training.class_counts());
///     auto value = loss(logits, labels);
class ClassificationLoss {
 public:
  /// counts: images of each class [C]. \throws std::invalid_argument on options out of range
  ClassificationLoss(const ClassificationLossOptions& options,
                     const std::vector<std::int64_t>& counts)
      : options_(options) {
    check_argument(options.label_smoothing >= 0 && options.label_smoothing < 1,
                   "[loss] expected label_smoothing in [0, 1), got ", options.label_smoothing);
    check_argument(options.focal_gamma >= 0, "[loss] expected focal_gamma of at least 0, got ",
                   options.focal_gamma);
    check_argument(options.logit_adjustment >= 0,
                   "[loss] expected logit_adjustment of at least 0, got ",
                   options.logit_adjustment);
    weights_ = torch::tensor(class_weights(options.weights, counts), torch::kFloat);
    double total = 0;
    for (const auto count : counts) total += static_cast<double>(count);
    std::vector<double> log_prior;
    for (const auto count : counts)  // a class without images: as if it had one
      log_prior.push_back(std::log(std::max<double>(1, static_cast<double>(count)) / total));
    adjustment_ = torch::tensor(log_prior, torch::kFloat) * options.logit_adjustment;
  }

  /// logits [B, C]; targets: class indices int64 [B] or shares [B, C] that add up to 1 a row, as
  /// mixup makes them -> scalar.
  at::Tensor operator()(const at::Tensor& logits, const at::Tensor& targets) const {
    const auto classes = weights_.size(0);
    const bool hard = targets.dim() == 1;
    check_argument(logits.dim() == 2 && logits.size(1) == classes &&
                       targets.size(0) == logits.size(0) &&
                       (hard || (targets.dim() == 2 && targets.size(1) == classes)),
                   "[loss] expected logits [B, ", classes, "] and targets [B] or [B, ", classes,
                   "], got ", c10::str(logits.sizes()), " and ", c10::str(targets.sizes()));
    const auto shares = hard ? at::one_hot(targets, classes).to(at::kFloat) : targets;
    const auto smooth = options_.label_smoothing;
    const auto weighted = (shares * (1 - smooth) + smooth / static_cast<double>(classes)) *
                          weights_.to(logits.device());  // [B, C]
    const auto log_p =
        at::log_softmax(logits.to(at::kFloat) + adjustment_.to(logits.device()), 1);  // [B, C]
    auto terms = -weighted * log_p;
    if (options_.focal_gamma > 0)  // 1 - p exactly 0 has no finite gradient for gamma < 1
      terms = terms * (1 - log_p.exp()).clamp_min(1e-7).pow(options_.focal_gamma);
    return terms.sum() / weighted.sum();
  }

 private:
  ClassificationLossOptions options_;
  at::Tensor weights_, adjustment_;  // [C]
};

/// Focal loss (Lin et al., arXiv 1708.02002) over a softmax, mean over the batch of
///     w_y (1 - p_y)^gamma (-log p_y).
/// Departs from ClassificationLoss in dividing by the batch, not by the sum of weights: a batch of
/// rare classes then counts more. logits [B, C], labels int64 [B], weights [C] or undefined (1) ->
/// scalar.
inline at::Tensor softmax_focal_loss(const at::Tensor& logits, const at::Tensor& labels,
                                     double gamma, const at::Tensor& weights = {}) {
  check_argument(gamma >= 0, "[loss] expected gamma of at least 0, got ", gamma);
  check_argument(
      logits.dim() == 2 && labels.dim() == 1 && labels.size(0) == logits.size(0) &&
          (!weights.defined() || (weights.dim() == 1 && weights.size(0) == logits.size(1))),
      "[loss] expected logits [B, C], labels [B] and weights [C], got ", c10::str(logits.sizes()),
      ", ", c10::str(labels.sizes()), " and ",
      weights.defined() ? c10::str(weights.sizes()) : "none");
  const auto log_p = at::log_softmax(logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1);  // [B]
  auto terms = -log_p;
  if (gamma > 0) terms = terms * (1 - log_p.exp()).clamp_min(1e-7).pow(gamma);
  if (weights.defined()) terms = terms * weights.index_select(0, labels);
  return terms.mean();
}

/// Focal loss of independent classes (RetinaNet's), mean over batch and classes of
///     a_t (1 - p_t)^gamma (-log p_t),   p_t = p and a_t = alpha where the target is 1, else 1 - p
///     and 1 - alpha.
/// gamma 0 with alpha below 0 (no a_t) is the binary cross-entropy of logits; alpha 0.25 with gamma
/// 2 is RetinaNet's. logits, targets (0 to 1): [B, C] -> scalar.
inline at::Tensor sigmoid_focal_loss(const at::Tensor& logits, const at::Tensor& targets,
                                     double gamma, double alpha = -1) {
  check_argument(gamma >= 0, "[loss] expected gamma of at least 0, got ", gamma);
  check_argument(alpha <= 1, "[loss] expected alpha of at most 1 (below 0: off), got ", alpha);
  check_argument(logits.sizes() == targets.sizes(),
                 "[loss] expected logits and targets of one shape, got ", c10::str(logits.sizes()),
                 " and ", c10::str(targets.sizes()));
  auto terms = at::binary_cross_entropy_with_logits(logits, targets, {}, {}, at::Reduction::None);
  if (gamma > 0) {
    const auto p = at::sigmoid(logits);
    const auto missing = p * (1 - targets) + (1 - p) * targets;  // 1 - p_t
    terms = terms * missing.clamp_min(1e-7).pow(gamma);
  }
  if (alpha >= 0) terms = terms * (alpha * targets + (1 - alpha) * (1 - targets));
  return terms.mean();
}

}  // namespace dermis
