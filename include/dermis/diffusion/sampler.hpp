#pragma once
/// \file
/// What the samplers share: which steps they visit, where their noise comes from, how they report.

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include "dermis/core/check.hpp"
#include "dermis/diffusion/denoiser.hpp"

namespace dermis {

/// Where a sampler stands, after a step.
struct SamplerProgress {
  std::int64_t done = 0, total = 0;  ///< steps
  at::Tensor x;                      ///< [B, C, H, W], the sample so far
  at::Tensor x0;                     ///< the clean sample that this step saw in it
};

/// Called after every step; may throw to stop (Interrupted, for example).
using SamplerCallback = std::function<void(const SamplerProgress&)>;

/// Noise of N(0, 1) for a step (0 is the first), shaped as the sample `like`.
using NoiseSource = std::function<at::Tensor(std::int64_t step, const at::Tensor& like)>;

/// Fresh noise from a generator, drawn on the generator's own device: a CPU generator gives the
/// same noise wherever the sample lives.
inline NoiseSource noise_from(at::Generator generator) {
  return [generator](std::int64_t, const at::Tensor& like) {
    return at::randn(like.sizes(), generator, like.options().device(generator.device()))
        .to(like.device());
  };
}
/// Given noise [steps, B, C, H, W].
inline NoiseSource noise_from(at::Tensor noise) {
  return [noise](std::int64_t step, const at::Tensor& like) {
    check_argument(step < noise.size(0) && noise[step].sizes() == like.sizes(),
                   "[sampler] the given noise lacks step ", step, " or differs in shape");
    return noise[step].to(like.options());
  };
}

/// Which of the T training steps a sampler visits (arXiv 2305.08891, table 2).
enum class Spacing {
  Leading,   ///< 0, c, 2c, ... with c = T / count (whole): never sees the noisiest step
  Trailing,  ///< T-1, T-1-c, ...: starts where training ended
  Linspace,  ///< evenly from T-1 to 0, both included (a single step: 0)
  LDM        ///< 1, 1+c, ... with c = T / count (whole), the last jump to alpha_bar of step 0
};

inline std::string_view name(Spacing spacing) {
  switch (spacing) {
    case Spacing::Leading:
      return "leading";
    case Spacing::Trailing:
      return "trailing";
    case Spacing::Linspace:
      return "linspace";
    default:
      return "ldm";
  }
}

inline Spacing spacing_from_name(std::string_view text) {
  for (const auto s : {Spacing::Leading, Spacing::Trailing, Spacing::Linspace, Spacing::LDM})
    if (name(s) == text) return s;
  check_argument(false, "[spacing] expected leading, trailing, linspace or ldm, got ", text);
  return {};
}
inline void from_name(Spacing& spacing, std::string_view text) {
  spacing = spacing_from_name(text);
}

/// `count` numbers from `first` to `last`, both included; one number is `first`.
inline std::vector<double> evenly_spaced(double first, double last, std::int64_t count) {
  std::vector<double> values;
  const double step = (last - first) / static_cast<double>(std::max<std::int64_t>(count - 1, 1));
  for (std::int64_t i = 0; i < count; ++i) values.push_back(first + static_cast<double>(i) * step);
  if (count > 1) values.back() = last;
  return values;
}

/// The steps to visit, noisiest first. `offset` is added to Leading's steps (Stable Diffusion: 1).
/// LDM gives every c-th, which is more than `count` where count does not divide T (T = 1000, count
/// 15: 16 steps), and leaves out step T, on which the original reads past its table (count 300);
/// the others give exactly `count`.
inline std::vector<std::int64_t> sampling_steps(std::int64_t T, std::int64_t count, Spacing spacing,
                                                std::int64_t offset = 0) {
  check_argument(count >= 1 && count <= T, "[sampler] expected 1..", T, " steps, got ", count);
  std::vector<std::int64_t> steps;
  const auto stride = T / count;
  const auto round = [](double x) { return static_cast<std::int64_t>(std::nearbyint(x)); };
  if (spacing == Spacing::Trailing) {
    // With numpy.arange's arithmetic: whether a half is rounded up or down depends on its errors.
    const auto top = static_cast<double>(T);
    const double down = (top - top / static_cast<double>(count)) - top;
    for (std::int64_t i = 0; i < count; ++i)
      steps.push_back(round(top + static_cast<double>(i) * down) - 1);
    return steps;
  }
  if (spacing == Spacing::LDM) {
    for (std::int64_t t = 0; t + 1 < T; t += stride) steps.push_back(t + 1);
  } else if (spacing == Spacing::Leading) {
    check_argument(offset >= 0 && (count - 1) * stride + offset < T, "[sampler] ", count,
                   " steps with offset ", offset, " go beyond the last of ", T, " steps");
    for (std::int64_t i = 0; i < count; ++i) steps.push_back(i * stride + offset);
  } else {
    for (const double t : evenly_spaced(0, static_cast<double>(T - 1), count))
      steps.push_back(round(t));
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

/// Dynamic thresholding (arXiv 2205.11487): each image of x0 [B, ...] is clipped to -s..s and
/// divided by s, its `ratio` quantile of |x0|, which is kept in 1..max (max where that is below 1).
inline at::Tensor dynamic_threshold(const at::Tensor& x0, double ratio, double max) {
  check_argument(ratio > 0 && ratio <= 1 && max > 0,
                 "[threshold] expected a ratio in 0..1 and a positive maximum, got ", ratio,
                 " and ", max);
  const auto flat = x0.flatten(1);
  const auto s = at::quantile(flat.abs(), ratio, 1, true).clamp(1.0, max);  // [B, 1]
  return (flat.clamp(-s, s) / s).view(x0.sizes());
}

/// How a sampler bounds the clean samples that it predicts. Latents are not bounded.
struct Bounds {
  double clip = 0;             ///< to -clip..clip; 0: do not
  double threshold_ratio = 0;  ///< dynamic_threshold, instead of clip; 0: do not
  double threshold_max = 1;
};

/// x0 [B, ...] within the bounds.
inline at::Tensor bounded(const at::Tensor& x0, const Bounds& bounds) {
  if (bounds.threshold_ratio > 0)
    return dynamic_threshold(x0, bounds.threshold_ratio, bounds.threshold_max);
  return bounds.clip > 0 ? x0.clamp(-bounds.clip, bounds.clip) : x0;
}

}  // namespace dermis
