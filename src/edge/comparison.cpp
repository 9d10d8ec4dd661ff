#include "dermis/edge/comparison.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "dermis/core/check.hpp"
#include "dermis/edge/model.hpp"
#include "dermis/metrics/calibration.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis::edge {
namespace {

void check(const std::vector<std::filesystem::path>& files, const LabelledPixels& images) {
  check_argument(!files.empty(), "[deploy] expected at least one file, got none");
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(images.count, 0));
  check_argument(count > 0 && images.labels.size() == count && images.lesions.size() == count,
                 "[deploy] expected images with a label and a lesion each, got ", images.count,
                 " images, ", images.labels.size(), " labels and ", images.lesions.size(),
                 " lesions");
}

/// Probabilities, times and exits of one file.
Variant run(Model& model, const std::filesystem::path& file, const LabelledPixels& images) {
  const Manifest& m = model.manifest();
  Variant v;
  v.file = file;
  v.precision = m.precision;
  v.file_bytes = static_cast<std::int64_t>(std::filesystem::file_size(file));
  v.memory_bytes = static_cast<std::int64_t>(model.memory_bytes());
  v.probabilities.resize(images.count, m.network.num_classes);
  std::vector<float> pixels(
      static_cast<std::size_t>(3 * m.network.image_size * m.network.image_size));
  std::vector<double> times;
  for (std::int64_t i = 0; i < images.count; ++i) {
    images.pixels(i, pixels.data());
    const auto start = std::chrono::steady_clock::now();
    const Prediction& p = model.predict(pixels.data());
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
    for (std::int64_t c = 0; c < m.network.num_classes; ++c)
      v.probabilities(i, c) = p.probabilities[static_cast<std::size_t>(c)];
    v.mean_exit += static_cast<double>(p.exit) / static_cast<double>(images.count);
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  v.milliseconds = *middle;
  return v;
}

double recall_of(int label, const std::vector<int>& labels, const std::vector<int>& predictions,
                 const std::vector<std::int64_t>& rows) {
  std::int64_t count = 0, right = 0;
  for (const auto row : rows) {
    const auto at = static_cast<std::size_t>(row);
    if (labels[at] != label) continue;
    ++count;
    right += predictions[at] == label;
  }
  return count ? static_cast<double>(right) / static_cast<double>(count)
               : std::numeric_limits<double>::quiet_NaN();
}

/// Everything that follows from the probabilities.
void judge(Variant& v, const std::vector<int>& first, const LabelledPixels& images,
           const BootstrapOptions& bootstrap) {
  const auto found = predict_labels(v.probabilities);
  const auto classes = static_cast<int>(v.probabilities.cols());
  std::int64_t same = 0;
  for (std::size_t i = 0; i < found.size(); ++i) same += found[i] == first[i];
  v.agreement = static_cast<double>(same) / static_cast<double>(found.size());
  v.calibration_error = expected_calibration_error(v.probabilities, images.labels);
  v.balanced_accuracy = balanced_accuracy_interval(images.labels, found, images.lesions, bootstrap);
  v.difference =
      balanced_accuracy_difference(images.labels, found, first, images.lesions, bootstrap);
  v.recall = per_class(images.labels, found, classes).recall;
  for (int c = 0; c < classes; ++c)
    v.recall_difference.push_back(bootstrap_interval(
        images.lesions,
        [&](const std::vector<std::int64_t>& rows) {
          return recall_of(c, images.labels, found, rows) -
                 recall_of(c, images.labels, first, rows);
        },
        bootstrap));
}

}  // namespace

std::vector<Variant> compare(const std::vector<std::filesystem::path>& files,
                             const LabelledPixels& images, const ComparisonOptions& options) {
  check(files, images);
  std::vector<Variant> variants;
  std::vector<std::string> classes;
  std::int64_t size = 0;
  for (const auto& file : files) {
    Model model(file, {options.threads, "", false});
    const Manifest& m = model.manifest();
    if (variants.empty()) {
      classes = m.classes;
      size = m.network.image_size;
    }
    check_runtime(m.classes == classes && m.network.image_size == size, "[deploy] ", file.string(),
                  ": expected the classes and image size of ", files.front().string());
    variants.push_back(run(model, file, images));
  }
  const auto first = predict_labels(variants.front().probabilities);
  for (Variant& v : variants) judge(v, first, images, options.bootstrap);
  return variants;
}

Json to_json(const std::vector<Variant>& variants, const std::vector<std::string>& classes) {
  auto list = Json::array();
  for (const Variant& v : variants) {
    auto recall = Json::object(), differences = Json::object();
    for (std::size_t c = 0; c < classes.size(); ++c) {
      recall[classes[c]] = v.recall[c];
      differences[classes[c]] = dermis::to_json(v.recall_difference[c]);
    }
    list.push_back(Json::object({{"file", v.file.filename().string()},
                                 {"precision", name(v.precision)},
                                 {"file_bytes", v.file_bytes},
                                 {"memory_bytes", v.memory_bytes},
                                 {"milliseconds", v.milliseconds},
                                 {"agreement", v.agreement},
                                 {"mean_exit", v.mean_exit},
                                 {"calibration_error", v.calibration_error},
                                 {"balanced_accuracy", dermis::to_json(v.balanced_accuracy)},
                                 {"difference", dermis::to_json(v.difference)},
                                 {"recall", recall},
                                 {"recall_difference", differences}}));
  }
  return list;
}

}  // namespace dermis::edge
