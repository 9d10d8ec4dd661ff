#pragma once
/// \file
/// Multinomial logistic regression: the trivial baselines (16x16 pixels, colour histograms, image
/// size) and linear probes that a trained network has to beat.

#include <Eigen/Core>
#include <vector>

namespace dermis {

struct LinearClassifierOptions {
  double l2 = 1e-2;  ///< weight of |W|^2 / 2 beside the mean loss; scikit-learn's C is 1 / (l2 N)
  bool balanced = false;     ///< weigh rows by N / (classes present * rows of the class)
  int max_iterations = 300;  ///< L-BFGS steps
  double tolerance = 1e-6;   ///< stop when no entry of the gradient exceeds it
};

/// A fitted classifier. Features are standardised by the training rows' mean and deviation before
/// they are weighted; a feature that is constant there is ignored.
class LinearClassifier {
 public:
  /// softmax(standardised(x) W + b) for x [N, D]: [N, C]. Classes without a training row have
  /// probability 0. Throws std::invalid_argument for another D.
  Eigen::MatrixXd probabilities(const Eigen::MatrixXd& x) const;
  /// The most probable class of each row of x [N, D].
  std::vector<int> predict(const Eigen::MatrixXd& x) const;

  const Eigen::MatrixXd& weights() const { return weights_; }  ///< [D, C], of standardised features
  const Eigen::RowVectorXd& bias() const {
    return bias_;
  }                                               ///< [C]; -inf for classes without a training row
  int iterations() const { return iterations_; }  ///< L-BFGS steps taken
  bool converged() const { return converged_; }   ///< the tolerance was reached

 private:
  friend LinearClassifier fit_linear_classifier(const Eigen::MatrixXd& x,
                                                const std::vector<int>& labels, int classes,
                                                const LinearClassifierOptions& options);
  Eigen::RowVectorXd mean_;
  Eigen::RowVectorXd inverse_deviation_;  // 0 for a constant feature
  Eigen::MatrixXd weights_;
  Eigen::RowVectorXd bias_;
  int iterations_ = 0;
  bool converged_ = false;
};

/// Minimises mean cross-entropy + l2 |W|^2 / 2 (the bias is not penalised) over x [N, D] with
/// `labels` in [0, classes) by full-batch preconditioned L-BFGS: deterministic, no random start.
/// Throws std::invalid_argument for fewer than two classes with rows, labels out of range, values
/// that are not finite, a negative l2.
LinearClassifier fit_linear_classifier(const Eigen::MatrixXd& x, const std::vector<int>& labels,
                                       int classes, const LinearClassifierOptions& options = {});

}  // namespace dermis
