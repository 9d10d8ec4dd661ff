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

/// The images of the first `classes` classes alone.
inline PixelSet first_classes(const PixelSet& set, int classes) {
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < set.size(); ++i)
    if (set.samples[static_cast<std::size_t>(i)].label < classes) kept.push_back(i);
  PixelSet result = set.subset(kept);
  result.classes.resize(static_cast<std::size_t>(classes));
  return result;
}

/// What a stand-in for a network sees: the colour of the middle, how uneven it is, and (square
/// roots of) the artefacts' scores. [N, 8]
inline Eigen::MatrixXd stand_in_features(const at::Tensor& images) {
  const int64_t side = images.size(2);
  const at::Tensor middle =
      images.to(at::kFloat).slice(2, side / 4, 3 * side / 4).slice(3, side / 4, 3 * side / 4) / 255;
  Eigen::MatrixXd features(images.size(0), 8);
  features.leftCols(3) = to_eigen(middle.mean({2, 3}));
  features.col(3) = to_eigen(middle.mean(1).flatten(1).std(1).unsqueeze(1));
  for (int64_t i = 0; i < images.size(0); ++i) {
    const auto scores = artefact_scores(to_image(images[i]));
    for (std::size_t a = 0; a < scores.size(); ++a)
      features(i, static_cast<Eigen::Index>(4 + a)) =
          std::isnan(scores[a]) ? 0 : std::sqrt(scores[a]);
  }
  return features;
}

/// A stand-in trained on `set`; it takes what shortcuts it finds.
inline PredictFunction trained_stand_in(const PixelSet& set) {
  std::vector<int> labels;
  for (const Sample& sample : set.samples) labels.push_back(sample.label);
  return [fitted = fit_linear_classifier(stand_in_features(set.images), labels,
                                         static_cast<int>(set.classes.size()))](
             const at::Tensor& images) { return fitted.probabilities(stand_in_features(images)); };
}

}  // namespace dermis::test
