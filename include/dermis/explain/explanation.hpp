#pragma once
/// \file
/// Where a classifier looks, by every method that it allows, measured against lesion masks.

#include "dermis/data/masks.hpp"
#include "dermis/explain/attention_maps.hpp"
#include "dermis/explain/grad_cam.hpp"
#include "dermis/explain/occlusion.hpp"
#include "dermis/metrics/localisation.hpp"

namespace dermis {

struct ExplainOptions {
  OcclusionOptions occlusion;
  double tolerance = 4;  ///< of the pointing game, pixels; Zhang et al.: 15 of 224
  BootstrapOptions bootstrap;
};

/// The options for images of a side: squares of a quarter of it, Zhang's tolerance.
ExplainOptions explain_options_for(std::int64_t image_size);

/// One method's maps of all images.
struct MethodMaps {
  std::string method;  ///< "attention", "rollout", "grad_cam" or "occlusion"
  at::Tensor maps;     ///< float [N, S, S], not negative
  Localisation localisation;
  /// Mean over images of Spearman's correlation with the occlusion map of the same model, both
  /// averaged over cells of half a square; by lesion. How far a map drawn from the insides says
  /// what the model answers to.
  Interval agreement;
};

/// What a model looks at on a set of images.
struct Explanation {
  std::string model;
  std::int64_t parameters = 0;
  Evaluation evaluation;
  std::vector<int> explained;  ///< the class that the maps are of: the most probable one
  std::vector<MethodMaps> methods;

  /// The maps of `method`; std::invalid_argument if there are none.
  const MethodMaps& by(const std::string& method) const;
};

/// Attention, rollout, Grad-CAM and occlusion of a ViT, or Grad-CAM and occlusion of a ResNet, for
/// the class that it finds most probable. Throws std::invalid_argument unless the set has the
/// model's classes in its order (see relabelled), and images of its size.
Explanation explain(const std::string& name, const Classifier& classifier, const MaskedSet& data,
                    const ExplainOptions& options);
Explanation explain(const std::string& name, const ResNetClassifier& classifier,
                    const MaskedSet& data, const ExplainOptions& options);

/// The same images, labelled with places in `classes`: a set may hold some of a model's classes, in
/// another order. Throws std::invalid_argument for an image of a class that is not among them.
PixelSet relabelled(const PixelSet& set, const std::vector<std::string>& classes);

/// The first images of each class that together are at most `count`, classes served in turn; rising
/// indices.
std::vector<std::int64_t> spread_over_classes(const PixelSet& set, std::int64_t count);

/// model, parameters, evaluation{...}, methods by name {agreement, and what localisation has}.
Json to_json(const Explanation& explanation);

}  // namespace dermis
