#include "dermis/diffusion/dpm_solver.hpp"

#include <algorithm>
#include <cmath>

namespace dermis {

DPMSolver::DPMSolver(DiffusionProcess process, const DPMSolverOptions& options)
    : options_(options) {
  check_options();
  const SigmaTable table(process.schedule());
  if (options.sigmas == SigmaSpacing::Steps) {
    timesteps_ = visited_steps(table);
    for (const auto t : timesteps_) sigmas_.push_back(table.sigma_at(static_cast<double>(t)));
  } else {
    const auto& all = table.sigmas();
    if (options.sigmas == SigmaSpacing::Lu) {
      for (const double log :
           evenly_spaced(table.logs().back(), table.logs().front(), options.steps))
        sigmas_.push_back(std::exp(log));
    } else {
      sigmas_ = spaced_sigmas(options.sigmas, all.back(), all.front(), options.steps);
    }
    // diffusers rounds the steps where it knows that they are whole, and cuts them off elsewhere.
    const bool round = options.sigmas != SigmaSpacing::Exponential &&
                       process.schedule().options().betas != Betas::Cosine;
    for (const double sigma : sigmas_) {
      const double step = table.step_of(sigma);
      timesteps_.push_back(static_cast<std::int64_t>(round ? std::nearbyint(step) : step));
    }
  }
  for (auto& sigma : sigmas_) sigma = table.rounded(sigma);
  sigmas_.push_back(options.last_sigma_zero ? 0.0 : table.sigmas().front());
  estimate_ = [process = std::move(process)](const Level& level, const at::Tensor& x,
                                             const at::Tensor& output) {
    return process.estimate(level, x, output);
  };
}

DPMSolver::DPMSolver(RectifiedFlow flow, const DPMSolverOptions& options)
    : options_(options), flow_(true) {
  check_options();
  check_argument(options.last_sigma_zero,
                 "[dpm_solver] expected last_sigma_zero for a flow, which has no step 0");
  const auto& o = flow.options();
  sigmas_ = evenly_spaced(1.0, 1.0 / o.time_scale, options.steps + 1);
  std::reverse(sigmas_.begin(), sigmas_.end());
  for (auto& s : sigmas_) s = o.shift * (1.0 - s) / (1.0 + (o.shift - 1.0) * (1.0 - s));
  for (std::int64_t i = 0; i < options.steps; ++i)
    timesteps_.push_back(
        static_cast<std::int64_t>(sigmas_[static_cast<std::size_t>(i)] * o.time_scale));
  estimate_ = [flow = std::move(flow)](const Level& level, const at::Tensor& x,
                                       const at::Tensor& output) {
    return flow.estimate(level, x, output);
  };
}

void DPMSolver::check_options() const {
  const auto& o = options_;
  check_argument(o.order >= 1 && o.order <= 3, "[dpm_solver] expected order 1, 2 or 3, got ",
                 o.order);
  check_argument(o.steps >= 1, "[dpm_solver] expected at least 1 step, got ", o.steps);
  check_argument(o.spacing != Spacing::LDM,
                 "[dpm_solver] expected spacing leading, trailing or linspace, got ldm");
  check_argument(o.algorithm != DPMAlgorithm::NoiseSDE || o.order <= 2,
                 "[dpm_solver] expected order 1 or 2 for sde-dpmsolver, got ", o.order);
  check_argument(!extrapolates_noise() || !o.last_sigma_zero,
                 "[dpm_solver] expected no last_sigma_zero for ", name(o.algorithm),
                 ", which cannot reach a level without noise");
}

std::vector<std::int64_t> DPMSolver::visited_steps(const SigmaTable& table) const {
  const auto& o = options_;
  const auto T = static_cast<std::int64_t>(table.sigmas().size());
  const auto kept = [&](double sigma) { return -std::log(sigma) >= o.min_log_ratio; };
  const auto top = std::partition_point(table.sigmas().begin(), table.sigmas().end(), kept) -
                   table.sigmas().begin();
  const auto most = o.spacing == Spacing::Trailing ? T : top - 1;
  check_argument(o.steps <= most, "[dpm_solver] expected 1..", most, " steps, got ", o.steps);
  std::vector<std::int64_t> steps;
  const auto round = [](double x) { return static_cast<std::int64_t>(std::nearbyint(x)); };
  if (o.spacing == Spacing::Trailing) {
    const auto first = static_cast<double>(top);
    const double down = (first - static_cast<double>(T) / static_cast<double>(o.steps)) - first;
    const auto count = static_cast<std::int64_t>(std::ceil(first / -down - 1e-9));
    for (std::int64_t i = 0; i < count; ++i)
      steps.push_back(round(first + static_cast<double>(i) * down) - 1);
    return steps;
  }
  if (o.spacing == Spacing::Leading) {
    const auto stride = top / (o.steps + 1);
    check_argument(o.steps_offset >= 0 && o.steps * stride + o.steps_offset < T, "[dpm_solver] ",
                   o.steps, " steps with offset ", o.steps_offset, " go beyond the last of ", T,
                   " steps");
    for (std::int64_t i = o.steps; i >= 1; --i) steps.push_back(i * stride + o.steps_offset);
    return steps;
  }
  const auto line = evenly_spaced(0, static_cast<double>(top - 1), o.steps + 1);
  for (std::int64_t i = o.steps; i >= 1; --i)
    steps.push_back(round(line[static_cast<std::size_t>(i)]));
  return steps;
}

DPMSolver::Weights DPMSolver::weights(std::size_t i) const {
  const double sigma = sigmas_.at(i);
  if (flow_) return {1.0 - sigma, sigma};
  const double signal = 1.0 / std::sqrt(sigma * sigma + 1.0);
  return {signal, sigma * signal};
}

std::int64_t DPMSolver::order_at(std::size_t i) const {
  const auto& o = options_;
  const auto left = timesteps_.size() - i;  // this one included
  const bool lower = o.lower_order_final && timesteps_.size() < 15;
  auto order = std::min(o.order, static_cast<std::int64_t>(i) + 1);
  if (left == 1 && (o.first_order_final || lower || o.last_sigma_zero)) order = 1;
  if (left == 2 && lower) order = std::min<std::int64_t>(order, 2);
  return order;
}

/// With D0 the latest answer and D1, D2 its slope and curvature in units of the step h of lambda.
/// The SDEs walk twice as far towards the answer and add noise.
at::Tensor DPMSolver::step(const std::vector<at::Tensor>& answers, std::size_t i,
                           const at::Tensor& x, const at::Tensor& noise) const {
  const auto now = weights(i), next = weights(i + 1);
  const double h = next.lambda() - now.lambda();  // infinite where no noise is left
  const double times = is_sde() ? 2.0 : 1.0, k = times * h;
  if (h == 0.0) return x;  // the spacing ends at the last level already
  const bool heun = options_.correction == DPMCorrection::Heun;
  const auto order = order_at(i);

  double keep, first, second, third;  // weights of x, D0, D1 and D2
  if (extrapolates_noise()) {
    const double phi = std::expm1(h);
    keep = next.signal / now.signal;
    first = -times * next.noise * phi;
    second = heun || order == 3 ? -times * next.noise * (phi / h - 1.0) : 0.5 * first;
    third = -next.noise * ((phi - h) / (h * h) - 0.5);
  } else {
    const double phi = std::expm1(-k);
    keep = next.noise / now.noise * (is_sde() ? std::exp(-h) : 1.0);
    first = -next.signal * phi;
    second = heun || order == 3 ? next.signal * (phi / k + 1.0) : 0.5 * first;
    // For the SDE the exact integral has +0.5 too; -0.5 is what diffusers computes.
    third = -next.signal * ((phi + k) / (k * k) + (is_sde() ? 0.5 : -0.5));
  }
  auto result = keep * x + first * answers[0];
  if (order >= 2) {
    const double h0 = now.lambda() - weights(i - 1).lambda(), r0 = h0 / h;
    auto slope = (answers[0] - answers[1]) / r0;
    if (order == 3) {
      const double r1 = (weights(i - 1).lambda() - weights(i - 2).lambda()) / h;
      const auto change = slope - (answers[1] - answers[2]) / r1;
      slope = slope + r0 / (r0 + r1) * change;
      result = result + third / (r0 + r1) * change;
    }
    result = result + second * slope;
  }
  if (!is_sde()) return result;
  const double fresh =
      extrapolates_noise() ? std::sqrt(std::expm1(2.0 * h)) : std::sqrt(-std::expm1(-2.0 * h));
  return result + next.noise * fresh * noise;
}

at::Tensor DPMSolver::sample(const Denoiser& denoiser, at::Tensor x, const NoiseSource& noise,
                             const SamplerCallback& callback) const {
  const at::NoGradGuard no_grad;
  check_argument(!is_sde() || noise, "[dpm_solver] expected a source of noise for ",
                 name(options_.algorithm));
  std::vector<at::Tensor> answers;  // the latest first
  const auto total = static_cast<std::int64_t>(timesteps_.size());
  for (std::size_t i = 0; i < timesteps_.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    const auto t =
        at::full({x.size(0)}, timesteps_[i], x.options().dtype(flow_ ? at::kFloat : at::kLong));
    const auto at_now = weights(i);
    const Level level{at::scalar_tensor(at_now.signal, at::kDouble),
                      at::scalar_tensor(at_now.noise, at::kDouble)};
    auto estimate = estimate_(level, x, denoiser(x, t));
    if (options_.threshold_ratio > 0) {
      estimate.x0 =
          dynamic_threshold(estimate.x0, options_.threshold_ratio, options_.threshold_max);
      estimate.noise = (x - level.signal * estimate.x0) / level.noise;
    }
    answers.insert(answers.begin(), extrapolates_noise() ? estimate.noise : estimate.x0);
    if (static_cast<std::int64_t>(answers.size()) > options_.order) answers.pop_back();
    x = step(answers, i, x, is_sde() ? noise(index, x) : at::Tensor());
    if (callback) callback({index + 1, total, x, estimate.x0});
  }
  return x;
}

}  // namespace dermis
