#include "dermis/experiment/dermaflux.hpp"

namespace dermis {
DermafluxRecipe dermaflux_recipe(const std::string& preset) {
  check_argument(preset == "demo", "[dermaflux] expected preset demo, got ", preset);
  const auto dermae = dermae_recipe("demo");
  DermafluxRecipe r;
  r.data = {.phantom_images = 1200, .phantom_test_per_class = 100};
  r.autoencoder = dermae_recipe("study").autoencoder;
  r.autoencoder.whiten_colours = true;      // otherwise all lesions come back brown
  r.autoencoder.model.latent_channels = 8;  // twice the study's: whitened, detail needs them
  r.generator.training = {.steps = 5000,
                          .batch_size = 32,
                          .learning_rate = 1e-3,
                          .warmup_steps = 100,
                          .weight_decay = 0.01,
                          .ema_decay = 0.995};
  r.adapter_training = {
      .steps = 300, .batch_size = 16, .learning_rate = 1e-3, .weight_decay = 0.01};
  r.generator.sampling.steps = 12;
  r.classifier = dermae.teacher;
  r.classifier.model.dim = 64;
  r.classifier.model.depth = 4;
  r.classifier.training.steps = 1500;  // with few, more real images would not help either
  return r;
}

void validate(const DermafluxRecipe& r) {
  validate(r.generator);
  check_argument(r.adapter.rank > 0, "[dermaflux] expected an adapter of rank 1 or more, got ",
                 r.adapter.rank);
  check_argument(r.followed_images >= 8, "[dermaflux] expected followed_images of at least 8, got ",
                 r.followed_images);
  const auto factor = 2 * r.autoencoder.model.factor();
  check_argument(r.data.image_size % factor == 0,
                 "[dermaflux] expected an image size divisible by ", factor, ", got ",
                 r.data.image_size);
}

std::vector<StagePlan> plan(const DermafluxRecipe& r) {
  const ParameterOptions nowhere{.device = at::kMeta};
  auto text = r.generator.text;
  text.vocabulary = r.generator.vocabulary.words;
  auto model = r.generator.model;
  model.in_channels = 4 * r.autoencoder.model.latent_channels;
  model.text_dim = model.pooled_dim = text.dim;
  auto classifier = r.classifier.model;
  classifier.image_size = r.data.image_size;
  classifier.num_classes = 2;
  return {plan("autoencoder", r.autoencoder.training, *KLVAE(r.autoencoder.model, nowhere)),
          plan("text_to_image", r.generator.training, *ReadingFlux(text, model, nowhere)),
          plan("classifier", r.classifier.training, *ViT(classifier, nowhere))};
}

}  // namespace dermis
