#pragma once
/// \file
/// What the network is asked to predict (noise, velocity or the clean sample), how to turn its
/// answer into both clean sample and noise, and how steps are weighted.

#include "dermis/diffusion/noise_schedule.hpp"

namespace dermis {

/// The network's output, with x_t = a x0 + b eps.
enum class Prediction {
  Epsilon,   ///< the noise eps
  Velocity,  ///< v = a eps - b x0 (arXiv 2202.00512, appendix D)
  Sample     ///< the clean sample x0
};

inline std::string_view name(Prediction prediction) {
  switch (prediction) {
    case Prediction::Epsilon:
      return "epsilon";
    case Prediction::Velocity:
      return "velocity";
    default:
      return "sample";
  }
}

inline Prediction prediction_from_name(std::string_view text) {
  for (const auto p : {Prediction::Epsilon, Prediction::Velocity, Prediction::Sample})
    if (name(p) == text) return p;
  check_argument(false, "[prediction] expected epsilon, velocity or sample, got ", text);
  return {};
}
inline void from_name(Prediction& prediction, std::string_view text) {
  prediction = prediction_from_name(text);
}

/// Clean sample and noise that together make x_t.
struct Estimate {
  at::Tensor x0, noise;
};

/// A training example: the network sees x and time and should answer target.
struct NoisyBatch {
  at::Tensor x;       ///< [B, C, H, W]
  at::Tensor time;    ///< [B], as the network takes it
  at::Tensor target;  ///< [B, C, H, W]
};

/// Discrete-time diffusion: a noise schedule and what the network predicts. Has the same functions
/// as RectifiedFlow, so that training, evaluation and LinearDenoiser take either.
///
///     DiffusionProcess process(ldm_schedule(), Prediction::Epsilon);
///     auto batch = process.corrupt(latents, noise, process.times(uniforms));
///     auto loss = (unet->forward(batch.x, batch.time, labels) - batch.target).square().mean();
class DiffusionProcess {
 public:
  explicit DiffusionProcess(const NoiseScheduleOptions& schedule = {},
                            Prediction prediction = Prediction::Epsilon)
      : DiffusionProcess(NoiseSchedule(schedule), prediction) {}
  explicit DiffusionProcess(NoiseSchedule schedule, Prediction prediction = Prediction::Epsilon)
      : schedule_(std::move(schedule)), prediction_(prediction) {}

  const NoiseSchedule& schedule() const { return schedule_; }
  Prediction prediction() const { return prediction_; }

  /// Steps for draws u [B] of U[0, 1): floor(T u), int64 [B].
  at::Tensor times(const at::Tensor& u) const {
    const auto last = schedule_.steps() - 1;
    return (u.to(at::kDouble) * static_cast<double>(schedule_.steps()))
        .to(at::kLong)
        .clamp(0, last);
  }
  /// The network takes the step itself; and back.
  at::Tensor model_time(const at::Tensor& t) const { return t; }
  at::Tensor from_model_time(const at::Tensor& time) const { return time.to(at::kLong); }

  Level level(const at::Tensor& t, const at::Tensor& like) const {
    return schedule_.level(t, like);
  }

  /// What the network should answer at `level`.
  at::Tensor target(const Level& level, const Estimate& truth) const {
    switch (prediction_) {
      case Prediction::Epsilon:
        return truth.noise;
      case Prediction::Velocity:
        return level.signal * truth.noise - level.noise * truth.x0;
      default:
        return truth.x0;
    }
  }

  /// Clean sample and noise that follow from x = x_t and the network's output. At the noisy end
  /// an epsilon divides by a small signal: errors of x0 grow as 1 / signal there.
  Estimate estimate(const Level& level, const at::Tensor& x, const at::Tensor& output) const {
    switch (prediction_) {
      case Prediction::Epsilon:
        return {(x - level.noise * output) / level.signal, output};
      case Prediction::Velocity:
        return {level.signal * x - level.noise * output, level.signal * output + level.noise * x};
      default:
        return {output, (x - level.signal * output) / level.noise};
    }
  }

  /// x_t, time and target for clean samples x0 [B, ...], noise of N(0, 1) and steps t int64 [B].
  NoisyBatch corrupt(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& t) const {
    const auto at_t = level(t, x0);
    return {at_t.signal * x0 + at_t.noise * noise, model_time(t), target(at_t, {x0, noise})};
  }

 private:
  NoiseSchedule schedule_;
  Prediction prediction_;
};

/// Min-SNR weights [B] of steps t (arXiv 2303.09556): min(snr, gamma) / snr for epsilon, / (snr +
/// 1) for velocity, / 1 for the sample, so that the few noisy steps do not dominate the loss. A
/// step without signal (snr 0) weighs 1.
inline at::Tensor min_snr_weight(const DiffusionProcess& process, const at::Tensor& t,
                                 double gamma = 5.0) {
  check_argument(gamma > 0, "[min_snr] expected a positive gamma, got ", gamma);
  const auto a = process.schedule().alpha_bars(t);
  const auto snr = a / (1.0 - a);
  const auto capped = snr.clamp_max(gamma);
  const auto weight = process.prediction() == Prediction::Epsilon    ? capped / snr
                      : process.prediction() == Prediction::Velocity ? capped / (snr + 1.0)
                                                                     : capped;
  return at::where(snr > 0, weight, 1.0).to(t.device(), at::kFloat);
}

}  // namespace dermis
