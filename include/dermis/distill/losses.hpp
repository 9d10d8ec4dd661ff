#pragma once
/// \file
/// What a student learns from: labels, the teacher's softened probabilities, its logits, its hidden
/// states.

#include "dermis/layers/parameter.hpp"

namespace dermis {

namespace detail {
inline void check_softened(const at::Tensor& student, const at::Tensor& teacher,
                           double temperature) {
  check_argument(temperature > 0, "[distill] expected a temperature above 0, got ", temperature);
  check_argument(student.sizes() == teacher.sizes(),
                 "[distill] expected student and teacher logits of one shape, got ",
                 shape_text(student), " and ", shape_text(teacher));
}
}  // namespace detail

/// T^2 KL(softmax(teacher / T) || softmax(student / T)), mean over the batch (Hinton et al., arXiv
/// 1503.02531; the T^2 keeps the gradient's size when T changes). student, teacher: [B, C] ->
/// scalar >= 0.
inline at::Tensor softened_kl(const at::Tensor& student, const at::Tensor& teacher,
                              double temperature) {
  detail::check_softened(student, teacher, temperature);
  const auto log_q = at::log_softmax(student / temperature, -1);
  const auto log_p = at::log_softmax(teacher / temperature, -1);
  return (log_p.exp() * (log_p - log_q)).sum(-1).mean() * (temperature * temperature);
}

/// T^2 times the cross-entropy -sum_c p_c log q_c of p = softmax(teacher / T) and q =
/// softmax(student / T), mean over the batch: softened_kl plus T^2 times the teacher's entropy,
/// hence with the same gradient for the student. student, teacher: [B, C] -> scalar.
inline at::Tensor softened_cross_entropy(const at::Tensor& student, const at::Tensor& teacher,
                                         double temperature) {
  detail::check_softened(student, teacher, temperature);
  const auto p = at::softmax(teacher / temperature, -1);
  const auto log_q = at::log_softmax(student / temperature, -1);
  return -(p * log_q).sum(-1).mean() * (temperature * temperature);
}

/// Sum over classes of the squared logit difference, mean over the batch (SkinDistilViT's code,
/// distiller.py).
inline at::Tensor logit_mse(const at::Tensor& student, const at::Tensor& teacher) {
  check_argument(student.sizes() == teacher.sizes(),
                 "[distill] expected student and teacher logits of one shape, got ",
                 shape_text(student), " and ", shape_text(teacher));
  return (student - teacher).square().sum(-1).mean();
}

/// 1 - cos between hidden states, mean over batch and tokens (DistilBERT, arXiv 1910.01108). [B, N,
/// D] each -> scalar in [0, 2]. With `mask` [B, N] (not 0 = counts) the mean over those tokens; NaN
/// if there is none.
inline at::Tensor hidden_cosine(const at::Tensor& student, const at::Tensor& teacher,
                                const at::Tensor& mask = {}) {
  check_argument(student.sizes() == teacher.sizes(),
                 "[distill] expected hidden states of one shape, got ", shape_text(student),
                 " and ", shape_text(teacher),
                 "; a student of another width or patch needs hidden_projection");
  const auto cosine = at::cosine_similarity(student, teacher, -1);  // [B, N]
  if (!mask.defined()) return 1 - cosine.mean();
  check_argument(mask.sizes() == cosine.sizes(), "[distill] expected a mask of shape ",
                 shape_text(cosine), ", got ", shape_text(mask));
  return 1 - cosine.masked_select(mask != 0).mean();
}

/// Cross-entropy against class indices [B] or soft targets [B, C]; `smoothing` applies to indices.
/// logits: [B, C] -> scalar. `weights` [C], if given, weigh the classes as torch does: divided by
/// the sum of the weights of the labels, smoothed or not.
inline at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& target,
                                double smoothing = 0.0, const at::Tensor& weights = {}) {
  return at::cross_entropy_loss(logits, target, weights, at::Reduction::Mean,
                                /*ignore_index=*/-100, smoothing);
}

}  // namespace dermis
