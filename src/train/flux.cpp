#include "dermis/train/flux.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "dermis/diffusion/flux_sampling.hpp"
#include "dermis/io/tensors.hpp"

namespace dermis {
namespace {

void check(const FluxTrainingSet& set, const FluxOptions& model,
           const FluxTrainingOptions& options) {
  const auto rows = [](const at::Tensor& x) { return x.defined() ? x.size(0) : 0; };
  check_argument(rows(set.latents) > 0 && set.latents.dim() == 4 &&
                     4 * set.latents.size(1) == model.in_channels && set.latents.size(2) % 2 == 0 &&
                     set.latents.size(3) % 2 == 0,
                 "[train_flux] expected latents of shape [N, ", model.in_channels / 4,
                 ", h, w] with even h and w, got ",
                 set.latents.defined() ? shape_text(set.latents) : "none");
  check_argument(rows(set.text) > 0 && rows(set.pooled) == rows(set.text),
                 "[train_flux] expected as many rows of text as of pooled, got ", rows(set.text),
                 " and ", rows(set.pooled));
  check_argument(rows(set.prompts) == rows(set.latents) && set.prompts.scalar_type() == at::kLong &&
                     set.prompts.min().item<std::int64_t>() >= 0 &&
                     set.prompts.max().item<std::int64_t>() < rows(set.text),
                 "[train_flux] expected int64 prompts [", rows(set.latents), "] in 0..",
                 rows(set.text) - 1);
  check_argument(options.prompt_dropout >= 0 && options.prompt_dropout <= 1,
                 "[train_flux] expected a prompt_dropout in 0..1, got ", options.prompt_dropout);
}

/// The adapters alone as a module: what is averaged, saved and resumed. Its tensors are the
/// layers'.
struct Adapters : torch::nn::Module {
  explicit Adapters(torch::nn::Module& model) {
    for (const auto& [path, linear] : linear_layers(model)) {
      if (!linear->low_rank().enabled()) continue;
      auto name = path;
      std::replace(name.begin(), name.end(), '.', '_');
      register_parameter(name + "_A", linear->lora_A);
      register_parameter(name + "_B", linear->lora_B);
    }
  }
};

}  // namespace

TrainResult train_flux(Flux& flux, const FluxTrainingSet& set, const FluxTrainingOptions& options,
                       const StageContext& context, const std::string& name) {
  const auto& model = flux->options;
  check(set, model, options);
  const auto layers = linear_layers(*flux);
  const bool present = std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
    return layer.second->low_rank().enabled();
  });
  const bool adapters = present || options.low_rank.enabled();
  const auto base = adapters ? fingerprint(state_dict(*flux)) : "";
  if (adapters && !present)
    add_low_rank(*flux, options.layers, options.low_rank, first_weights(context, name).generator,
                 {}, at::kFloat);
  const RectifiedFlow flow(options.flow);
  const auto tokens = set.latents.size(2) * set.latents.size(3) / 4;
  const double shift =
      options.resolution_shift ? std::exp(dynamic_mu(FlowMatchEulerOptions{}, tokens)) : 1.0;
  const auto scale = model.guidance ? std::optional(options.guidance) : std::nullopt;
  const auto device = context.device;
  const FluxNetwork network = [&](const FluxInput& input) { return flux->forward(input); };

  const auto step = [&](const Batch& batch) -> StepLoss {
    flux->train();
    const auto size = batch.indices.size(0);
    const auto x0 = set.latents.index_select(0, batch.indices).to(device, at::kFloat);
    const auto noise = at::randn(x0.sizes(), batch.generator, at::kFloat).to(device);
    const auto s =
        shifted_times(flow.times(at::rand({size}, batch.generator, at::kFloat)), shift).to(device);
    const auto kept = at::rand({size}, batch.generator, at::kFloat) >= options.prompt_dropout;
    const auto rows = set.prompts.index_select(0, batch.indices) * kept.to(at::kLong);
    const FluxPrompt prompt{set.text.index_select(0, rows).to(device),
                            set.pooled.index_select(0, rows).to(device)};
    set_low_rank_generator(*flux, batch.generator);
    const auto noisy = flow.corrupt(x0, noise, s);
    const auto velocity = flux_denoiser(network, prompt, scale)(noisy.x, s);
    const auto errors = (velocity.to(at::kFloat) - noisy.target).square().flatten(1).mean(1);
    return {(flow_weight(options.weighting, s) * errors).mean(), {}};
  };
  const auto sampler = Sampler::natural(set.latents.size(0), context.seed, name);
  auto configuration = Json::object({{"stage", "flux"},
                                     {"options", options_to_json(options)},
                                     {"model", options_to_json(model)},
                                     {"base", base},
                                     {"sampler", sampler.configuration()},
                                     {"data", fingerprint({{"latents", set.latents},
                                                           {"prompts", set.prompts},
                                                           {"text", set.text},
                                                           {"pooled", set.pooled}})}});
  std::shared_ptr<torch::nn::Module> trained = flux.ptr();
  if (adapters) trained = std::make_shared<Adapters>(*flux);
  auto result =
      train(*trained, parameter_groups(*trained, {.weight_decay = options.training.weight_decay}),
            sampler, step, train_options(options.training, context, name, configuration));
  flux->eval();
  return result;
}

}  // namespace dermis
