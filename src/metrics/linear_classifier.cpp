#include "dermis/metrics/linear_classifier.hpp"

#include <Eigen/Cholesky>
#include <cmath>
#include <deque>
#include <limits>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

/// Rows of logits to rows of probabilities, in place; returns log(sum(exp)) of each row.
VectorXd softmax_rows(MatrixXd& logits) {
  const VectorXd highest = logits.rowwise().maxCoeff();
  logits = (logits.colwise() - highest).array().exp().matrix();
  const VectorXd sums = logits.rowwise().sum();
  logits.array().colwise() /= sums.array();
  return highest.array() + sums.array().log();
}

/// Weighted mean cross-entropy with an L2 term; the parameters are W [D, C] and below it the bias
/// [1, C], as one vector.
class Objective {
 public:
  Objective(const MatrixXd& x, const std::vector<int>& labels, const VectorXd& row_weights,
            Eigen::RowVectorXd offset, double l2)
      : x_(x), labels_(labels), row_weights_(row_weights), offset_(std::move(offset)), l2_(l2) {}

  double operator()(const VectorXd& parameters, VectorXd& gradient) const {
    const Eigen::Index features = x_.cols();
    const Eigen::Index classes = offset_.cols();
    const Eigen::Map<const MatrixXd> w(parameters.data(), features, classes);
    const Eigen::Map<const Eigen::RowVectorXd> bias(parameters.data() + w.size(), classes);
    MatrixXd p = x_ * w;  // [N, C]
    p.rowwise() += bias + offset_;
    VectorXd own_logit(x_.rows());
    for (Eigen::Index i = 0; i < x_.rows(); ++i) {
      own_logit(i) = p(i, labels_[static_cast<std::size_t>(i)]);
    }
    const VectorXd log_sums = softmax_rows(p);
    const double loss = row_weights_.dot(log_sums - own_logit) + l2_ / 2 * w.squaredNorm();
    for (Eigen::Index i = 0; i < x_.rows(); ++i) p(i, labels_[static_cast<std::size_t>(i)]) -= 1;
    p.array().colwise() *= row_weights_.array();
    gradient.resize(parameters.size());
    Eigen::Map<MatrixXd> gw(gradient.data(), features, classes);
    gw.noalias() = x_.transpose() * p;
    gw += l2_ * w;
    gradient.tail(classes) = p.colwise().sum().transpose();
    return loss;
  }

 private:
  const MatrixXd& x_;
  const std::vector<int>& labels_;
  const VectorXd& row_weights_;
  Eigen::RowVectorXd offset_;  // -inf for classes without a training row
  double l2_;
};

/// The inverse of an approximate Hessian, the same for every class: X^T diag(w) X s + l2 I for the
/// weights and s for the bias, where s stands for p (1 - p) of even odds. Neighbouring pixels are
/// so alike that plain L-BFGS needs ten times the steps.
class Preconditioner {
 public:
  Preconditioner(const MatrixXd& x, const VectorXd& row_weights, int classes, double present,
                 double l2)
      : features_(x.cols()), classes_(classes), spread_((1 - 1 / present) / present) {
    if (features_ > max_features) return;  // the factorisation would cost more than it saves
    const MatrixXd weighted = row_weights.cwiseSqrt().asDiagonal() * x;
    MatrixXd hessian = MatrixXd::Zero(features_, features_);
    hessian.selfadjointView<Eigen::Lower>().rankUpdate(weighted.transpose(), spread_);
    hessian.diagonal().array() += l2 + 1e-6 * spread_;  // constant features leave zeros
    factor_.compute(hessian);
  }

  void apply(VectorXd& direction) const {
    if (features_ > max_features) return;
    Eigen::Map<MatrixXd> weights(direction.data(), features_, classes_);
    factor_.solveInPlace(weights);
    direction.tail(classes_) /= spread_;
  }

 private:
  static constexpr Eigen::Index max_features = 2048;
  Eigen::Index features_;
  Eigen::Index classes_;
  double spread_;
  Eigen::LLT<MatrixXd> factor_;
};

struct Correction {
  VectorXd step;
  VectorXd change;  // of the gradient
  double inverse_curvature;
  double scale;  // of the preconditioner
};

/// The two-loop recursion (Nocedal and Wright, Numerical Optimization, algorithm 7.4) around the
/// preconditioner.
VectorXd quasi_newton_direction(const VectorXd& gradient, const std::deque<Correction>& history,
                                const Preconditioner& preconditioner) {
  VectorXd direction = -gradient;
  std::vector<double> alphas(history.size());
  for (std::size_t k = history.size(); k-- > 0;) {
    alphas[k] = history[k].inverse_curvature * history[k].step.dot(direction);
    direction -= alphas[k] * history[k].change;
  }
  preconditioner.apply(direction);
  if (!history.empty()) direction *= history.back().scale;
  for (std::size_t k = 0; k < history.size(); ++k) {
    const double beta = history[k].inverse_curvature * history[k].change.dot(direction);
    direction += (alphas[k] - beta) * history[k].step;
  }
  return direction;
}

struct Minimum {
  VectorXd parameters;
  int iterations = 0;
  bool converged = false;
};

