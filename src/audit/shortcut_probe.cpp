#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "dermis/audit/shortcuts.hpp"
#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/skin_mask.hpp"

namespace dermis {
namespace {

Eigen::MatrixXd checked(const PredictFunction& predict, const at::Tensor& images,
                        std::size_t classes) {
  Eigen::MatrixXd probabilities = predict(images);
  check_argument(probabilities.rows() == images.size(0) &&
                     probabilities.cols() == static_cast<Eigen::Index>(classes),
                 "[shortcut] expected probabilities [", images.size(0), ", ", classes, "], got [",
                 probabilities.rows(), ", ", probabilities.cols(), "]");
  return probabilities;
}

/// Every image changed by `change(image, index)`.
template <class Change>
at::Tensor changed(const at::Tensor& images, Change&& change) {
  std::vector<at::Tensor> results;
  for (int64_t i = 0; i < images.size(0); ++i)
    results.push_back(to_tensor(change(to_image(images[i]), i)));
  return at::stack(results);
}

/// Sums of the columns of `values` over the rows of each lesion, and how many these are.
struct LesionSums {
  Eigen::MatrixXd sums;    ///< [L, K]
  Eigen::VectorXd counts;  ///< [L]
};

LesionSums sums_by_lesion(const Eigen::MatrixXd& values, const std::vector<std::string>& lesions) {
  std::map<std::string, Eigen::Index> places;
  std::vector<Eigen::Index> place;
  Eigen::Index count = 0;
  for (const std::string& lesion : lesions) {
    Eigen::Index at = count;
    if (!lesion.empty()) at = places.emplace(lesion, at).first->second;
    if (at == count) ++count;
    place.push_back(at);
  }
  LesionSums result{Eigen::MatrixXd::Zero(count, values.cols()), Eigen::VectorXd::Zero(count)};
  for (std::size_t i = 0; i < place.size(); ++i) {
    result.sums.row(place[i]) += values.row(static_cast<Eigen::Index>(i));
    ++result.counts[place[i]];
  }
  return result;
}

/// The mean of each column of `values`, with intervals that hold together (max-statistic over
/// resamples of lesions).
std::vector<Interval> joint_means(const Eigen::MatrixXd& values,
                                  const std::vector<std::string>& lesions, double alpha,
                                  const BootstrapOptions& options) {
  const LesionSums by_lesion = sums_by_lesion(values, lesions);
  const Eigen::RowVectorXd mean = values.colwise().mean();
  const Eigen::Index count = by_lesion.counts.size();
  Eigen::MatrixXd away(options.resamples, values.cols());
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    RandomStream random(options.seed, "joint means", 0, static_cast<std::uint64_t>(r));
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(values.cols());
    double rows = 0;
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto drawn = static_cast<Eigen::Index>(random.below(static_cast<std::uint64_t>(count)));
      sum += by_lesion.sums.row(drawn);
      rows += by_lesion.counts[drawn];
    }
    away.row(r) = sum / rows - mean;
  }
  const Eigen::RowVectorXd error = away.array().square().colwise().mean().sqrt();
  std::vector<double> largest(static_cast<std::size_t>(options.resamples));
  for (Eigen::Index r = 0; r < away.rows(); ++r) {
    double& value = largest[static_cast<std::size_t>(r)];
    for (Eigen::Index k = 0; k < away.cols(); ++k)
      if (error[k] > 0) value = std::max(value, std::abs(away(r, k)) / error[k]);
  }
  const double width = percentile_interval(0, std::move(largest), 1 - 2 * alpha).hi;
  std::vector<Interval> intervals;
  for (Eigen::Index k = 0; k < mean.size(); ++k)
    intervals.push_back({mean[k], mean[k] - width * error[k], mean[k] + width * error[k]});
  return intervals;
}

void test_masked(ShortcutProbe& probe, const PredictFunction& predict, const PixelSet& held_out,
                 const BootstrapOptions& options) {
  std::vector<at::Tensor> masked;
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < held_out.size(); ++i) {
    const Image image = to_image(held_out.images[i]);
    const Image painted = without_lesion(image);
    if (painted == image) continue;
    masked.push_back(to_tensor(painted));
    kept.push_back(i);
  }
  probe.masked_images = static_cast<std::int64_t>(kept.size());
  probe.masked_accuracy = percentile_interval(std::nan(""), {}, options.level);
  if (kept.empty()) return;
  const std::vector<int> labels = select(labels_of(held_out), kept);
  probe.chance = 1.0 / static_cast<double>(std::set<int>(labels.begin(), labels.end()).size());
  probe.masked_accuracy = balanced_accuracy_interval(
      labels, predict_labels(checked(predict, at::stack(masked), held_out.classes.size())),
      select(lesions_of(held_out), kept), options);
  probe.masked_above_chance = probe.masked_accuracy.lo > probe.chance;
}

}  // namespace

