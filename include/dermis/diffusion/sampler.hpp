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

/// Which of the T training steps a sampler visits.
enum class Spacing {
  Leading,   ///< 0, c, 2c, ... with c = T / count (whole): never sees the noisiest step
  Trailing,  ///< T-1, T-1-c, ...: starts where training ended (arXiv 2305.08891, table 2)
  LDM        ///< 1, 1+c, ... with c = T / count (whole), the last jump to alpha_bar of step 0
};

inline std::string_view name(Spacing spacing) {
  switch (spacing) {
    case Spacing::Leading:
      return "leading";
    case Spacing::Trailing:
      return "trailing";
    default:
      return "ldm";
  }
}

inline Spacing spacing_from_name(std::string_view text) {
  for (const auto s : {Spacing::Leading, Spacing::Trailing, Spacing::LDM})
    if (name(s) == text) return s;
  check_argument(false, "[spacing] expected leading, trailing or ldm, got ", text);
  return {};
}
inline void from_name(Spacing& spacing, std::string_view text) {
  spacing = spacing_from_name(text);
}

/// The steps to visit, noisiest first. Leading and Trailing give exactly `count` steps. LDM gives
/// every c-th, which is more than `count` where count does not divide T (T = 1000, count 15: 16
/// steps), and leaves out step T, on which the original reads past its table (count 300).
inline std::vector<std::int64_t> sampling_steps(std::int64_t T, std::int64_t count,
                                                Spacing spacing) {
  check_argument(count >= 1 && count <= T, "[sampler] expected 1..", T, " steps, got ", count);
  std::vector<std::int64_t> steps;
  const auto stride = T / count;
  if (spacing == Spacing::Trailing) {
    for (std::int64_t i = 0; i < count; ++i) {
      const double position = static_cast<double>(T) - static_cast<double>(i) *
                                                           static_cast<double>(T) /
                                                           static_cast<double>(count);
      steps.push_back(static_cast<std::int64_t>(std::nearbyint(position)) - 1);
    }
    return steps;
  }
  if (spacing == Spacing::Leading) {
    for (std::int64_t i = 0; i < count; ++i) steps.push_back(i * stride);
  } else {
    for (std::int64_t t = 0; t + 1 < T; t += stride) steps.push_back(t + 1);
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

}  // namespace dermis
