#include "dermis/train/predict_function.hpp"

namespace dermis {

PredictFunction predict_with(const Classifier& classifier) {
  return
      [&classifier](const at::Tensor& images) { return predict_probabilities(classifier, images); };
}

PredictFunction predict_with(const ResNetClassifier& classifier) {
  return
      [&classifier](const at::Tensor& images) { return predict_probabilities(classifier, images); };
}

}  // namespace dermis
