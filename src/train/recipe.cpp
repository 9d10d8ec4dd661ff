#include "dermis/train/recipe.hpp"

#include "train_options.hpp"

namespace dermis {

namespace {

/// Whole-lesion augmentation of classifiers: a lesion has no upright position.
AugmentOptions lesion_views() {
  return {.rotate = 180, .scale_min = 0.85, .scale_max = 1.2, .shift = 0.08};
}
/// Flips alone: what a generator should draw must stay as it was photographed.
AugmentOptions mirrored() {
  auto options = no_augmentation();
  options.flip = true;
  return options;
}

/// What one ViT arm of the demo trains for. Small batches leave the first plateau sooner, and so
/// does this learning rate: at 1e-3 a ViT from scratch is still on it after 13,000 images.
StageSchedule classifier_schedule(std::int64_t steps) {
  return {.steps = steps,
          .batch_size = 32,
          .learning_rate = 4e-4,
          .warmup_steps = 60,
          .ema_decay = 0.99};
}

DermaeRecipe demo() {
  DermaeRecipe r;
  r.preset = "demo";
  r.autoencoder = {.model = {.channels = {16, 32, 64},
                             .layers_per_block = 1,
                             .norm_groups = 8,
                             .mid_attention = false},
                   .training = {.steps = 900,
                                .batch_size = 16,
                                .learning_rate = 2e-3,
                                .warmup_steps = 50,
                                .weight_decay = 0,
                                .ema_decay = 0.99},
                   .augment = mirrored()};
  r.generator = {.model = {.channels = {32, 64, 96},
                           .layers_per_block = 1,
                           .attention = {0, 1, 1},
                           .norm_groups = 8,
                           .scale_shift = true},
                 .training = {.steps = 1600,
                              .batch_size = 32,
                              .learning_rate = 2e-3,
                              .warmup_steps = 50,
                              .weight_decay = 0.01,
                              .ema_decay = 0.995},
                 .latent_views = 2,
                 .sampling_steps = 25,
                 .guidance_scale = 2.0};
  r.synthetic_target = 250;
  const ViTOptions teacher{
      .image_size = 64, .patch_size = 8, .dim = 128, .depth = 6, .heads = 4, .mean_pooling = true};
  r.pretraining = {.model = {.encoder = teacher,
                             .decoder_dim = 96,
                             .decoder_depth = 2,
                             .decoder_heads = 4,
                             .norm_pix_loss = false},
                   .training = {.steps = 800,
                                .batch_size = 32,
                                .learning_rate = 1e-3,
                                .warmup_steps = 60,
                                .beta2 = 0.95},
                   .augment = lesion_views()};
  r.teacher = {.model = teacher, .training = classifier_schedule(800), .augment = lesion_views()};
  r.student = {.model = {.image_size = 64,
                         .patch_size = 8,
                         .dim = 96,
                         .depth = 4,
                         .heads = 4,
                         .mean_pooling = true},
               .loss = dermae_loss(0.5, 2.0),
               .training = classifier_schedule(800),
               .augment = lesion_views()};
  return r;
}

DermaeRecipe study() {
  auto r = demo();
  r.preset = "study";
  r.autoencoder.training.steps = 3000;
  r.autoencoder.training.ema_decay = 0.998;
  r.generator.training.steps = 5000;
  r.generator.training.ema_decay = 0.999;
  r.generator.latent_views = 8;
  r.synthetic_target = 400;
  r.synthetic_minimum = 200;
  r.pretraining.training.steps = 2000;
  r.teacher.training = classifier_schedule(2000);
  r.student.training = classifier_schedule(2000);
  for (auto* schedule : {&r.teacher.training, &r.student.training}) schedule->ema_decay = 0.998;
  return r;
}

DermaeRecipe paper() {
  auto r = demo();
  r.preset = "paper";
  r.image_size = 256;
  r.autoencoder.model = kl_f4();
  r.autoencoder.training = {.steps = 200'000,
                            .batch_size = 12,
                            .learning_rate = 4.5e-6 * 12,
                            .warmup_steps = 1000,
                            .weight_decay = 0.0,
                            .beta1 = 0.5};
  r.autoencoder.adversarial_weight = 0.5;
  r.autoencoder.adversarial_start = 50'000;
  r.generator.model = ldm_cin256();
  r.generator.objective = Objective::Epsilon;
  r.generator.schedule = ldm_schedule();
  r.generator.training = {.steps = 180'000,
                          .batch_size = 64,
                          .learning_rate = 1e-4,
                          .warmup_steps = 1000,
                          .weight_decay = 0.01,
                          .ema_decay = 0.9999};
  r.generator.sampling_steps = 50;
  r.generator.guidance_scale = 2.0;
  r.generator.latent_views = 8;
  r.synthetic_target = 0;
  auto teacher = vit_huge();
  teacher.mean_pooling = true;
  teacher.drop_path = 0.3;
  r.pretraining.model = {.encoder = teacher};
  r.pretraining.training = {.steps = 80'000,
                            .batch_size = 512,
                            .learning_rate = 1.5e-4 * 2,
                            .warmup_steps = 4000,
                            .beta2 = 0.95};
  r.teacher.model = teacher;
  r.teacher.layer_decay = 0.75;
  r.teacher.training = {.steps = 10'000,
                        .batch_size = 256,
                        .learning_rate = 1e-3,
                        .minimum_learning_rate = 1e-6,
                        .warmup_steps = 1000};
  r.student.model = vit_base();
  r.student.model.mean_pooling = true;
  r.student.training = {.steps = 10'000,
                        .batch_size = 256,
                        .learning_rate = 5e-4,
                        .minimum_learning_rate = 1e-6,
                        .warmup_steps = 1000};
  set_image_size(r, 224);
  return r;
}

}  // namespace

PartsOptions parts_options(const DermaeRecipe& r) {
  return {.image_size = r.image_size,
          .phantom_images = r.phantom_images,
          .phantom_validation_per_class = r.phantom_validation_per_class,
          .phantom_test_per_class = r.phantom_test_per_class,
          .validation_share = r.validation_share,
          .test_share = r.test_share};
}

DermaeRecipe dermae_recipe(const std::string& preset) {
  if (preset == "demo") return demo();
  if (preset == "study") return study();
  if (preset == "paper") return paper();
  check_argument(false, "[recipe] expected preset demo, study or paper, got ", preset);
  return {};
}

void set_image_size(DermaeRecipe& r, std::int64_t image_size) {
  r.image_size = image_size;
  r.pretraining.model.encoder.image_size = image_size;
  r.teacher.model.image_size = image_size;
  r.student.model.image_size = image_size;
}

void validate(const DermaeRecipe& r) {
  validate(r.pretraining.model);
  validate(r.teacher.model);
  validate(r.student.model);
  validate(r.autoencoder.model);
  validate(r.generator);
  validate(r.generator.model);
  check_argument(r.teacher.model.image_size == r.image_size &&
                     r.student.model.image_size == r.image_size &&
                     r.pretraining.model.encoder.image_size == r.image_size,
                 "[recipe] expected every model's image_size to be ", r.image_size);
  // Each UNet level after the first halves the latent grid.
  const auto multiple = r.autoencoder.model.factor() << (r.generator.model.channels.size() - 1);
  check_argument(r.image_size % multiple == 0, "[recipe] expected image_size divisible by ",
                 multiple, " (autoencoder and UNet levels), got ", r.image_size);
}

StagePlan plan(const std::string& stage, const StageSchedule& training,
               const torch::nn::Module& module) {
  std::int64_t trained = 0;
  for (const auto& parameter : module.parameters())
    if (parameter.requires_grad()) trained += parameter.numel();
  const auto bytes = detail::state_bytes(trained, training.ema_decay > 0);
  return {stage,   training.steps,         training.batch_size,
          trained, training.learning_rate, static_cast<double>(bytes) / 1e9};
}

std::vector<StagePlan> plan(const DermaeRecipe& r, std::int64_t classes) {
  const ParameterOptions nowhere{.device = at::kMeta};
  const auto unet = network_options(r.generator, r.autoencoder.model.latent_channels, classes);
  auto teacher = r.teacher.model, student = r.student.model;
  teacher.num_classes = student.num_classes = classes;
  return {plan("autoencoder", r.autoencoder.training, *KLVAE(r.autoencoder.model, nowhere)),
          plan("generator", r.generator.training, *UNet(unet, nowhere)),
          plan("mae", r.pretraining.training, *MAE(r.pretraining.model, nowhere)),
          plan("teacher", r.teacher.training, *ViT(teacher, nowhere)),
          plan("student", r.student.training, *ViT(student, nowhere))};
}

}  // namespace dermis
