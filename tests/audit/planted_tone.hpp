#pragma once
/// \file
/// Planted faults: predictions that are worse on some skin, and artefacts tied to a class.

#include <Eigen/Core>
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

/// What a stand-in for a network sees: coarse colours, and fine dark and bright detail in the
/// corners, beside the sides and in the middle. [N, 18]
inline Eigen::MatrixXd stand_in_features(const at::Tensor& images) {
  const at::Tensor colour = images.to(at::kFloat) / 255;
  const at::Tensor grey = colour.mean(1, true);
  const int64_t side = grey.size(2), edge = side / 8;
  const at::Tensor smooth = at::avg_pool2d(at::replication_pad2d(grey, {2, 2, 2, 2}), 5, 1);
  const at::Tensor dark = at::relu(smooth - grey - 0.03), bright = at::relu(grey - smooth - 0.03);
  std::vector<at::Tensor> features;
  const auto part = [](const at::Tensor& t, int64_t y0, int64_t y1, int64_t x0, int64_t x1) {
    return t.slice(2, y0, y1).slice(3, x0, x1).mean({2, 3});
  };
  for (const at::Tensor& detail : {dark, bright}) {
    features.push_back(part(detail, edge, side - edge, edge, side - edge));
    features.push_back(part(detail, 0, edge, 0, side));
    features.push_back(part(detail, side - edge, side, 0, side));
    features.push_back(part(detail, 0, side, 0, edge));
    features.push_back(part(detail, 0, side, side - edge, side));
  }
  for (const int64_t y : {int64_t{0}, side - edge})
    for (const int64_t x : {int64_t{0}, side - edge})
      features.push_back(part(grey, y, y + edge, x, x + edge));
  features.push_back(part(colour, side / 4, 3 * side / 4, side / 4, 3 * side / 4));  // [N, 3]
  features.push_back(part(dark + bright, side / 4, 3 * side / 4, side / 4, 3 * side / 4));
  return to_eigen(at::cat(features, 1));
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
