#pragma once
/// \file
/// Learning-rate schedules as pure functions of the step.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>

#include "dermis/core/check.hpp"

namespace dermis {

/// How the learning rate goes from its top to its minimum after the warm-up.
enum class Decay { Cosine, Linear, Constant };

inline std::string name(Decay decay) {
  return decay == Decay::Cosine ? "cosine" : decay == Decay::Linear ? "linear" : "constant";
}
inline void from_name(Decay& decay, const std::string& text) {
  for (const auto candidate : {Decay::Cosine, Decay::Linear, Decay::Constant}) {
    if (name(candidate) != text) continue;
    decay = candidate;
    return;
  }
  check_argument(false, "[schedule] expected decay cosine, linear or constant, got ", text);
}

struct LearningRateOptions {
  double learning_rate = 1e-3;    ///< at the end of the warm-up
  double minimum = 0;             ///< at the end of training
  std::int64_t warmup_steps = 0;  ///< steps from 0 up to learning_rate
  std::int64_t steps = 1;         ///< steps in all, warm-up included
  Decay decay = Decay::Cosine;
};

/// The learning rate of a step in [0, steps]. Warm-up lr * step / warmup_steps, then
/// minimum + (lr - minimum) * (1 + cos(pi * (step - warmup) / (steps - warmup))) / 2 (MAE,
/// util/lr_sched.py), a straight line, or constant. Steps past the end stay at the minimum. A step
/// may be a fraction (MAE passes fractional epochs, with options in epochs). \throws
/// std::invalid_argument if step or warmup_steps is negative
inline double learning_rate(double step, const LearningRateOptions& options) {
  check_argument(step >= 0 && options.warmup_steps >= 0,
                 "[schedule] expected step and warmup_steps of at least 0, got ", step, " and ",
                 options.warmup_steps);
  const double top = options.learning_rate;
  if (step < static_cast<double>(options.warmup_steps)) {
    return top * step / static_cast<double>(options.warmup_steps);
  }
  if (options.decay == Decay::Constant) return top;
  if (step >= static_cast<double>(options.steps)) return options.minimum;
  const double done = (step - static_cast<double>(options.warmup_steps)) /
                      static_cast<double>(options.steps - options.warmup_steps);
  const double left =
      options.decay == Decay::Linear ? 1 - done : (1 + std::cos(std::numbers::pi * done)) / 2;
  return options.minimum + (top - options.minimum) * left;
}

/// Half a cosine from `top` at 0 to `minimum` at `period`, and up again after it (torch's
/// CosineAnnealingLR). \throws std::invalid_argument if period is not above 0
inline double cosine_annealing(double step, double top, double minimum, double period) {
  check_argument(period > 0, "[schedule] expected a period above 0, got ", period);
  return minimum + (top - minimum) * (1 + std::cos(std::numbers::pi * step / period)) / 2;
}

/// transformers' and diffusers' get_cosine_schedule_with_warmup (..._with_min_lr): learning_rate()
/// with Decay::Cosine, but past the end it goes up again.
inline double transformers_cosine(double step, const LearningRateOptions& o) {
  const auto warmup = static_cast<double>(o.warmup_steps);
  if (step < warmup) return o.learning_rate * step / warmup;
  return cosine_annealing(step - warmup, o.learning_rate, o.minimum,
                          std::max(1.0, static_cast<double>(o.steps) - warmup));
}

/// timm's CosineLRScheduler with one cycle: the warm-up starts at `warmup_start`, and the cosine of
/// `o.steps` (t_initial) begins at step 0 behind it, so that the rate jumps where they meet, or
/// with `prefix` (warmup_prefix) after it; then the minimum.
inline double timm_cosine(double step, const LearningRateOptions& o, double warmup_start = 0,
                          bool prefix = false) {
  const auto warmup = static_cast<double>(o.warmup_steps);
  if (step < warmup) return warmup_start + (o.learning_rate - warmup_start) * step / warmup;
  const double at = prefix ? step - warmup : step;
  const auto period = static_cast<double>(o.steps);
  return at < period ? cosine_annealing(at, o.learning_rate, o.minimum, period) : o.minimum;
}

struct OneCycleOptions {
  double learning_rate = 1e-2;  ///< the top
  std::int64_t steps = 1;       ///< in all; the last is steps - 1
  double rising = 0.3;          ///< share of the steps that go up, in (0, 1)
  double start_divisor = 25;    ///< the first rate is the top over this
  double end_divisor = 10'000;  ///< the last rate is the first over this
};

/// torch's OneCycleLR with cosines: up from top / start_divisor to the top at step rising * steps -
/// 1, down to the last rate at steps - 1 (Smith and Topin, arXiv 1708.07120). \throws
/// std::invalid_argument for a step outside [0, steps) or an option out of range
inline double one_cycle(double step, const OneCycleOptions& o) {
  const double last = static_cast<double>(o.steps) - 1;
  check_argument(o.rising > 0 && o.rising < 1 && o.rising * static_cast<double>(o.steps) > 1,
                 "[schedule] expected rising in (0, 1) and more than one rising step, got ",
                 o.rising, " of ", o.steps, " steps");
  check_argument(o.start_divisor > 0 && o.end_divisor > 0,
                 "[schedule] expected divisors above 0, got ", o.start_divisor, " and ",
                 o.end_divisor);
  check_argument(step >= 0 && step <= last, "[schedule] expected a step of 0 to ", last, ", got ",
                 step);
  const double peak = o.rising * static_cast<double>(o.steps) - 1;
  const double first_rate = o.learning_rate / o.start_divisor;
  if (step <= peak) return cosine_annealing(step, first_rate, o.learning_rate, peak);
  return cosine_annealing(step - peak, o.learning_rate, first_rate / o.end_divisor, last - peak);
}

}  // namespace dermis
