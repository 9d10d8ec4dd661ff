#include "dermis/explain/explanation.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/metrics/rank_correlation.hpp"

namespace dermis {
namespace {

std::vector<float> values_of(const at::Tensor& map) {
  const auto flat = map.to(at::kCPU, at::kFloat).contiguous();
  const auto* data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

std::vector<std::uint8_t> bytes_of(const at::Tensor& mask) {
  const auto flat = mask.contiguous();
  const auto* data = flat.const_data_ptr<std::uint8_t>();
  return {data, data + flat.numel()};
}

/// Spearman's correlation of each pair of maps [N, S, S], averaged over cells of `cell` pixels.
std::vector<double> correlations(const at::Tensor& a, const at::Tensor& b, std::int64_t cell) {
  const auto cells = [cell](const at::Tensor& maps) {
    return at::avg_pool2d(maps.unsqueeze(1), {cell, cell}, {cell, cell}).squeeze(1);
  };
  const auto first = cells(a), second = cells(b);
  const auto doubles = [](const std::vector<float>& values) {
    return std::vector<double>(values.begin(), values.end());
  };
  std::vector<double> result;
  for (std::int64_t i = 0; i < a.size(0); ++i)
    result.push_back(spearman(doubles(values_of(first[i])), doubles(values_of(second[i]))));
  return result;
}

/// Mean of `values` by lesion, those that are NaN left out.
Interval mean_interval(const std::vector<double>& values, const std::vector<std::string>& lesions,
                       const BootstrapOptions& options) {
  return bootstrap_interval(
      lesions,
      [&](const std::vector<std::int64_t>& rows) { return mean_defined(select(values, rows)); },
      options);
}

template <class AnyClassifier>
Explanation explained(const std::string& name, const AnyClassifier& classifier,
                      const MaskedSet& data) {
  check_argument(!classifier.model.is_empty(), "[explain] expected a model, got none");
  check_argument(data.set.classes == classifier.classes,
                 "[explain] expected images labelled with the classes of ", name,
                 " in their order");
  const auto size = classifier.model.ptr()->options.image_size;
  check_argument(data.set.images.size(2) == size && data.set.images.size(3) == size,
                 "[explain] expected images of ", size, " pixels for ", name, ", got ",
                 data.set.images.size(2));
  Explanation result;
  result.model = name;
  result.parameters = parameter_count(*classifier.model.ptr());
  result.evaluation = evaluate(classifier, data.set);
  result.explained = argmax(result.evaluation.probabilities);
  return result;
}

/// Judges the maps of all methods, occlusion's last.
void judge(Explanation& result, const MaskedSet& data, const ExplainOptions& options) {
  std::vector<LocalisationTarget> targets;
  for (std::int64_t i = 0; i < data.set.size(); ++i)
    targets.push_back(
        localisation_target(bytes_of(data.masks[i]), data.masks.size(2), options.tolerance));
  const auto& evaluation = result.evaluation;
  const auto cell = std::max<std::int64_t>(1, options.occlusion.stride);
  const auto reference = result.methods.back().maps;
  for (auto& method : result.methods) {
    method.agreement = mean_interval(correlations(method.maps, reference, cell), evaluation.lesions,
                                     options.bootstrap);
    method.maps = method.maps.clamp_min(0);
    std::vector<LocalisedMap> maps;
    for (std::int64_t i = 0; i < data.set.size(); ++i)
      maps.push_back(localise(values_of(method.maps[i]), targets[static_cast<std::size_t>(i)]));
    method.localisation = localisation(maps, evaluation.labels, evaluation.predictions,
                                       evaluation.lesions, evaluation.classes, options.bootstrap);
  }
}

template <class AnyClassifier>
void add_occlusion(Explanation& result, const AnyClassifier& classifier, const MaskedSet& data,
                   const ExplainOptions& options) {
  result.methods.push_back({"occlusion",
                            occlusion_maps(predict_with(classifier), data.set.images,
                                           result.explained, options.occlusion),
                            {},
                            {}});
}

}  // namespace

ExplainOptions explain_options_for(std::int64_t image_size) {
  return {.occlusion = occlusion_for(image_size),
          .tolerance = std::round(static_cast<double>(image_size) * 15 / 224)};
}

const MethodMaps& Explanation::by(const std::string& method) const {
  const auto found = std::find_if(methods.begin(), methods.end(),
                                  [&](const MethodMaps& m) { return m.method == method; });
  check_argument(found != methods.end(), "[explain] expected a method of ", model, ", got ",
                 method);
  return *found;
}

Explanation explain(const std::string& name, const Classifier& classifier, const MaskedSet& data,
                    const ExplainOptions& options) {
  auto result = explained(name, classifier, data);
  const auto attention = attention_maps(classifier, data.set.images);
  result.methods.push_back({"attention", attention.last, {}, {}});
  result.methods.push_back({"rollout", attention.rollout, {}, {}});
  result.methods.push_back(
      {"grad_cam", grad_cam(classifier, data.set.images, result.explained), {}, {}});
  add_occlusion(result, classifier, data, options);
  judge(result, data, options);
  return result;
}

Explanation explain(const std::string& name, const ResNetClassifier& classifier,
                    const MaskedSet& data, const ExplainOptions& options) {
  auto result = explained(name, classifier, data);
  result.methods.push_back(
      {"grad_cam", grad_cam(classifier, data.set.images, result.explained), {}, {}});
  add_occlusion(result, classifier, data, options);
  judge(result, data, options);
  return result;
}

PixelSet relabelled(const PixelSet& set, const std::vector<std::string>& classes) {
  PixelSet result = set;
  result.classes = classes;
  std::vector<std::int64_t> labels;
  for (auto& sample : result.samples) {
    const auto& name = set.classes[static_cast<std::size_t>(sample.label)];
    const auto place = std::find(classes.begin(), classes.end(), name);
    check_argument(place != classes.end(), "[explain] expected classes that the model knows, got ",
                   name, "; --class-map renames or leaves out");
    sample.label = static_cast<int>(place - classes.begin());
    labels.push_back(sample.label);
  }
  result.labels = torch::tensor(labels, torch::kLong);
  return result;
}

std::vector<std::int64_t> spread_over_classes(const PixelSet& set, std::int64_t count) {
  // The n-th image of its class comes before the n + 1st of any other.
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  std::vector<std::int64_t> seen(set.classes.size(), 0);
  for (std::int64_t i = 0; i < set.size(); ++i)
    places.emplace_back(
        seen[static_cast<std::size_t>(set.samples[static_cast<std::size_t>(i)].label)]++, i);
  std::sort(places.begin(), places.end());
  std::vector<std::int64_t> chosen;
  for (const auto& place : places)
    if (static_cast<std::int64_t>(chosen.size()) < count) chosen.push_back(place.second);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

Json to_json(const Explanation& explanation) {
  auto methods = Json::object();
  for (const auto& method : explanation.methods) {
    methods[method.method] = to_json(method.localisation);
    methods[method.method]["agreement_with_occlusion"] = to_json(method.agreement);
  }
  return Json::object({{"model", explanation.model},
                       {"parameters", explanation.parameters},
                       {"evaluation", to_json(explanation.evaluation)},
                       {"methods", methods}});
}

}  // namespace dermis
