#include "dermis/explain/grad_cam.hpp"

#include <algorithm>

#include "dermis/explain/attention_maps.hpp"
#include "dermis/layers/observe.hpp"

namespace dermis {
namespace {

/// A layer's answer, and the logits that follow from it with a graph in between.
struct Traced {
  at::Tensor layer, logits;
};

at::Tensor gradients_of(const Traced& traced, const at::Tensor& classes) {
  const auto chosen = traced.logits.gather(1, classes.unsqueeze(1)).sum();
  return torch::autograd::grad({chosen}, {traced.layer})[0];
}

/// Grad-CAM of all images. `trace(normalised images)` runs with gradients enabled; `maps_of(layer)`
/// makes maps [B, K, h, w] of what a layer answered, and of its gradients.
template <class Network, class Trace, class MapsOf>
at::Tensor all_images(Network& model, const Normalization& normalization, const at::Tensor& images,
                      const std::vector<int>& classes, std::int64_t batch_size, Trace trace,
                      MapsOf maps_of) {
  const auto known = static_cast<int>(model->options.num_classes);
  check_argument(static_cast<std::int64_t>(classes.size()) == images.size(0),
                 "[grad_cam] expected a class for each of ", images.size(0), " images, got ",
                 classes.size());
  check_argument(
      std::all_of(classes.begin(), classes.end(), [&](int c) { return c >= 0 && c < known; }),
      "[grad_cam] expected classes in 0 .. ", known - 1);
  model->eval();
  const auto device = model->parameters().front().device();
  const auto targets = torch::tensor(classes, torch::kLong);
  std::vector<at::Tensor> results;
  in_batches(images.size(0), batch_size, [&](std::int64_t from, std::int64_t to) {
    const torch::AutoGradMode with_gradients(true);
    const auto traced = trace(normalization(images.slice(0, from, to).to(device)));
    const auto gradients = gradients_of(traced, targets.slice(0, from, to).to(device));
    const torch::NoGradGuard no_grad;
    const auto cam = grad_cam(maps_of(traced.layer.detach()), maps_of(gradients));
    results.push_back(enlarged(cam, images.size(2), images.size(3)).to(at::kCPU, at::kFloat));
  });
  return at::cat(results);
}

}  // namespace

at::Tensor grad_cam(const at::Tensor& maps, const at::Tensor& gradients) {
  check_argument(maps.dim() == 4 && maps.sizes() == gradients.sizes(),
                 "[grad_cam] expected maps and gradients [B, K, h, w], got ", shape_text(maps),
                 " and ", shape_text(gradients));
  const auto alpha = gradients.mean({2, 3}, /*keepdim=*/true);  // [B, K, 1, 1]
  return at::relu((alpha * maps).sum(1));                       // [B, h, w]
}

at::Tensor grad_cam(const ResNetClassifier& classifier, const at::Tensor& images,
                    const std::vector<int>& classes, std::int64_t batch_size) {
  check_argument(!classifier.model.is_empty(), "[grad_cam] expected a model, got none");
  auto model = classifier.model;  // the holder's constness would reach the module
  return all_images(
      model, classifier.normalization, images, classes, batch_size,
      [&](const at::Tensor& x) -> Traced {
        const auto maps = model->forward_maps(x).detach().requires_grad_();
        return {maps, model->classify(maps)};
      },
      [](const at::Tensor& maps) { return maps; });
}

at::Tensor grad_cam(const Classifier& classifier, const at::Tensor& images,
                    const std::vector<int>& classes, std::int64_t batch_size) {
  check_argument(!classifier.model.is_empty(), "[grad_cam] expected a model, got none");
  auto model = classifier.model;
  const auto grid = model->options.grid_size();
  const auto path = text("blocks.", model->options.depth - 1, ".norm1");
  return all_images(
      model, classifier.normalization, images, classes, batch_size,
      [&](const at::Tensor& x) -> Traced {
        const Observer observer(*model);
        // A frozen model has no graph of its own.
        const auto logits = model->forward(x.detach().requires_grad_());
        return {observer.at(path), logits};
      },
      [grid](const at::Tensor& tokens) {
        const auto patches = tokens.slice(1, 1).transpose(1, 2);  // [B, D, N]
        return patches.reshape({patches.size(0), -1, grid.rows, grid.columns});
      });
}

}  // namespace dermis
