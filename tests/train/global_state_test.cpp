#include <ATen/autocast_mode.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/train/distillation.hpp"
#include "dermis/train/generator.hpp"
#include "dermis/train/masked.hpp"
#include "stripes.hpp"

using namespace dermis;
using namespace dermis::test;

namespace {

/// What a library could change behind its caller's back.
struct GlobalState {
  at::Tensor generator = at::detail::getDefaultCPUGenerator().get_state().clone();
  int threads = at::get_num_threads();
  bool gradients = at::GradMode::is_enabled();
  bool autocast = at::autocast::is_autocast_enabled(at::kCPU);
  bool deterministic = at::globalContext().deterministicAlgorithms();
  caffe2::TypeMeta dtype = at::get_default_dtype();

  bool operator==(const GlobalState& other) const {
    return at::equal(generator, other.generator) && threads == other.threads &&
           gradients == other.gradients && autocast == other.autocast &&
           deterministic == other.deterministic && dtype == other.dtype;
  }
};

/// A number of threads that no program would choose, while it lives.
struct OddThreads {
  int before = at::get_num_threads();
  OddThreads() { at::set_num_threads(3); }
  ~OddThreads() { at::set_num_threads(before); }
};

}  // namespace

TEST_CASE("global state: the comparison sees a change of each of its parts") {
  const OddThreads odd;
  {
    const GlobalState before;
    CHECK(before == GlobalState());
    at::rand({1});
    CHECK_FALSE(before == GlobalState());
  }
  const GlobalState before;
  {
    const at::NoGradGuard no_grad;
    CHECK_FALSE(before == GlobalState());
  }
  at::set_num_threads(2);
  CHECK_FALSE(before == GlobalState());
  at::set_num_threads(3);
  torch::set_default_dtype(caffe2::TypeMeta::Make<double>());
  CHECK_FALSE(before == GlobalState());
  torch::set_default_dtype(before.dtype);
  CHECK(before == GlobalState());
}

TEST_CASE("global state: building models with a generator of one's own leaves it alone") {
  const OddThreads odd;
  const GlobalState before;
  const ParameterOptions parameters{.generator = at::make_generator<at::CPUGeneratorImpl>(3)};
  auto options = small;
  options.image_size = 16;
  options.num_classes = 2;
  ViT(options, parameters)->clone();
  MAE(MAEOptions{.encoder = options, .decoder_dim = 16, .decoder_depth = 1, .decoder_heads = 2},
      parameters);
  KLVAE(KLVAEOptions{.channels = {8, 16}, .norm_groups = 4}, parameters);
  UNet(UNetOptions{.channels = {16, 16}, .attention = {0, 1}, .head_dim = 8, .norm_groups = 4},
       parameters);
  CHECK(before == GlobalState());
}

TEST_CASE("global state: every stage, sampling and prediction leave it alone") {
  const OddThreads odd;
  const auto training = striped(32, 1);
  const auto normalization = measure_normalization(training);
  auto context = quiet();
  context.bf16 = true;  // switches autocast on and off
  auto model = small;
  model.drop_path = 0.2;
  const GlobalState before;

  const auto mae = pretrain(
      training, normalization,
      {.model = {.encoder = model, .decoder_dim = 16, .decoder_depth = 1, .decoder_heads = 2},
       .training = steps(2)},
      context);
  CHECK(before == GlobalState());

  const auto teacher =
      train_classifier(training, normalization, {.model = model, .training = steps(2)}, context,
                       "teacher", nullptr, mae.encoder());
  predict_logits(teacher, training.images);
  CHECK(before == GlobalState());

  distill(teacher, training, {.model = small, .loss = dermae_loss(), .training = steps(2)},
          context);
  CHECK(before == GlobalState());

  const auto autoencoder =
      train_autoencoder(training,
                        {.model = {.channels = {8, 16}, .layers_per_block = 1, .norm_groups = 4},
                         .training = steps(2)},
                        context);
  CHECK(before == GlobalState());

  for (const auto objective : {Objective::Velocity, Objective::Flow}) {
    INFO(name(objective));
    const auto drawn = train_generator(training, autoencoder,
                                       {.model = {.channels = {16, 16},
                                                  .layers_per_block = 1,
                                                  .attention = {0, 0},
                                                  .head_dim = 8,
                                                  .norm_groups = 4},
                                        .training = steps(2),
                                        .objective = objective,
                                        .sampling_steps = 2},
                                       context)
                           .sample({0, 1}, {0, 1}, 5);
    CHECK(drawn.size(0) == 2);
    CHECK(before == GlobalState());
  }
}
