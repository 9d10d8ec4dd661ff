#include "dermis/train/generator_options.hpp"

#include "dermis/train/generator.hpp"
#include "folder.hpp"
#include "tiny_generator.hpp"

using namespace dermis;
using dermis::test::message_of;

namespace {

std::string complaint(const std::function<void(GeneratorOptions&)>& change) {
  GeneratorOptions options;
  change(options);
  return message_of([&] { validate(options); });
}

}  // namespace

TEST_CASE("generator options: all of them survive JSON, and one of an earlier version is read") {
  GeneratorOptions options;
  options.objective = Objective::Flow;
  options.flow = {.density = TimeDensity::Uniform, .shift = 3};
  options.conditioning = Conditioning::CrossAttention;
  options.min_snr_gamma = 5;
  options.flow_weighting = FlowWeighting::CosMap;
  options.checkpoint_activations = true;
  options.sampler = SamplingMethod::DPMSolver;
  options.eta = 0.5;
  options.sigmas = SigmaSpacing::Karras;
  options.guidance_rescale = 0.7;
  options.guidance_interval = {0.2, 0.8};
  const auto json = options_to_json(options);
  GeneratorOptions read;
  options_from_json(read, Json::parse(json.dump(), "test"), "test");
  CHECK(options_to_json(read) == json);
  CHECK(read.guidance_interval == std::vector<double>{0.2, 0.8});
  CHECK(read.sampler == SamplingMethod::DPMSolver);

  // What was written before these options existed says nothing of them: their defaults are what was
  // done then.
  GeneratorOptions earlier;
  options_from_json(earlier, Json::parse(R"({"objective": "flow", "guidance_scale": 1.5})", "old"),
                    "old");
  CHECK(earlier.guidance_scale == 1.5);
  CHECK(earlier.conditioning == Conditioning::Model);
  CHECK(earlier.sampler == SamplingMethod::DDIM);
  validate(earlier);

  const auto refused = [](const char* text) {
    GeneratorOptions into;
    return message_of<std::runtime_error>(
        [&] { options_from_json(into, Json::parse(text, "t"), "t"); });
  };
  CHECK_THAT(refused(R"({"solver": "ddim"})"), Catch::Contains("unknown key 'solver'"));
  CHECK_THAT(refused(R"({"sampler": "heun"})"),
             Catch::Contains("expected sampler ddim, dpm_solver or euler, got heun"));
  CHECK_THAT(refused(R"({"conditioning": "text"})"),
             Catch::Contains("expected conditioning model, added or cross_attention, got text"));
  CHECK_THAT(refused(R"({"objective": "noise"})"),
             Catch::Contains("expected objective epsilon, velocity or flow, got noise"));
}

