#include "dermis/metrics/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "arguments.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {

std::vector<ReliabilityBin> reliability_bins(const Eigen::MatrixXd& probabilities,
                                             const std::vector<int>& labels, int bins) {
  check_argument(bins > 0, "[calibration] expected at least 1 bin, got ", bins);
  detail::check_labels(labels, static_cast<int>(probabilities.cols()));
  detail::check_same_rows(labels.size(), static_cast<std::size_t>(probabilities.rows()),
                          "rows of probabilities");
  const std::vector<int> predictions = argmax(probabilities);
  std::vector<ReliabilityBin> result(static_cast<std::size_t>(bins));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.row(static_cast<Eigen::Index>(i));
    // A softmax in single precision may exceed 1 by a rounding error.
    check_argument(row.minCoeff() >= -1e-6 && row.maxCoeff() <= 1 + 1e-6,
                   "[calibration] expected probabilities in [0, 1], got ", row.minCoeff(), " .. ",
                   row.maxCoeff(), " in row ", i);
    const double confidence = std::clamp(row.maxCoeff(), 0.0, 1.0);
    const int index = std::clamp(static_cast<int>(std::ceil(confidence * bins)) - 1, 0, bins - 1);
    ReliabilityBin& bin = result[static_cast<std::size_t>(index)];
    ++bin.count;
    bin.confidence += confidence;
    bin.accuracy += predictions[i] == labels[i] ? 1 : 0;
  }
  for (int b = 0; b < bins; ++b) {
    ReliabilityBin& bin = result[static_cast<std::size_t>(b)];
    bin.lower = static_cast<double>(b) / bins;
    bin.upper = static_cast<double>(b + 1) / bins;
    const double count =
        bin.count > 0 ? static_cast<double>(bin.count) : std::numeric_limits<double>::quiet_NaN();
    bin.confidence /= count;
    bin.accuracy /= count;
  }
  return result;
}

double expected_calibration_error(const Eigen::MatrixXd& probabilities,
                                  const std::vector<int>& labels, int bins) {
  double sum = 0;
  for (const ReliabilityBin& bin : reliability_bins(probabilities, labels, bins)) {
    if (bin.count > 0) {
      sum += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
    }
  }
  return labels.empty() ? std::numeric_limits<double>::quiet_NaN()
                        : sum / static_cast<double>(labels.size());
}

}  // namespace dermis
