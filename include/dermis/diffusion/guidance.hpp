#pragma once
/// \file
/// Classifier-free guidance (arXiv 2207.12598): train with some labels replaced by the null class,
/// then sample away from what the null class predicts.

#include "dermis/core/check.hpp"
#include "dermis/diffusion/denoiser.hpp"

namespace dermis {

/// Denoiser for the given labels (int64 [B]): d_null + scale (d_label - d_null), both in one batch
/// of 2 B with the null class first, as LDM. Scale 1 is the plain conditional model, 0 the
/// unconditional one; each then runs one batch of B.
inline Denoiser guided(ConditionalDenoiser denoiser, at::Tensor labels, std::int64_t null_class,
                       double scale) {
  check_argument(labels.dim() == 1 && labels.scalar_type() == at::kLong,
                 "[guidance] expected int64 labels of shape [B]");
  const auto null_labels = at::full_like(labels, null_class);
  return [=](const at::Tensor& x, const at::Tensor& t) -> at::Tensor {
    check_argument(x.size(0) == labels.size(0), "[guidance] expected a batch of ", labels.size(0),
                   " as the labels, got ", x.size(0));
    if (scale == 1.0) return denoiser(x, t, labels);
    if (scale == 0.0) return denoiser(x, t, null_labels);
    const auto both =
        denoiser(at::cat({x, x}), at::cat({t, t}), at::cat({null_labels, labels})).chunk(2, 0);
    return both[0] + scale * (both[1] - both[0]);
  };
}

/// labels with the null class wherever u (U[0, 1), [B]) is below `probability`: the training side
/// of guidance; 0.1 is usual.
inline at::Tensor drop_labels(const at::Tensor& labels, std::int64_t null_class,
                              const at::Tensor& u, double probability) {
  check_argument(labels.sizes() == u.sizes(), "[guidance] expected one draw a label, got ",
                 u.numel(), " for ", labels.numel());
  return at::where(u.to(labels.device()) < probability, at::full_like(labels, null_class), labels);
}

}  // namespace dermis
