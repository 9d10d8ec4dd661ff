#pragma once
/// \file
/// Calibration: do probabilities say how often the model is right? Reliability bins, calibration
/// errors, the Brier score, and temperature scaling, which mends over- and underconfidence.
/// Labels are class indices 0 .. C-1. All functions throw std::invalid_argument for labels out of
/// range and unequal lengths, those of probabilities [N, C] also for values outside [0, 1].

#include <Eigen/Core>
#include <cstdint>
#include <vector>

namespace dermis {

/// The rows whose confidence (largest probability) lies in (lower, upper]; the first bin includes
/// 0.
struct ReliabilityBin {
  double lower = 0;
  double upper = 0;
  std::int64_t count = 0;
  double confidence = 0;  ///< mean confidence of the rows, NaN if there is none
  double accuracy =
      0;  ///< share of the rows whose most probable class is right, NaN if there is none
};

/// `bins` bins of equal width over [0, 1]. No bins is std::invalid_argument.
std::vector<ReliabilityBin> reliability_bins(const Eigen::MatrixXd& probabilities,
                                             const std::vector<int>& labels, int bins = 15);

/// Mean over rows of |accuracy - confidence| of the row's bin (Guo et al., arXiv 1706.04599, eq.
/// 3), in [0, 1]; NaN without rows. Looks at the most probable class alone.
double expected_calibration_error(const Eigen::MatrixXd& probabilities,
                                  const std::vector<int>& labels, int bins = 15);

/// The largest |accuracy - confidence| of a bin that has rows (the same paper, eq. 5: MCE), in [0,
/// 1]; NaN without rows.
double maximum_calibration_error(const Eigen::MatrixXd& probabilities,
                                 const std::vector<int>& labels, int bins = 15);

/// Square root of the mean over rows of (accuracy - confidence)^2 of the row's bin, in [0, 1]; NaN
/// without rows.
double rms_calibration_error(const Eigen::MatrixXd& probabilities, const std::vector<int>& labels,
                             int bins = 15);

/// ACE (Nixon et al., arXiv 1904.01685): for each class all rows, sorted by the probability of that
/// class, are cut into `bins` bins of equally many rows; mean over classes and bins of |share of
/// rows of the class - mean probability|, in [0, 1]; NaN without rows. Looks at every probability,
/// not only at the largest, and no bin is all but empty.
///
/// Departs from the paper for equal probabilities, which stay in one bin, so that the order of rows
/// does not matter: the bin that a cut would divide is filled up with all of them. Bins are weighed
/// by their rows, which is the paper's plain mean where they hold equally many.
double adaptive_calibration_error(const Eigen::MatrixXd& probabilities,
                                  const std::vector<int>& labels, int bins = 15);

/// Mean over rows of the sum over classes of (p - y)^2, y = 1 for the true class and 0 otherwise
/// (Brier 1950): in [0, 2] for rows that sum to 1, 0 is best; NaN without rows. With two classes it
/// is twice the binary score of one of them.
double brier_score(const Eigen::MatrixXd& probabilities, const std::vector<int>& labels);

/// Mean over rows of -log p[label], with p at least 2^-52 (scikit-learn's log_loss), so that one
/// probability of 0 does not make it infinite; NaN without rows.
double log_loss(const Eigen::MatrixXd& probabilities, const std::vector<int>& labels);

/// softmax(logits / temperature) of each row of `logits` [N, C]. Above 1 a temperature makes rows
/// less confident, below 1 more; the order of the classes stays. Throws std::invalid_argument for
/// logits that are not finite, a temperature that is not above 0 or not finite.
Eigen::MatrixXd softmax(const Eigen::MatrixXd& logits, double temperature = 1);

/// Temperature scaling (Guo et al., section 4.2): the T > 0 that minimises the mean of
/// -log softmax(logits / T)[label] over `logits` [N, C]. Fit it on validation rows, never on those
/// to be judged. Log-probabilities serve as logits.
///
/// Throws std::invalid_argument where no temperature can be told: fewer than two classes among the
/// labels, every row right (the best T would be 0), or logits that say no more about the labels
/// than chance (the best T would be infinite).
double fit_temperature(const Eigen::MatrixXd& logits, const std::vector<int>& labels);

}  // namespace dermis
