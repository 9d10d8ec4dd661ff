#pragma once
/// \file
/// Noise levels sigma = noise / signal of a schedule, and ways to space them over a sampler's steps
/// (Karras et al., arXiv 2206.00364), as Euler and DPMSolver walk them.

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "dermis/diffusion/noise_schedule.hpp"
#include "dermis/diffusion/sampler.hpp"

namespace dermis {

/// How the noise levels between the noisiest and the least noisy are spaced.
enum class SigmaSpacing {
  Steps,        ///< those of the training steps that Spacing picks
  Karras,       ///< evenly in sigma^(1/7)
  Exponential,  ///< evenly in log sigma
  Lu            ///< evenly in log sigma over the whole table (arXiv 2206.00927); DPMSolver alone
};

inline std::string_view name(SigmaSpacing spacing) {
  switch (spacing) {
    case SigmaSpacing::Steps:
      return "steps";
    case SigmaSpacing::Karras:
      return "karras";
    case SigmaSpacing::Exponential:
      return "exponential";
    default:
      return "lu";
  }
}

inline SigmaSpacing sigma_spacing_from_name(std::string_view text) {
  for (const auto s :
       {SigmaSpacing::Steps, SigmaSpacing::Karras, SigmaSpacing::Exponential, SigmaSpacing::Lu})
    if (name(s) == text) return s;
  check_argument(false, "[sigma_spacing] expected steps, karras, exponential or lu, got ", text);
  return {};
}
inline void from_name(SigmaSpacing& spacing, std::string_view text) {
  spacing = sigma_spacing_from_name(text);
}

/// `count` levels from `high` down to `low`, both included, spaced as `spacing` (Karras or
/// Exponential) says.
inline std::vector<double> spaced_sigmas(SigmaSpacing spacing, double high, double low,
                                         std::int64_t count) {
  check_argument(high >= low && low > 0, "[sigmas] expected positive levels, got ", high, " to ",
                 low);
  constexpr double kRho = 7.0;
  const bool karras = spacing == SigmaSpacing::Karras;
  auto sigmas = karras ? evenly_spaced(std::pow(high, 1 / kRho), std::pow(low, 1 / kRho), count)
                       : evenly_spaced(std::log(high), std::log(low), count);
  for (auto& sigma : sigmas) sigma = karras ? std::pow(sigma, kRho) : std::exp(sigma);
  return sigmas;
}

/// sigma = sqrt((1 - alpha_bar) / alpha_bar) of every training step, and back. Rounds to fp32 where
/// the schedule does. A last step without signal is given alpha_bar 2^-24, the smallest half
/// precision number, so that its sigma is finite.
class SigmaTable {
 public:
  explicit SigmaTable(const NoiseSchedule& schedule)
      : single_(schedule.options().single_precision) {
    for (std::int64_t t = 0; t < schedule.steps(); ++t) {
      double a = schedule.alpha_bar(t);
      if (schedule.options().zero_terminal_snr && t + 1 == schedule.steps())
        a = std::ldexp(1.0, -24);
      sigmas_.push_back(rounded(std::sqrt(rounded(rounded(1.0 - a) / a))));
      logs_.push_back(rounded(std::log(sigmas_.back())));
    }
  }

  /// By training step: rising.
  const std::vector<double>& sigmas() const { return sigmas_; }
  const std::vector<double>& logs() const { return logs_; }

  /// sigma at a step that may lie between two; the ends are held.
  double sigma_at(double step) const {
    const auto last = static_cast<double>(sigmas_.size() - 1);
    const double clamped = std::clamp(step, 0.0, last);
    const auto low = static_cast<std::size_t>(std::min(std::floor(clamped), last - 1));
    return sigmas_[low] + (sigmas_[low + 1] - sigmas_[low]) * (clamped - static_cast<double>(low));
  }

  /// The step, possibly between two, at which log sigma has been reached; the ends are held.
  double step_of(double sigma) const {
    const double log_sigma = std::log(std::max(sigma, 1e-10));
    // From the end: without terminal signal the last sigma may be below the one before it.
    auto low = logs_.size() - 1;
    while (low > 0 && logs_[low] > log_sigma) --low;
    low = std::min(low, logs_.size() - 2);
    const double share = (logs_[low] - log_sigma) / rounded(logs_[low] - logs_[low + 1]);
    const double w = std::clamp(share, 0.0, 1.0), at_low = static_cast<double>(low);
    return (1.0 - w) * at_low + w * (at_low + 1.0);
  }

  /// `value` in the precision of the schedule.
  double rounded(double value) const {
    return single_ ? static_cast<double>(static_cast<float>(value)) : value;
  }

 private:
  bool single_;
  std::vector<double> sigmas_, logs_;
};

}  // namespace dermis
