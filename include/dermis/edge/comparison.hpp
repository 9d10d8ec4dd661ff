#pragma once
/// \file
/// What a smaller file costs: edge files of one network judged on the same labelled images.

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/edge/labelled_pixels.hpp"
#include "dermis/edge/manifest.hpp"
#include "dermis/metrics/bootstrap.hpp"

namespace dermis::edge {

/// One file's figures. Differences are those to the first file, in pairs: by lesion, on the same
/// images.
struct Variant {
  std::filesystem::path file;
  Precision precision = Precision::F32;
  std::int64_t file_bytes = 0, memory_bytes = 0;
  double milliseconds = 0;  ///< median of an image, network alone
  double agreement = 1;     ///< share of images whose most probable class is the first file's
  double mean_exit = 0;     ///< of the head that answered, 0 the first
  double calibration_error = 0;
  Interval balanced_accuracy, difference;
  std::vector<double> recall;               ///< [classes] NaN for a class without images
  std::vector<Interval> recall_difference;  ///< [classes]
  Eigen::MatrixXd probabilities;            ///< [count, classes]
};

struct ComparisonOptions {
  int threads = 1;
  BootstrapOptions bootstrap;
};

/// Runs each file on every image. No weight, temperature or threshold may have been chosen on
/// them.
/// \throws std::invalid_argument without files or images, or where labels or lesions do not fit;
///         std::runtime_error as Model, and where files know other classes or sizes
std::vector<Variant> compare(const std::vector<std::filesystem::path>& files,
                             const LabelledPixels& images, const ComparisonOptions& options = {});

/// An array of objects, without the probabilities.
Json to_json(const std::vector<Variant>& variants, const std::vector<std::string>& classes);

}  // namespace dermis::edge
