#include "dermis/train/linear_probe.hpp"

#include "dermis/io/tensors.hpp"

namespace dermis {

namespace {

/// What is trained: a norm whose statistics are part of the checkpoint, and the layer.
struct ProbeImpl : torch::nn::Module {
  ProbeImpl(std::int64_t dim, std::int64_t classes, const ParameterOptions& parameters) {
    norm = register_module(
        "norm", torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(dim).affine(false).eps(1e-6)));
    head = register_module("head", Linear(dim, classes, true, parameters));
  }
  at::Tensor forward(const at::Tensor& features) { return head->forward(norm->forward(features)); }

  torch::nn::BatchNorm1d norm = nullptr;
  Linear head = nullptr;
};
TORCH_MODULE(Probe);

}  // namespace

void fold_batch_norm(const torch::nn::BatchNorm1d& norm, Linear layer) {
  const torch::NoGradGuard no_grad;
  const auto scale = (norm->running_var + norm->options.eps()).rsqrt();  // [D]
  layer->weight.mul_(scale);                                             // [C, D]
  layer->bias.sub_(at::mv(layer->weight, norm->running_mean));
}

Classifier train_linear_probe(const PixelSet& training, const Encoder& encoder,
                              const LinearProbeOptions& options, const StageContext& context,
                              const std::string& name, TrainResult* result) {
  check_argument(encoder.module != nullptr, "[linear_probe] expected an encoder, got none");
  auto model_options = encoder.options;
  model_options.num_classes = static_cast<std::int64_t>(training.classes.size());
  model_options.mean_pooling = options.mean_pooling;
  ViT model(model_options, first_weights(context, name));
  copy_encoder(*encoder.module, encoder.options, model);
  model->to(context.device);
  model->eval();
  Probe probe(model_options.dim, model_options.num_classes, first_weights(context, name + "/head"));
  probe->to(context.device);

  const auto sampler = stage_sampler(training, options.class_balanced, context, name);
  const auto step = [&](const Batch& batch) -> StepLoss {
    at::Tensor features;
    {
      const torch::NoGradGuard no_grad;
      const auto images = augmented(training, batch, options.augment, context.seed,
                                    "augment/" + name, context.device);
      features = model->forward_features(encoder.normalization(images)).pooled;  // [B, D]
    }
    const auto targets = training.labels.index_select(0, batch.indices).to(context.device);
    return {at::cross_entropy_loss(probe->forward(features), targets), {}};
  };
  auto configuration =
      stage_configuration("linear_probe", options_to_json(options), sampler, training,
                          {{"encoder", fingerprint(state_dict(*encoder.module))}});
  auto outcome = train(
      *probe, parameter_groups(*probe, {.weight_decay = options.training.weight_decay}), sampler,
      step, train_options(options.training, context, name, std::move(configuration)));
  if (result) *result = std::move(outcome);
  fold_batch_norm(probe->norm, probe->head);
  const torch::NoGradGuard no_grad;
  model->head->weight.copy_(probe->head->weight);
  model->head->bias.copy_(probe->head->bias);
  return {model, encoder.normalization, training.classes, training.preprocessing};
}

}  // namespace dermis