/// L-BFGS. The line search brackets and bisects for the weak Wolfe conditions, which keep the
/// curvature positive (Lewis and Overton, "Nonsmooth optimization via quasi-Newton methods", 2013,
/// algorithm 2.6).
Minimum minimise(const Objective& objective, const Preconditioner& preconditioner, VectorXd start,
                 int max_iterations, double tolerance) {
  constexpr std::size_t memory = 10;
  constexpr double sufficient_decrease = 1e-4;
  constexpr double sufficient_curvature = 0.9;
  Minimum result{std::move(start)};
  VectorXd gradient, trial_gradient;
  double value = objective(result.parameters, gradient);
  std::deque<Correction> history;
  for (;;) {
    result.converged = gradient.lpNorm<Eigen::Infinity>() <= tolerance;
    if (result.converged || result.iterations == max_iterations) return result;
    const VectorXd direction = quasi_newton_direction(gradient, history, preconditioner);
    const double slope = gradient.dot(direction);
    double low = 0, high = std::numeric_limits<double>::infinity(), length = 1;
    double trial_value = value;
    VectorXd trial;
    bool accepted = false;
    for (int attempt = 0; attempt < 40 && !accepted; ++attempt) {
      trial = result.parameters + length * direction;
      trial_value = objective(trial, trial_gradient);
      if (!(trial_value <= value + sufficient_decrease * length * slope)) {
        high = length;
      } else if (trial_gradient.dot(direction) < sufficient_curvature * slope) {
        low = length;
      } else {
        accepted = true;
      }
      if (!accepted) length = std::isinf(high) ? 2 * low : (low + high) / 2;
    }
    if (!accepted) return result;  // no progress left at the precision of a double
    Correction correction{trial - result.parameters, trial_gradient - gradient, 0, 0};
    const double curvature = correction.step.dot(correction.change);
    if (curvature > 0) {
      correction.inverse_curvature = 1 / curvature;
      VectorXd change = correction.change;
      preconditioner.apply(change);
      correction.scale = curvature / correction.change.dot(change);
      history.push_back(std::move(correction));
      if (history.size() > memory) history.pop_front();
    }
    result.parameters = std::move(trial);
    gradient = trial_gradient;
    value = trial_value;
    ++result.iterations;
  }
}

}  // namespace

MatrixXd LinearClassifier::probabilities(const MatrixXd& x) const {
  check_argument(x.cols() == weights_.rows(), "[linear_classifier] expected ", weights_.rows(),
                 " features, got ", x.cols());
  detail::check_finite(x, "features");
  const MatrixXd standardised =
      ((x.rowwise() - mean_).array().rowwise() * inverse_deviation_.array()).matrix();
  MatrixXd p = standardised * weights_;  // [N, C]
  p.rowwise() += bias_;
  softmax_rows(p);
  return p;
}

std::vector<int> LinearClassifier::predict(const MatrixXd& x) const {
  return argmax(probabilities(x));
}

LinearClassifier fit_linear_classifier(const MatrixXd& x, const std::vector<int>& labels,
                                       int classes, const LinearClassifierOptions& options) {
  detail::check_labels(labels, classes);
  detail::check_same_rows(labels.size(), static_cast<std::size_t>(x.rows()), "rows of features");
  check_argument(x.cols() > 0, "[linear_classifier] expected at least 1 feature, got none");
  detail::check_finite(x, "features");
  check_argument(options.l2 >= 0 && std::isfinite(options.l2),
                 "[linear_classifier] expected l2 of at least 0, got ", options.l2);
  check_argument(options.max_iterations > 0 && options.tolerance > 0,
                 "[linear_classifier] expected max_iterations and tolerance above 0, got ",
                 options.max_iterations, " and ", options.tolerance);
  VectorXd counts = VectorXd::Zero(classes);
  for (const int label : labels) ++counts(label);
  const auto present = static_cast<double>((counts.array() > 0).count());
  check_argument(present >= 2, "[linear_classifier] expected rows of at least 2 classes, got ",
                 present);

  LinearClassifier fitted;
  const auto rows = static_cast<double>(x.rows());
  fitted.mean_ = x.colwise().mean();
  MatrixXd standardised = x.rowwise() - fitted.mean_;
  const Eigen::RowVectorXd deviation = (standardised.colwise().squaredNorm() / rows).cwiseSqrt();
  // Below this a deviation is the rounding error of the mean, not a difference between rows.
  const Eigen::RowVectorXd rounding = fitted.mean_.cwiseAbs() * 1e-12;
  fitted.inverse_deviation_ = Eigen::RowVectorXd::Zero(x.cols());
  for (Eigen::Index d = 0; d < x.cols(); ++d) {
    if (deviation(d) > rounding(d)) fitted.inverse_deviation_(d) = 1 / deviation(d);
  }
  standardised.array().rowwise() *= fitted.inverse_deviation_.array();

  VectorXd row_weights(x.rows());  // add up to 1
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const double count = counts(labels[static_cast<std::size_t>(i)]);
    row_weights(i) = options.balanced ? 1 / (present * count) : 1 / rows;
  }
  Eigen::RowVectorXd offset = Eigen::RowVectorXd::Zero(classes);
  VectorXd start = VectorXd::Zero((x.cols() + 1) * classes);
  for (int c = 0; c < classes; ++c) {
    if (counts(c) == 0) {
      offset(c) = -std::numeric_limits<double>::infinity();
    } else if (!options.balanced) {
      start(x.cols() * classes + c) = std::log(counts(c) / rows);
    }
  }
  const Objective objective(standardised, labels, row_weights, offset, options.l2);
  const Preconditioner preconditioner(standardised, row_weights, classes, present, options.l2);
  const Minimum minimum = minimise(objective, preconditioner, std::move(start),
                                   options.max_iterations, options.tolerance);
  fitted.weights_ = Eigen::Map<const MatrixXd>(minimum.parameters.data(), x.cols(), classes);
  fitted.bias_ = minimum.parameters.tail(classes).transpose() + offset;
  fitted.iterations_ = minimum.iterations;
  fitted.converged_ = minimum.converged;
  return fitted;
}

}  // namespace dermis
