#pragma once
/// \file
/// How much signal and how much noise a diffusion step holds: beta schedules (DDPM, arXiv
/// 2006.11239; cosine, arXiv 2102.09672), in double precision unless asked otherwise.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <string_view>
#include <type_traits>
#include <vector>

#include <torch/types.h>

#include "dermis/core/check.hpp"

namespace dermis {

/// Shape of the beta curve, with diffusers' names. LDM calls ScaledLinear "linear", and the plain
/// Linear "sqrt_linear".
enum class Betas {
  Linear,        ///< evenly spaced from beta_start to beta_end
  ScaledLinear,  ///< squares of evenly spaced values from sqrt(beta_start) to sqrt(beta_end)
  Cosine         ///< alpha_bar(t) follows a squared cosine; beta_start and beta_end are not used
};

inline std::string_view name(Betas betas) {
  switch (betas) {
    case Betas::Linear:
      return "linear";
    case Betas::ScaledLinear:
      return "scaled_linear";
    default:
      return "cosine";
  }
}

inline Betas betas_from_name(std::string_view text) {
  for (const auto betas : {Betas::Linear, Betas::ScaledLinear, Betas::Cosine})
    if (name(betas) == text) return betas;
  check_argument(false, "[betas] expected linear, scaled_linear or cosine, got ", text);
  return {};
}
inline void from_name(Betas& betas, std::string_view text) {
  betas = betas_from_name(text);
}

/// Options of a NoiseSchedule.
struct NoiseScheduleOptions {
  std::int64_t steps = 1000;  ///< T; steps are counted 0..T-1, least noise first
  Betas betas = Betas::Linear;
  double beta_start = 1e-4;
  double beta_end = 0.02;
  bool zero_terminal_snr = false;  ///< shift and scale sqrt(alpha_bar) so that the last step holds
                                   ///< no signal (arXiv 2305.08891, algorithm 1)
  bool single_precision = false;   ///< tables rounded to fp32 as diffusers keeps them, which shows
                                   ///< where 1 - alpha_bar is small
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, NoiseScheduleOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("steps", o.steps);
  visit("betas", o.betas);
  visit("beta_start", o.beta_start);
  visit("beta_end", o.beta_end);
  visit("zero_terminal_snr", o.zero_terminal_snr);
  visit("single_precision", o.single_precision);
}

/// DDPM's own schedule.
inline NoiseScheduleOptions ddpm_schedule() {
  return {};
}
/// LDM's class-conditional ImageNet models (cin256-v2).
inline NoiseScheduleOptions ldm_schedule() {
  return {.betas = Betas::ScaledLinear, .beta_start = 0.0015, .beta_end = 0.0195};
}
/// Stable Diffusion's.
inline NoiseScheduleOptions stable_diffusion_schedule() {
  return {.betas = Betas::ScaledLinear, .beta_start = 0.00085, .beta_end = 0.012};
}
/// Improved DDPM's.
inline NoiseScheduleOptions cosine_schedule() {
  return {.betas = Betas::Cosine};
}

/// Weights of clean sample and noise in x_t = signal * x0 + noise * eps, each [B, 1, ..., 1].
struct Level {
  at::Tensor signal, noise;
};

/// q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, 1 - alpha_bar_t), alpha_bar_t = prod_{i<=t} (1 -
/// beta_i).
///
///     NoiseSchedule schedule(ldm_schedule());
///     auto x_t = schedule.add_noise(latents, noise, t);  // t int64 [B] in 0..999
class NoiseSchedule {
 public:
  explicit NoiseSchedule(const NoiseScheduleOptions& options = {}) : options_(options) {
    const auto& o = options_;
    check_argument(o.steps >= 2, "[schedule] expected at least 2 steps, got ", o.steps);
    check_argument(o.betas == Betas::Cosine ||
                       (0 < o.beta_start && o.beta_start <= o.beta_end && o.beta_end < 1),
                   "[schedule] expected 0 < beta_start <= beta_end < 1, got ", o.beta_start,
                   " and ", o.beta_end);
    auto betas = make_betas();
    if (o.zero_terminal_snr) betas = without_terminal_signal(betas);
    table_ = at::cumprod(1.0 - betas, 0).to(at::kDouble);
    betas = betas.to(at::kDouble);
    betas_.assign(betas.data_ptr<double>(), betas.data_ptr<double>() + o.steps);
    alpha_bars_.assign(table_.data_ptr<double>(), table_.data_ptr<double>() + o.steps);
  }

