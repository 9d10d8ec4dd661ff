#pragma once
/// \file
/// Learning-rate schedules as pure functions of the step.

#include <cmath>
#include <cstdint>
#include <numbers>

#include "dermis/core/check.hpp"

namespace dermis {

/// How the learning rate goes from its top to its minimum after the warm-up.
enum class Decay { Cosine, Linear, Constant };

struct LearningRateOptions {
  double learning_rate = 1e-3;    ///< at the end of the warm-up
  double minimum = 0;             ///< at the end of training
  std::int64_t warmup_steps = 0;  ///< steps from 0 up to learning_rate
  std::int64_t steps = 1;         ///< steps in all, warm-up included
  Decay decay = Decay::Cosine;
};

/// The learning rate of a step in [0, steps]. Warm-up lr * step / warmup_steps, then
/// minimum + (lr - minimum) * (1 + cos(pi * (step - warmup) / (steps - warmup))) / 2 (MAE,
/// util/lr_sched.py), a straight line, or constant. Steps past the end stay at the minimum. \throws
/// std::invalid_argument if step or warmup_steps is negative
inline double learning_rate(std::int64_t step, const LearningRateOptions& options) {
  check_argument(step >= 0 && options.warmup_steps >= 0,
                 "[schedule] expected step and warmup_steps of at least 0, got ", step, " and ",
                 options.warmup_steps);
  const double top = options.learning_rate;
  if (step < options.warmup_steps) {
    return top * static_cast<double>(step) / static_cast<double>(options.warmup_steps);
  }
  if (options.decay == Decay::Constant) return top;
  if (step >= options.steps) return options.minimum;
  const double done = static_cast<double>(step - options.warmup_steps) /
                      static_cast<double>(options.steps - options.warmup_steps);
  const double left =
      options.decay == Decay::Linear ? 1 - done : (1 + std::cos(std::numbers::pi * done)) / 2;
  return options.minimum + (top - options.minimum) * left;
}

}  // namespace dermis
