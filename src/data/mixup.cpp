#include "dermis/data/mixup.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "dermis/core/check.hpp"

namespace dermis {
namespace {

/// Logarithm of a Gamma(shape, 1) draw (Marsaglia and Tsang, ACM TOMS 26(3), 2000); below 1 by way
/// of shape + 1. The logarithm keeps tiny shapes from underflowing.
double draw_log_gamma(double shape, RandomStream& stream) {
  if (shape < 1) return draw_log_gamma(shape + 1, stream) + std::log(1 - stream.uniform()) / shape;
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = stream.normal(), v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(1 - stream.uniform()) < x * x / 2 + d - d * v + d * std::log(v))
      return std::log(d * v);
  }
}

/// Beta(alpha, alpha).
double draw_beta(double alpha, RandomStream& stream) {
  const double x = draw_log_gamma(alpha, stream), y = draw_log_gamma(alpha, stream);
  return 1 / (1 + std::exp(y - x));
}

struct Span {
  std::int64_t first, last;  // last excluded
};

/// `ratio` of `size` about a random centre, cut at the borders.
Span draw_span(std::int64_t size, double ratio, RandomStream& stream) {
  const auto length = static_cast<std::int64_t>(static_cast<double>(size) * ratio);
  const auto centre = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(size)));
  return {std::max<std::int64_t>(centre - length / 2, 0),
          std::min<std::int64_t>(centre + (length + 1) / 2, size)};
}

void check_batch(const at::Tensor& images, const at::Tensor& labels, std::int64_t num_classes) {
  check_argument(
      images.defined() && images.dim() == 4 && images.is_floating_point() && images.numel() > 0,
      "[mixup] expected floating images of shape [B, 3, H, W], got ",
      images.defined() ? text(images.scalar_type(), " ", images.sizes()) : "an undefined tensor");
  check_argument(
      labels.defined() && labels.dim() == 1 && labels.size(0) == images.size(0) &&
          labels.scalar_type() == at::kLong,
      "[mixup] expected one int64 label an image (", images.size(0), "), got ",
      labels.defined() ? text(labels.scalar_type(), " ", labels.sizes()) : "an undefined tensor");
  check_argument(
      labels.min().item<std::int64_t>() >= 0 && labels.max().item<std::int64_t>() < num_classes,
      "[mixup] expected labels in [0, ", num_classes, "), got ", labels.min().item<std::int64_t>(),
      " to ", labels.max().item<std::int64_t>());
}

void check_share(const char* name, double value) {
  check_argument(value >= 0 && value <= 1, "[mixup] expected ", name, " in [0, 1], got ", value);
}

void check_smoothing(double value) {
  check_argument(value >= 0 && value < 1, "[mixup] expected label_smoothing in [0, 1), got ",
                 value);
}

/// The smoothed labels times lambda plus those of the reversed batch times 1 - lambda. [B, C]
at::Tensor mixed_targets(const at::Tensor& labels, std::int64_t num_classes, double lambda,
                         double smoothing) {
  check_smoothing(smoothing);
  const at::Tensor shares = at::one_hot(labels, num_classes).to(at::kFloat) * (1 - smoothing) +
                            smoothing / static_cast<double>(num_classes);
  return shares * lambda + shares.flip(0) * (1 - lambda);
}

}  // namespace

void validate(const MixupOptions& options) {
  const auto at_least_0 = [](const char* name, double value) {
    check_argument(value >= 0 && std::isfinite(value), "[mixup] expected ", name,
                   " of at least 0, got ", value);
  };
  at_least_0("mixup_alpha", options.mixup_alpha);
  at_least_0("cutmix_alpha", options.cutmix_alpha);
  check_share("switch_probability", options.switch_probability);
  check_share("probability", options.probability);
  check_smoothing(options.label_smoothing);
}

MixedBatch mixup_by(const at::Tensor& images, const at::Tensor& labels, std::int64_t num_classes,
                    double lambda, double label_smoothing) {
  check_batch(images, labels, num_classes);
  check_share("lambda", lambda);
  const c10::NoGradGuard no_grad;
  at::Tensor result = images.clone();
  if (lambda < 1) result.mul_(lambda).add_(images.flip(0), 1 - lambda);
  return {result, mixed_targets(labels, num_classes, lambda, label_smoothing)};
}

MixedBatch cutmix_by(const at::Tensor& images, const at::Tensor& labels, std::int64_t num_classes,
                     const Box& box, double label_smoothing) {
  check_batch(images, labels, num_classes);
  const double lambda = kept_share(box, images.size(2), images.size(3));
  const c10::NoGradGuard no_grad;
  at::Tensor result = images.clone();
  const auto inside = [&](const at::Tensor& all) {
    return all.slice(2, box.y, box.y + box.height).slice(3, box.x, box.x + box.width);
  };
  inside(result).copy_(inside(images).flip(0));
  return {result, mixed_targets(labels, num_classes, lambda, label_smoothing)};
}

double kept_share(const Box& box, std::int64_t height, std::int64_t width) {
  check_argument(box.x >= 0 && box.y >= 0 && box.width >= 0 && box.height >= 0 &&
                     box.x + box.width <= width && box.y + box.height <= height,
                 "[mixup] expected a box inside ", width, " x ", height, ", got ", box.width, " x ",
                 box.height, " at (", box.x, ", ", box.y, ")");
  return 1 - static_cast<double>(box.width * box.height) / static_cast<double>(width * height);
}

MixedBatch mixup(const at::Tensor& images, const at::Tensor& labels, std::int64_t num_classes,
                 const MixupOptions& options, RandomStream stream) {
  validate(options);
  check_batch(images, labels, num_classes);
  const bool mixed =
      stream.chance(options.probability) && (options.mixup_alpha > 0 || options.cutmix_alpha > 0);
  const bool cut = options.cutmix_alpha > 0 &&
                   (options.mixup_alpha == 0 || stream.chance(options.switch_probability));
  const double lambda =
      mixed ? draw_beta(cut ? options.cutmix_alpha : options.mixup_alpha, stream) : 1;
  if (!(mixed && cut))
    return mixup_by(images, labels, num_classes, lambda, options.label_smoothing);
  const double ratio = std::sqrt(1 - lambda);
  const Span y = draw_span(images.size(2), ratio, stream);
  const Span x = draw_span(images.size(3), ratio, stream);
  return cutmix_by(images, labels, num_classes,
                   {x.first, y.first, x.last - x.first, y.last - y.first}, options.label_smoothing);
}

}  // namespace dermis
