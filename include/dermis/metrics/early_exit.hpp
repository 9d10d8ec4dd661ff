#pragma once
/// \file
/// Early exit: a network that answers at every depth stops at the first one that is sure enough.
/// What that saves, and what it costs, beside stopping at random.

#include <Eigen/Core>
#include <vector>

namespace dermis {

/// The probabilities of N images at each depth, first depth first: L matrices [N, C]. A threshold
/// on their maximum means most where they are calibrated, by a temperature a depth
/// (fit_temperature) that was fitted on other images.
using ProbabilitiesByDepth = std::vector<Eigen::MatrixXd>;

/// The depth, 1 .. L, at which each image leaves: the first whose largest probability is at least
/// `threshold`, else the last.
/// \throws std::invalid_argument without depths, for matrices of other shapes than the first, or
///         NaN
std::vector<int> exit_depths(const ProbabilitiesByDepth& by_depth, double threshold);

/// What each image is taken for at its own depth (see predict_labels for ties). `depths` [N] in
/// 1 .. L.
std::vector<int> exit_predictions(const ProbabilitiesByDepth& by_depth,
                                  const std::vector<int>& depths);

/// What a figure would be expected to be if images left at random, whatever they show, at
/// `mean_depth` on average: each at one of the two neighbouring depths, with the odds that give
/// this mean. Accuracy and balanced accuracy are means of what single images add, so the expected
/// value is the same mixture of the two depths' figures.
/// \param figures  [L], of depths 1 .. L
/// \throws std::invalid_argument unless mean_depth is in [1, L]
double random_exit(const std::vector<double>& figures, double mean_depth);

/// A threshold and what it leads to.
struct ExitPoint {
  double threshold = 0;
  double mean_depth = 0;  ///< over the images
  double accuracy = 0, balanced_accuracy = 0;
  double random_accuracy = 0, random_balanced_accuracy = 0;  ///< random_exit at this mean_depth
};

/// One point a threshold, in their order. labels: [N].
std::vector<ExitPoint> early_exit_curve(const ProbabilitiesByDepth& by_depth,
                                        const std::vector<int>& labels,
                                        const std::vector<double>& thresholds);

/// 0, 0.05 .. 0.95, then 0.97, 0.99 and 1.
std::vector<double> exit_thresholds();

/// A threshold above every probability: no image leaves early.
inline constexpr double kNeverEarly = 2;

/// The least of `thresholds` (rising) from which on balanced accuracy is at most `allowed_loss`
/// (0.01: one point) below that of the last depth; kNeverEarly if there is none. Choose it on
/// validation images, never on those to be judged.
/// \throws std::invalid_argument for an allowed_loss below 0, and as early_exit_curve
double least_exit_threshold(const ProbabilitiesByDepth& by_depth, const std::vector<int>& labels,
                            double allowed_loss,
                            const std::vector<double>& thresholds = exit_thresholds());

}  // namespace dermis