TEST_CASE("generator options: what cannot be is one clear error") {
  CHECK(complaint([](auto&) {}).empty());
  CHECK(complaint([](auto& o) { o.latent_views = 3; }) ==
        "[generator] expected latent_views 1, 2 or 8, got 3");
  CHECK(complaint([](auto& o) { o.label_dropout = 1.5; }) ==
        "[generator] expected label_dropout in 0..1, got 1.5");
  CHECK(complaint([](auto& o) { o.min_snr_gamma = -1; }) ==
        "[generator] expected min_snr_gamma of at least 0, got -1");
  CHECK(complaint([](auto& o) {
          o.objective = Objective::Flow;
          o.min_snr_gamma = 5;
        }) ==
        "[generator] expected min_snr_gamma 0 with objective flow, which is weighted by "
        "flow_weighting, got 5");
  CHECK(complaint([](auto& o) { o.flow_weighting = FlowWeighting::CosMap; }) ==
        "[generator] expected flow_weighting none with objective velocity, got cosmap");
  CHECK(complaint([](auto& o) {
          o.objective = Objective::Epsilon;
          o.schedule.zero_terminal_snr = true;
        }) ==
        "[generator] expected objective velocity with schedule.zero_terminal_snr, got epsilon: "
        "where no signal is left, the noise tells nothing about the image");
  CHECK(complaint([](auto& o) { o.schedule.zero_terminal_snr = true; }).empty());
  CHECK(complaint([](auto& o) {
          o.objective = Objective::Flow;
          o.sampler = SamplingMethod::DPMSolver;
        }) == "[generator] expected sampler euler with objective flow, got dpm_solver");
  CHECK(complaint([](auto& o) { o.sampler = SamplingMethod::Euler; }) ==
        "[generator] expected sampler ddim or dpm_solver with objective velocity, got euler");
  CHECK(complaint([](auto& o) { o.sampling_steps = 0; }) ==
        "[generator] expected sampling_steps of at least 1, got 0");
  CHECK(complaint([](auto& o) { o.eta = 2; }) == "[generator] expected eta in 0..1, got 2");
  for (const bool flow : {false, true})
    CHECK(complaint([&](auto& o) {
            o.eta = 1;
            if (flow) {
              o.objective = Objective::Flow;
            } else {
              o.sampler = SamplingMethod::DPMSolver;
            }
          }) == "[generator] expected eta 0 without DDIM of a diffusion, got 1");
  CHECK(complaint([](auto& o) { o.guidance_interval = {0.5}; }) ==
        "[generator] expected guidance_interval [low, high], got 1 numbers");
  CHECK(complaint([](auto& o) {
          o.guidance_interval = {0.8, 0.2};
        }) == "[generator] expected guidance_interval with 0 <= low <= high <= 1, got 0.8 and 0.2");
  CHECK(complaint([](auto& o) { o.guidance_rescale = -0.1; }) ==
        "[generator] expected guidance_rescale in 0..1, got -0.1");
}

TEST_CASE("generator options: the conditioning makes the network") {
  GeneratorOptions options;  // channels 32, 64, 96: a time embedding of 128
  CHECK(network_options(options, 3, 5).cross_attention_dim == 0);
  CHECK(network_options(options, 3, 5).in_channels == 3);
  CHECK(network_options(options, 3, 5).out_channels == 3);
  CHECK(network_options(options, 3, 5).num_classes == 5);
  options.conditioning = Conditioning::CrossAttention;
  CHECK(network_options(options, 3, 5).cross_attention_dim == 128);
  options.model.cross_attention_dim = 24;
  options.model.class_token = false;
  CHECK(network_options(options, 3, 5).cross_attention_dim == 24);
  CHECK(network_options(options, 3, 5).class_token);
  options.conditioning = Conditioning::Added;
  CHECK(network_options(options, 3, 5).cross_attention_dim == 0);
  options.conditioning = Conditioning::Model;
  CHECK(message_of([&] { network_options(options, 3, 5); }) ==
        "[generator] expected model.class_token with model.cross_attention_dim 24: there is no "
        "other context than the class");
  options.model = ldm_cin256();
  CHECK(network_options(options, 3, 5).cross_attention_dim == 512);
  options.model = {.attention = {0, 0, 0}, .mid_attention = false};
  network_options(options, 3, 5);
  options.conditioning = Conditioning::CrossAttention;
  CHECK(message_of([&] { network_options(options, 3, 5); }) ==
        "[generator] expected attention on some level for conditioning cross_attention; without, "
        "the class is not seen");
  options.model.up_attention = {1, 0, 0};
  network_options(options, 3, 5);
}

TEST_CASE("generator options: training and drawing refuse what cannot be") {
  const auto training = test::striped(8, 1);
  auto options = test::tiny_generator_options(1);
  options.latent_views = 5;
  CHECK_THROWS_WITH(
      train_generator(training, test::random_autoencoder(training), options, test::quiet()),
      Catch::Contains("latent_views"));
  auto generator = test::random_generator();
  generator.options.sampler = SamplingMethod::Euler;
  CHECK_THROWS_WITH(generator.sample({0}, {0}, 1), Catch::Contains("got euler"));
}
