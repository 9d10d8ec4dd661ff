#include "dermis/edge/calibration.hpp"

#include "dermis/core/check.hpp"
#include "dermis/metrics/calibration.hpp"
#include "dermis/metrics/early_exit.hpp"

namespace dermis::edge {
namespace {

/// Of every exit: [images, classes].
std::vector<Eigen::MatrixXd> logits_by_exit(Model& model, const LabelledPixels& images) {
  const auto& n = model.manifest().network;
  std::vector<Eigen::MatrixXd> logits(static_cast<std::size_t>(n.exits()),
                                      Eigen::MatrixXd(images.count, n.num_classes));
  std::vector<float> pixels(static_cast<std::size_t>(3 * n.image_size * n.image_size));
  for (std::int64_t i = 0; i < images.count; ++i) {
    images.pixels(i, pixels.data());
    const auto& values = model.logits(pixels.data());
    for (std::int64_t exit = 0; exit < n.exits(); ++exit)
      for (std::int64_t c = 0; c < n.num_classes; ++c)
        logits[static_cast<std::size_t>(exit)](i, c) =
            values[static_cast<std::size_t>(exit * n.num_classes + c)];
  }
  return logits;
}

}  // namespace

ExitCalibration calibrate_exits(Model& model, const LabelledPixels& validation,
                                std::optional<double> allowed_loss) {
  check_argument(validation.count > 0 &&
                     validation.labels.size() == static_cast<std::size_t>(validation.count),
                 "[deploy] expected validation images with a label each, got ", validation.count,
                 " images and ", validation.labels.size(), " labels");
  ExitCalibration found;
  ProbabilitiesByDepth by_exit;
  for (const auto& logits : logits_by_exit(model, validation)) {
    try {
      found.temperatures.push_back(fit_temperature(logits, validation.labels));
    } catch (const std::invalid_argument& error) {
      found.temperatures.push_back(1);
      found.remarks.push_back(
          text("exit ", by_exit.size(), " keeps temperature 1: ", error.what()));
    }
    by_exit.push_back(softmax(logits, found.temperatures.back()));
  }
  const double confidence =
      allowed_loss ? least_exit_threshold(by_exit, validation.labels, *allowed_loss) : kNeverEarly;
  found.confidences.assign(by_exit.size() - 1, confidence);
  return found;
}

}  // namespace dermis::edge
