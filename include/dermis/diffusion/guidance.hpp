#pragma once
/// \file
/// Classifier-free guidance (arXiv 2207.12598): train with some labels replaced by the null class,
/// then sample away from what the null class predicts; with rescaling (arXiv 2305.08891) and in an
/// interval of noise levels (arXiv 2404.07724).

#include <limits>
#include <vector>

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

/// other + scale (conditional - other) of two denoisers, a prompt and a negative one, each in a
/// batch of its own.
inline Denoiser guided(Denoiser conditional, Denoiser other, double scale) {
  return [=](const at::Tensor& x, const at::Tensor& t) -> at::Tensor {
    const auto base = other(x, t);
    return base + scale * (conditional(x, t) - base);
  };
}

/// Guidance beyond its scale. Rescaling keeps a large scale from making images garish, the interval
/// keeps it from making them alike (early) and costs nothing where it has no effect (late).
struct GuidanceOptions {
  double scale = 1;          ///< 1: the plain conditional model
  double rescale = 0;        ///< phi in 0..1, see rescaled_guidance
  double low = 0;            ///< guidance only from this share of the time ...
  double high = 1;           ///< ... to this one, both included; 1 is pure noise
  double time_scale = 1000;  ///< the network's time at share 1: T of a diffusion, time_scale of a
                             ///< RectifiedFlow
};

/// phi g std(c) / std(g) + (1 - phi) g of the guided answer g and the conditional one c, [B, ...],
/// with the deviation over each image (arXiv 2305.08891, eq. 15 and 16): g gets back the contrast
/// of c.
inline at::Tensor rescaled_guidance(const at::Tensor& g, const at::Tensor& c, double phi) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(g.dim()), 1);
  shape.front() = g.size(0);
  const auto deviation = [&](const at::Tensor& x) { return x.flatten(1).std(1).view(shape); };
  // An answer that is the same everywhere has nothing to rescale; it must not become NaN.
  const auto ratio = deviation(c) / deviation(g).clamp_min(std::numeric_limits<float>::min());
  return g * (phi * ratio + (1.0 - phi));
}

/// The same as above with all options. Outside the interval the conditional model answers alone;
/// if that is so for the whole batch, one batch of B runs.
inline Denoiser guided(ConditionalDenoiser denoiser, at::Tensor labels, std::int64_t null_class,
                       const GuidanceOptions& options) {
  const auto& o = options;
  check_argument(o.rescale >= 0 && o.rescale <= 1, "[guidance] expected a rescale in 0..1, got ",
                 o.rescale);
  check_argument(0 <= o.low && o.low <= o.high && o.high <= 1 && o.time_scale > 0,
                 "[guidance] expected an interval in 0..1 of a positive time, got ", o.low, " to ",
                 o.high, " of ", o.time_scale);
  const bool everywhere = o.low == 0 && o.high == 1;
  if (o.scale == 1.0 || (everywhere && o.rescale == 0))
    return guided(std::move(denoiser), std::move(labels), null_class, o.scale);
  check_argument(labels.dim() == 1 && labels.scalar_type() == at::kLong,
                 "[guidance] expected int64 labels of shape [B]");
  const auto both_labels = at::cat({at::full_like(labels, null_class), labels});
  return [=](const at::Tensor& x, const at::Tensor& t) -> at::Tensor {
    check_argument(x.size(0) == labels.size(0), "[guidance] expected a batch of ", labels.size(0),
                   " as the labels, got ", x.size(0));
    const auto share = t.to(at::kDouble) / o.time_scale;
    const auto inside = share.ge(o.low).logical_and(share.le(o.high));  // [B]
    if (!everywhere && !inside.any().item<bool>()) return denoiser(x, t, labels);
    const auto both = denoiser(at::cat({x, x}), at::cat({t, t}), both_labels).chunk(2, 0);
    auto answer = both[0] + o.scale * (both[1] - both[0]);
    if (o.rescale > 0) answer = rescaled_guidance(answer, both[1], o.rescale);
    if (everywhere) return answer;
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    shape.front() = x.size(0);
    return at::where(inside.view(shape), answer, both[1]);
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
