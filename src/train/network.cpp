#include "network.hpp"

#include <limits>

#include "dermis/core/random.hpp"

namespace dermis::detail {

TrainResult train_network(NetworkTask task, const PixelSet& training,
                          const Normalization& normalization, const ClassifierOptions& options,
                          const Sampler& sampler, const StageContext& context,
                          const std::string& name) {
  const RecipeOptions views{options.recipe, options.augment, normalization};
  auto mixing = options.mixup;
  mixing.label_smoothing = 0;
  const auto classes = static_cast<std::int64_t>(training.classes.size());
  const ClassificationLoss loss(options.loss, training.class_counts());
  const auto step = [&](const Batch& batch) -> StepLoss {
    auto images = normalization(
        augmented(training, batch, views, context.seed, "augment/" + name, context.device));
    const auto labels = training.labels.index_select(0, batch.indices).to(context.device);
    auto targets = labels;
    if (mixing.probability > 0) {
      const auto key = torch::randint(std::numeric_limits<std::int64_t>::max(), {1},
                                      batch.generator, torch::kLong);
      RandomStream stream(static_cast<std::uint64_t>(key.item<std::int64_t>()), "mixup");
      const auto mixed = mixup(images, labels, classes, mixing, stream);
      images = mixed.images;
      targets = mixed.targets;
    }
    const auto logits = task.logits(images, batch.generator);
    const double correct =
        logits.detach().argmax(1).eq(labels).to(torch::kDouble).mean().item<double>();
    return {loss(logits, targets), {{"accuracy", correct}}};
  };
  TrainHooks hooks;
  hooks.validate = std::move(task.validate);
  return train(task.module, std::move(task.groups), sampler, step,
               train_options(options.training, context, name, std::move(task.configuration)),
               hooks);
}

void check_validation(const PixelSet& training, const PixelSet* validation) {
  check_argument(!validation || validation->classes == training.classes,
                 "[classifier] expected a validation part with the training part's classes");
}

std::string validation_fingerprint(const PixelSet* validation) {
  return validation ? fingerprint(*validation) : "none";
}

at::Tensor apply_network(torch::nn::Module& module, const Normalization& normalization,
                         const at::Tensor& images, std::int64_t batch_size,
                         const std::function<at::Tensor(const at::Tensor& images)>& compute) {
  module.eval();
  const auto device = module.parameters().front().device();
  std::vector<at::Tensor> rows;
  in_batches(images.size(0), batch_size, [&](std::int64_t first, std::int64_t last) {
    rows.push_back(
        compute(normalization(images.slice(0, first, last).to(device))).to(at::kCPU, at::kFloat));
  });
  return at::cat(rows);
}

Eigen::MatrixXd probabilities_of_views(
    const std::function<at::Tensor(const at::Tensor& images)>& logits, const at::Tensor& images,
    std::int64_t views) {
  check_argument(views == 1 || views == 2 || views == 8,
                 "[classifier] expected 1, 2 or 8 views, got ", views);
  Eigen::MatrixXd sum;
  for (std::int64_t v = 0; v < views; ++v) {
    const auto answer = logits(right_angle_view(images, v));
    const auto probabilities = to_eigen(at::softmax(answer.to(at::kDouble), 1));
    if (v == 0)
      sum = probabilities;
    else
      sum += probabilities;
  }
  return sum / static_cast<double>(views);
}

}  // namespace dermis::detail
