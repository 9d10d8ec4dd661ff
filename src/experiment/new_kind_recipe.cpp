#include "dermis/experiment/new_kind.hpp"

namespace dermis {

NewKindRecipe new_kind_recipe(const std::string& preset) {
  check_argument(preset == "demo", "[new_kind] expected preset demo, got ", preset);
  const auto dermae = dermae_recipe("demo");
  NewKindRecipe r;
  r.data = parts_options(dermae);
  r.data.phantom_test_per_class = 100;
  r.autoencoder = dermae.autoencoder;
  r.autoencoder.training.steps = 2000;
  r.judge = dermae.teacher;
  r.model = {.dim = 128,
             .heads = 4,
             .double_blocks = 2,
             .single_blocks = 4,
             .axes = {8, 12, 12},
             .guidance = false};
  r.base.training = {.steps = 3000,
                     .batch_size = 32,
                     .learning_rate = 1e-3,
                     .warmup_steps = 100,
                     .weight_decay = 0.01,
                     .ema_decay = 0.998};
  r.adapter.training = {.steps = 2000,
                        .batch_size = 16,
                        .learning_rate = 1e-3,
                        .warmup_steps = 30,
                        .weight_decay = 0.01};
  r.adapter.low_rank = {.rank = 16, .alpha = 16};
  for (auto* options : {&r.base, &r.adapter}) {
    options->resolution_shift = false;  // 64 tokens: the shift is made for thousands
    options->prompt_dropout = 0.1;
  }
  r.sampling.shift = false;
  return r;
}

void validate(const NewKindRecipe& r) {
  validate(r.model);
  check_argument(!r.model.guidance,
                 "[new_kind] expected a model without guidance input: its guidance is by the empty "
                 "prompt");
  check_argument(!r.base.low_rank.enabled() && r.adapter.low_rank.enabled(),
                 "[new_kind] expected an adapter of rank 1 or more, and a base without, got ",
                 r.adapter.low_rank.rank, " and ", r.base.low_rank.rank);
  check_argument(r.text_tokens >= 1 && r.text_dim >= 1 && r.draws_per_kind >= 1,
                 "[new_kind] expected text_tokens, text_dim and draws_per_kind of at least 1");
  check_argument(r.latent_views >= 1 && r.latent_views <= 8,
                 "[new_kind] expected latent_views of 1 to 8, got ", r.latent_views);
  check_argument(r.images_per_kind >= 4, "[new_kind] expected images_per_kind of at least 4, got ",
                 r.images_per_kind);
  const auto factor = 2 * r.autoencoder.model.factor();
  check_argument(r.data.image_size % factor == 0, "[new_kind] expected an image size divisible by ",
                 factor, ", got ", r.data.image_size);
}

std::vector<StagePlan> plan(const NewKindRecipe& r, std::int64_t classes) {
  const ParameterOptions nowhere{.device = at::kMeta};
  auto judge = r.judge.model;
  judge.image_size = r.data.image_size;
  judge.num_classes = classes;
  auto model = r.model;
  model.in_channels = 4 * r.autoencoder.model.latent_channels;
  model.text_dim = model.pooled_dim = r.text_dim;
  Flux flux(model, nowhere);
  std::vector<StagePlan> stages{
      plan("judge", r.judge.training, *ViT(judge, nowhere)),
      plan("autoencoder", r.autoencoder.training, *KLVAE(r.autoencoder.model, nowhere)),
      plan("base", r.base.training, *flux)};
  add_low_rank(*flux, r.adapter.layers, r.adapter.low_rank);
  for (const auto* name : {"adapter", "adapter_replay"})
    stages.push_back(plan(name, r.adapter.training, *flux));
  return stages;
}

}  // namespace dermis
