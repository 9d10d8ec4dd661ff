#pragma once
/// \file
/// Planted faults: predictions that are worse on some skin, and artefacts tied to a class.

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dermis/audit/shortcuts.hpp"
#include "dermis/core/random.hpp"
#include "dermis/data/phantom.hpp"
#include "dermis/metrics/linear_classifier.hpp"

namespace dermis::test {

/// A phantom test part with the skin type of each image.
struct TonedSet {
  PixelSet pixels;
  std::vector<int> labels, skin_types;
  std::vector<std::string> lesions;
};

inline TonedSet toned_set(std::uint64_t seed, std::int64_t lesions_per_class,
                          std::int64_t image_size) {
  const Phantom phantom(PhantomOptions{.seed = seed,
                                       .train_images = 8,
                                       .validation_lesions_per_class = 0,
                                       .test_lesions_per_class = lesions_per_class,
                                       .image_size = image_size});
  TonedSet set{
      load_pixels(phantom.dataset(PhantomPart::Test), image_size, {.progress = false}), {}, {}, {}};
  for (std::int64_t i = 0; i < set.pixels.size(); ++i) {
    const PhantomAttributes truth = phantom.attributes(PhantomPart::Test, i);
    set.labels.push_back(truth.label);
    set.lesions.push_back(truth.lesion);
    set.skin_types.push_back(truth.skin_type);
  }
  return set;
}

/// Probabilities of a judge who is right with probability `recall`, on skin that is `worse` by
/// `drop` less, and as sure in either case.
inline Eigen::MatrixXd judge(const TonedSet& set, double recall, double drop,
                             const std::function<bool(int skin_type)>& worse, std::uint64_t seed) {
  constexpr int classes = 8;
  Eigen::MatrixXd probabilities = Eigen::MatrixXd::Constant(
      static_cast<Eigen::Index>(set.labels.size()), classes, 0.2 / (classes - 1));
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    RandomStream random(seed, "planted tone gap", 0, i);
    const bool hit = random.chance(recall - (worse(set.skin_types[i]) ? drop : 0));
    const auto other = static_cast<int>(1 + random.below(classes - 1));
    const int predicted = hit ? set.labels[i] : (set.labels[i] + other) % classes;
    probabilities(static_cast<Eigen::Index>(i), predicted) = 0.8;
  }
  return probabilities;
}

/// Draws an artefact onto `inside` of the images of class `label` and `outside` of the others.
inline void tie_artefact(PixelSet& set, Artefact artefact, int label, double inside, double outside,
                         std::uint64_t seed) {
  set.images = set.images.clone();
  for (int64_t i = 0; i < set.size(); ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    RandomStream random(seed, "planted artefact", 0, index);
    const bool in_class = set.samples[static_cast<std::size_t>(i)].label == label;
    if (!random.chance(in_class ? inside : outside)) continue;
    set.images[i].copy_(to_tensor(
        draw(artefact, to_image(set.images[i]), RandomStream(seed, "planted drawing", 0, index))));
  }
}

/// (Square roots of) the artefacts' scores: [N, 4].
inline Eigen::MatrixXd artefact_features(const Eigen::MatrixXd& scores) {
  return scores.unaryExpr([](double v) { return std::isnan(v) ? 0 : std::sqrt(v); });
}

/// A stand-in for a network: it names the lesion of `judged` as judge() does, by its place in the
/// set, and weighs that by what artefacts said of the class in training, fitted to `scores` (of
/// artefact_scores) and `labels`. Where lesions were painted over, fewer images come, and it has
/// the artefacts alone.
inline PredictFunction stand_in(const Eigen::MatrixXd& scores, const std::vector<int>& labels,
                                const TonedSet& judged, std::uint64_t seed) {
  const Eigen::MatrixXd lesion = judge(
                                     judged, 0.8, 0, [](int) { return false; }, seed)
                                     .array()
                                     .sqrt();
  return [lesion, fitted = fit_linear_classifier(artefact_features(scores), labels, 8)](
             const at::Tensor& images) {
    Eigen::MatrixXd seen(images.size(0), 4);
    for (int64_t i = 0; i < images.size(0); ++i) {
      const auto values = artefact_scores(to_image(images[i]));
      for (std::size_t a = 0; a < 4; ++a) seen(i, static_cast<Eigen::Index>(a)) = values[a];
    }
    Eigen::MatrixXd p = fitted.probabilities(artefact_features(seen));
    if (p.rows() == lesion.rows()) p = p.cwiseProduct(lesion);
    return Eigen::MatrixXd(p.array().colwise() / p.rowwise().sum().array());
  };
}

}  // namespace dermis::test
