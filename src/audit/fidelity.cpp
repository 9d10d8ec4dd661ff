#include "dermis/audit/fidelity.hpp"

#include <limits>

#include "dermis/audit/equal_counts.hpp"

namespace dermis {

ClassFidelity class_fidelity(const Classifier& judge, const PixelSet& synthetic,
                             const BootstrapOptions& bootstrap) {
  check_argument(judge.classes == synthetic.classes,
                 "[fidelity] expected a judge with the images' classes in the same order");
  check_argument(synthetic.size() > 0, "[fidelity] expected images, got none");
  const auto probabilities = predict_probabilities(judge, synthetic.images);
  ClassFidelity fidelity;
  fidelity.evaluation = evaluate(probabilities, synthetic);
  fidelity.confidence = probabilities.rowwise().maxCoeff().mean();
  const auto& e = fidelity.evaluation;
  const auto rows_of = class_rows(synthetic);
  for (std::size_t c = 0; c < rows_of.size(); ++c) {
    const auto& rows = rows_of[c];
    if (rows.empty()) {
      constexpr double nan = std::numeric_limits<double>::quiet_NaN();
      fidelity.accuracy.push_back({nan, nan, nan});
      fidelity.intended.push_back(nan);
      continue;
    }
    const auto labels = select(e.labels, rows), predictions = select(e.predictions, rows);
    fidelity.accuracy.push_back(bootstrap_interval(
        select(e.lesions, rows),
        [&](const std::vector<std::int64_t>& drawn) {
          return accuracy(select(labels, drawn), select(predictions, drawn));
        },
        bootstrap));
    fidelity.intended.push_back(
        select_rows(probabilities, rows).col(static_cast<Eigen::Index>(c)).mean());
  }
  return fidelity;
}

Json to_json(const ClassFidelity& fidelity) {
  const auto& e = fidelity.evaluation;
  Json images = Json::object(), accuracy = Json::object(), intended = Json::object();
  for (std::size_t c = 0; c < e.classes.size(); ++c) {
    images[e.classes[c]] = e.per_class.support[c];
    accuracy[e.classes[c]] = to_json(fidelity.accuracy[c]);
    intended[e.classes[c]] = fidelity.intended[c];
  }
  auto json = to_json(e);
  json["images"] = std::move(images);
  json["accuracy_by_class"] = std::move(accuracy);
  json["intended_probability"] = std::move(intended);
  json["mean_confidence"] = fidelity.confidence;
  return json;
}

}  // namespace dermis
