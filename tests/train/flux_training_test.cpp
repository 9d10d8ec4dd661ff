#include "dermis/diffusion/flux_sampling.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/train/flux.hpp"
#include "folder.hpp"
#include "support.hpp"

using namespace dermis;
using dermis::test::difference;
using dermis::test::randn;

namespace {

Flux base() {
  return Flux(flux_tiny(), ParameterOptions{.generator = test::generator(3)});
}

/// Two pictures, each with its prompt; row 0 is the empty prompt.
FluxTrainingSet pictures() {
  const auto o = flux_tiny();
  return {randn({2, 4, 4, 4}, 1), at::tensor({1, 2}, at::kLong), randn({3, 3, o.text_dim}, 2),
          randn({3, o.pooled_dim}, 3)};
}

FluxTrainingOptions adapter_of(std::int64_t steps) {
  FluxTrainingOptions options;
  options.training.steps = steps;
  options.training.batch_size = 8;
  options.training.warmup_steps = 2;
  options.training.learning_rate = 1e-2;
  options.low_rank = {.rank = 8, .alpha = 8, .dropout = 0.05};
  return options;
}

const StageContext quiet{.seed = 5, .progress = false};

/// Mean distance between what is drawn for each prompt and its picture.
double distance(Flux& flux, const FluxTrainingSet& set, const at::Tensor& rows) {
  flux->eval();
  const FluxPrompt prompt{set.text.index_select(0, rows), set.pooled.index_select(0, rows)};
  const auto drawn =
      sample_flux(flux, prompt, randn(set.latents.sizes(), 9), {.steps = 8, .guidance = 1});
  return (drawn - set.latents).abs().mean().item<double>();
}

std::map<std::string, at::Tensor> weights_of(const Flux& flux) {
  std::map<std::string, at::Tensor> weights;
  for (const auto& [name, tensor] : state_dict(*flux)) weights.emplace(name, tensor.clone());
  return weights;
}

}  // namespace

TEST_CASE("train_flux: adapters learn two pictures by their prompts, the base stays what it was") {
  auto flux = base();
  const auto before = weights_of(flux);
  const auto set = pictures();
  const double untrained = distance(flux, set, set.prompts);
  train_flux(flux, set, adapter_of(250), quiet);
  for (const auto& [name, tensor] : weights_of(flux))
    if (before.count(name) != 0) CHECK(at::equal(tensor, before.at(name)));
  const double trained = distance(flux, set, set.prompts);
  INFO("untrained " << untrained << ", trained " << trained);
  CHECK(trained < 0.75 * untrained);
  CHECK(distance(flux, set, set.prompts.flip(0)) > 1.2 * trained);
}

TEST_CASE("train_flux: the same seed gives the same adapters bit for bit, all weights can train") {
  std::vector<std::map<std::string, at::Tensor>> runs;
  for (int run = 0; run < 2; ++run) {
    auto flux = base();
    train_flux(flux, pictures(), adapter_of(4), quiet);
    runs.push_back(weights_of(flux));
  }
  for (const auto& [name, tensor] : runs[0]) CHECK(at::equal(tensor, runs[1].at(name)));
  auto flux = base();
  auto options = adapter_of(2);
  options.low_rank = {};
  options.prompt_dropout = 0.5;
  const auto before = weights_of(flux);
  train_flux(flux, pictures(), options, quiet);
  for (const auto& [name, tensor] : weights_of(flux)) {
    INFO(name);
    CHECK_FALSE(at::equal(tensor, before.at(name)));
  }
}

TEST_CASE("train_flux: a finished run is loaded, not trained again") {
  const test::ScratchFolder folder;
  auto context = quiet;
  context.out = folder.path();
  auto first = base();
  train_flux(first, pictures(), adapter_of(3), context);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
    if (entry.path().extension() == ".safetensors")  // adapters, not the model
      for (const auto& [name, tensor] : read_tensors(entry.path()).tensors)
        CHECK((name.rfind("model.", 0) != 0 || name.ends_with("_A") || name.ends_with("_B")));
  context.resume = true;
  auto second = base();
  CHECK(train_flux(second, pictures(), adapter_of(3), context).loaded);
  const auto ours = weights_of(first);
  for (const auto& [name, tensor] : weights_of(second)) CHECK(at::equal(tensor, ours.at(name)));
}

TEST_CASE("train_flux: adapters that are there go on, the base stays") {
  auto flux = base();
  add_low_rank(*flux, {"linear2"}, {.rank = 2, .alpha = 2}, test::generator(1));
  const auto before = weights_of(flux);
  auto options = adapter_of(2);
  options.low_rank = {};
  train_flux(flux, pictures(), options, quiet);
  for (const auto& [name, tensor] : weights_of(flux))
    CHECK(at::equal(tensor, before.at(name)) == (name.find(".lora_") == std::string::npos));
}

TEST_CASE("train_flux: a set that does not fit is refused") {
  auto flux = base();
  const auto refused = [&](auto&& change) {
    auto set = pictures();
    change(set);
    return test::message_of([&] { train_flux(flux, set, adapter_of(1), quiet); });
  };
  using Catch::Contains;
  CHECK_THAT(refused([](FluxTrainingSet& s) {
               s.latents = randn({2, 3, 4, 4});
             }),
             Contains("latents of shape [N, 4, h, w]") && Contains("got [2, 3, 4, 4]"));
  CHECK_THAT(refused([](FluxTrainingSet& s) {
               s.prompts = at::tensor({1, 3}, at::kLong);
             }),
             Contains("prompts [2] in 0..2"));
  CHECK_THAT(refused([](FluxTrainingSet& s) {
               s.pooled = randn({2, 12});
             }),
             Contains("as many rows of text as of pooled, got 3 and 2"));
}