Image without_lesion(const Image& image) {
  const SkinMask mask = skin_mask(image);
  const Box box = mask.lesion_box(0.1);
  const bool all = box.width == image.width && box.height == image.height;
  std::array<std::vector<std::uint8_t>, 3> skin;
  for (std::size_t i = 0; i < mask.skin.size(); ++i) {
    if (mask.skin[i] == 0) continue;
    for (std::size_t c = 0; c < 3; ++c) skin[c].push_back(image.rgb[3 * i + c]);
  }
  if (box.width == 0 || all || skin[0].empty()) return image;
  Image result = image;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto middle = skin[c].begin() + static_cast<std::ptrdiff_t>(skin[c].size() / 2);
    std::nth_element(skin[c].begin(), middle, skin[c].end());
    for (std::int64_t y = box.y; y < box.y + box.height; ++y)
      for (std::int64_t x = box.x; x < box.x + box.width; ++x) result.pixel(x, y)[c] = *middle;
  }
  return result;
}

ShortcutProbe shortcut_probe(const PredictFunction& predict, const PixelSet& held_out,
                             const ShortcutOptions& options) {
  check_argument(held_out.size() > 0, "[shortcut] expected at least 1 image, got none");
  check_argument(options.alpha > 0 && options.alpha < 0.5,
                 "[shortcut] expected alpha between 0 and 0.5, got ", options.alpha);
  check_argument(options.least_pull >= 0, "[shortcut] expected a least pull of at least 0, got ",
                 options.least_pull);
  const std::size_t classes = held_out.classes.size();
  const auto columns = static_cast<Eigen::Index>(classes);
  const std::vector<int> labels = labels_of(held_out);
  const std::vector<std::string> lesions = lesions_of(held_out);
  const Eigen::MatrixXd plain = checked(predict, held_out.images, classes);
  const std::vector<int> predictions = predict_labels(plain);
  ShortcutProbe probe;
  probe.balanced_accuracy =
      balanced_accuracy_interval(labels, predictions, lesions, options.bootstrap);
  Eigen::MatrixXd drifts(plain.rows(), static_cast<Eigen::Index>(all_artefacts.size()) * columns);
  for (const Artefact artefact : all_artefacts) {
    const std::string purpose = "shortcut " + name_of(artefact);
    const at::Tensor images = changed(held_out.images, [&](const Image& image, int64_t i) {
      return draw(artefact, image,
                  RandomStream(options.seed, purpose, 0, static_cast<std::uint64_t>(i)));
    });
    const Eigen::MatrixXd with = checked(predict, images, classes);
    const std::vector<int> moved = predict_labels(with);
    ArtefactEffect effect;
    effect.artefact = artefact;
    effect.balanced_accuracy =
        balanced_accuracy_interval(labels, moved, lesions, options.bootstrap);
    effect.change =
        balanced_accuracy_difference(labels, moved, predictions, lesions, options.bootstrap);
    for (std::size_t i = 0; i < moved.size(); ++i) effect.flips += moved[i] != predictions[i];
    effect.flips /= static_cast<double>(moved.size());
    drifts.middleCols(static_cast<Eigen::Index>(probe.artefacts.size()) * columns, columns) =
        with - plain;
    probe.artefacts.push_back(std::move(effect));
  }
  const std::vector<Interval> pulls =
      joint_means(drifts, lesions, options.alpha, options.bootstrap);
  for (std::size_t a = 0; a < probe.artefacts.size(); ++a) {
    for (std::size_t c = 0; c < classes; ++c) {
      const Interval& drift = pulls[a * classes + c];
      const bool found = drift.mean >= options.least_pull && drift.lo > 0;
      probe.artefacts[a].pulls.push_back({held_out.classes[c], drift, found});
      probe.found = probe.found || found;
    }
  }
  test_masked(probe, predict, held_out, options.bootstrap);
  return probe;
}

Json to_json(const ShortcutProbe& probe) {
  Json artefacts = Json::array();
  for (const ArtefactEffect& effect : probe.artefacts) {
    Json pulls = Json::array();
    for (const ClassPull& pull : effect.pulls)
      pulls.push_back(Json::object(
          {{"class", pull.name}, {"drift", to_json(pull.drift)}, {"found", pull.found}}));
    artefacts.push_back(Json::object({{"artefact", name_of(effect.artefact)},
                                      {"balanced_accuracy", to_json(effect.balanced_accuracy)},
                                      {"change", to_json(effect.change)},
                                      {"flips", effect.flips},
                                      {"pulls", pulls}}));
  }
  return Json::object(
      {{"balanced_accuracy", to_json(probe.balanced_accuracy)},
       {"artefacts", artefacts},
       {"masked", Json::object({{"images", probe.masked_images},
                                {"balanced_accuracy", to_json(probe.masked_accuracy)},
                                {"chance", probe.chance},
                                {"above_chance", probe.masked_above_chance}})},
       {"found", probe.found}});
}

}  // namespace dermis
