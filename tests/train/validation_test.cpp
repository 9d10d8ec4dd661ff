// Gradient accumulation, validation while training, and how many checkpoints stay.

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "dermis/train/checkpoint.hpp"
#include "dermis/train/loop.hpp"
#include "tiny_run.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

namespace {

/// A loss without randomness: the parts of a batch add up to the batch.
StepLoss plain_regression(TinyModule& module, const Batch& batch) {
  const auto x = kInputs.index_select(0, batch.indices);
  const auto y = kTargets.index_select(0, batch.indices);
  const auto loss = (module.forward(x) - y).square().mean();
  return {loss, {{"images", static_cast<double>(batch.indices.size(0))}}};
}

TrainResult plain_run(TinyModule& module, const TrainOptions& options,
                      const TrainHooks& hooks = {}) {
  return train(
      module, parameter_groups(module, {.weight_decay = 0.05}), sampler(),
      [&](const Batch& batch) { return plain_regression(module, batch); }, options, hooks);
}

}  // namespace

TEST_CASE("train: a batch in parts takes the step of the whole batch") {
  TinyModule whole(1), parts(1);
  auto options = options_for("");
  options.batch_size = 8;
  const auto expected = plain_run(whole, options);
  options.accumulate = 4;
  const auto got = plain_run(parts, options);
  CHECK(at::allclose(whole.weight1, parts.weight1, 1e-5, 1e-6));
  CHECK_FALSE(at::equal(parts.weight1, TinyModule(1).weight1));
  CHECK(got.image_passes == expected.image_passes);
  CHECK(got.curve[0].loss == Approx(expected.curve[0].loss).epsilon(1e-5));
  CHECK(expected.curve[0].values[0].second == 8);
  CHECK(got.curve[0].values[0].second == 2);
  options.accumulate = 3;
  CHECK_THROWS_WITH(plain_run(parts, options),
                    Contains("expected accumulate to divide batch_size, got 3"));
}

TEST_CASE("train: validation keeps the best weights, with the average where there is one") {
  TinyModule module(1);
  auto options = options_for("");
  options.validate_every = 8;
  std::vector<at::Tensor> seen;
  const std::vector<double> values = {0.1, 0.7, 0.4, 0.7};  // after steps 8, 16, 24 and 30
  const auto result = plain_run(module, options, {.validate = [&] {
                                  CHECK_FALSE(module.is_training());
                                  CHECK_FALSE(at::GradMode::is_enabled());
                                  seen.push_back(module.weight1.detach().clone());
                                  return values.at(seen.size() - 1);
                                }});
  REQUIRE(seen.size() == 4);
  CHECK(result.best_step == 16);  // the first of equals
  CHECK(at::equal(module.weight1, seen[1]));
  CHECK_FALSE(at::equal(seen[1], seen[3]));

  // Validation looks, it does not touch: the weights that are trained on are the same without it.
  TinyModule other(1);
  options.validate_every = 0;
  plain_run(other, options);  // ends with the average, as validation saw it after step 30
  CHECK(at::equal(other.weight1, seen[3]));

  std::vector<double> logged;
  for (const auto& point : result.curve)
    for (const auto& [name, value] : point.values)
      if (name == "validation") logged.push_back(value);
  CHECK(logged == values);

  options.validate_every = 6;  // log_every is 4
  CHECK_THROWS_WITH(plain_run(other, options), Contains("a multiple of log_every"));
  options.validate_every = 8;
  CHECK_THROWS_WITH(plain_run(other, options, {.validate = [] { return std::nan(""); }}),
                    Contains("expected a finite validation value after step 8"));
}

TEST_CASE("train: the best weights survive a stop, and a finished run remembers them") {
  const ScratchFolder folder;
  auto options = options_for(folder / "out");
  options.validate_every = 8;
  std::vector<at::Tensor> seen;
  TinyModule stopped(1);
  struct Fault {};
  const auto falling = [&](TinyModule& module) {
    return [&] {
      seen.push_back(module.weight1.detach().clone());
      if (seen.size() == 3) throw Fault();
      return -static_cast<double>(seen.size());
    };
  };
  CHECK_THROWS_AS(plain_run(stopped, options, {.validate = falling(stopped)}), Fault);
  options.resume = true;
  TinyModule resumed(2);
  const auto result = plain_run(resumed, options, {.validate = falling(resumed)});
  CHECK(result.best_step == 8);
  CHECK(at::equal(resumed.weight1, seen[0]));
  TinyModule loaded(3);
  CHECK(plain_run(loaded, options, {.validate = [] { return 0.0; }}).best_step == 8);
  CHECK(at::equal(loaded.weight1, seen[0]));
}

TEST_CASE("train: previews see the average, in eval mode, and change nothing") {
  TinyModule plain(1), shown(1), refused(1);
  auto options = options_for("");
  plain_run(plain, options);
  options.preview_every = 12;
  std::vector<std::int64_t> steps;
  at::Tensor last;
  plain_run(shown, options, {.preview = [&](std::int64_t step) {
              steps.push_back(step);
              CHECK_FALSE(shown.is_training());
              CHECK_FALSE(at::GradMode::is_enabled());
              last = shown.weight1.detach().clone();
            }});
  CHECK(steps == std::vector<std::int64_t>{12, 24, 30});
  CHECK(at::equal(shown.weight1, plain.weight1));
  CHECK(at::equal(last, shown.weight1));  // what the run ends with: the EMA
  options.preview_every = -1;
  CHECK_THROWS_WITH(plain_run(refused, options), Contains("preview_every of at least 0, got -1"));
}

TEST_CASE("checkpoint: the newest stay, as many as asked for") {
  const ScratchFolder folder;
  for (std::int64_t step : {5, 10, 15, 20})
    save_checkpoint(folder / "c", {.name = "run", .step = step, .tensors = {{"w", at::ones({2})}}},
                    2);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "c"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"checkpoint.json", "step-00000015.safetensors",
                                          "step-00000020.safetensors"});
  CHECK(load_checkpoint(folder / "c")->step == 20);
  CHECK_THROWS_WITH(save_checkpoint(folder / "c", {}, 0), Contains("expected to keep at least 1"));
}