  const NoiseScheduleOptions& options() const { return options_; }
  std::int64_t steps() const { return options_.steps; }
  /// 1 in the last step with zero_terminal_snr.
  double beta(std::int64_t t) const { return betas_.at(static_cast<std::size_t>(t)); }
  /// Share of signal variance left at step t; 1 before the first step (t = -1), 0 in the last one
  /// with zero_terminal_snr.
  double alpha_bar(std::int64_t t) const {
    return t < 0 ? 1.0 : alpha_bars_.at(static_cast<std::size_t>(t));
  }
  /// Signal-to-noise ratio alpha_bar / (1 - alpha_bar).
  double snr(std::int64_t t) const { return alpha_bar(t) / (1.0 - alpha_bar(t)); }

  /// alpha_bar of steps t (int64 [B]) as doubles on the CPU, [B].
  at::Tensor alpha_bars(const at::Tensor& t) const {
    check_argument(t.dim() == 1 && t.scalar_type() == at::kLong,
                   "[schedule] expected int64 steps of shape [B]");
    const auto steps_on_cpu = t.cpu();
    if (t.numel() > 0) {
      const auto low = steps_on_cpu.min().item<std::int64_t>();
      const auto high = steps_on_cpu.max().item<std::int64_t>();
      check_argument(low >= 0 && high < steps(), "[schedule] expected steps in 0..", steps() - 1,
                     ", got ", low, "..", high);
    }
    return table_.index_select(0, steps_on_cpu);
  }

  /// Signal and noise of steps t (int64 [B]) with the rank, type and device of `like`.
  Level level(const at::Tensor& t, const at::Tensor& like) const {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
    shape.front() = t.size(0);
    const auto a = alpha_bars(t).view(shape);
    return {a.sqrt().to(like.options()), (1.0 - a).sqrt().to(like.options())};
  }

  /// sqrt(alpha_bar_t) x0 + sqrt(1 - alpha_bar_t) noise. x0 and noise [B, ...], t int64 [B].
  at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const {
    const auto at_t = level(t, x0);
    return at_t.signal * x0 + at_t.noise * noise;
  }

 private:
  /// [T], of the precision asked for.
  at::Tensor make_betas() const {
    const auto& o = options_;
    const bool squared = o.betas == Betas::ScaledLinear;
    const double start = squared ? std::sqrt(o.beta_start) : o.beta_start;
    const double end = squared ? std::sqrt(o.beta_end) : o.beta_end;
    if (o.single_precision && o.betas != Betas::Cosine) {
      const auto line = at::linspace(start, end, o.steps, at::kFloat);
      return squared ? line.square() : line;
    }
    const auto curve = [](double u) {
      const double c = std::cos((u + 0.008) / 1.008 * 1.57079632679489661923);
      return c * c;
    };
    const auto T = static_cast<double>(o.steps);
    std::vector<double> betas;
    for (std::int64_t t = 0; t < o.steps; ++t) {
      const auto i = static_cast<double>(t);
      const double line = start + (end - start) * i / (T - 1);
      betas.push_back(o.betas == Betas::Cosine
                          ? std::min(1.0 - curve((i + 1) / T) / curve(i / T), 0.999)
                          : (squared ? line * line : line));
    }
    return at::tensor(betas, at::kDouble).to(o.single_precision ? at::kFloat : at::kDouble);
  }

  static at::Tensor without_terminal_signal(const at::Tensor& betas) {
    // By way of doubles: the fp32 roots of vector libraries differ between machines, and what
    // follows divides neighbours.
    const auto root = at::cumprod(1.0 - betas, 0).to(at::kDouble).sqrt().to(betas.scalar_type());
    const auto first = root[0], last = root[-1];
    const auto alpha_bars = ((root - last) * (first / (first - last))).square();
    const auto alphas =
        at::cat({alpha_bars.slice(0, 0, 1), alpha_bars.slice(0, 1) / alpha_bars.slice(0, 0, -1)});
    return 1.0 - alphas;
  }

  NoiseScheduleOptions options_;
  std::vector<double> betas_, alpha_bars_;
  at::Tensor table_;  // alpha_bars_ for indexing by tensors
};

}  // namespace dermis
