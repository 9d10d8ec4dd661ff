#include "dermis/train/loop.hpp"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "dermis/layers/autocast.hpp"
#include "dermis/train/checkpoint.hpp"
#include "tiny_run.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

TEST_CASE("train: the loss falls, the curve and the metrics file say so") {
  const ScratchFolder folder;
  TinyModule module(1);
  TrainOptions options = options_for(folder / "out");
  options.steps = 200;
  options.ema_decay = 0;
  std::vector<std::int64_t> logged;
  const TrainResult result =
      train(module, parameter_groups(module), sampler(),
            [&](const Batch& batch) {
              CHECK(module.is_training());
              CHECK(batch.indices.sizes() == at::IntArrayRef{7});
              CHECK(batch.indices[3].item<std::int64_t>() == batch.draws[3].index);
              return regression(module, batch);
            },
            options, {.on_log = [&](std::int64_t step) {
              logged.push_back(step);
              module.eval();  // an evaluation that forgets to switch back
            }});
  CHECK(result.steps == 200);
  CHECK(result.image_passes == 1400);
  CHECK(result.skipped == 0);
  CHECK_FALSE(result.loaded);
  CHECK(result.seconds > 0);
  REQUIRE(result.curve.size() == 50);
  CHECK(result.curve.back().loss < 0.8 * result.curve.front().loss);
  CHECK(result.curve.back().step == 200);
  CHECK(result.curve[0].learning_rate == Approx(0.02 * 3 / 5));
  CHECK(result.curve[0].values[0].first == "kept");
  CHECK(logged.size() == 50);
  CHECK_FALSE(module.is_training());
  CHECK_FALSE(module.weight1.grad().defined());
  CHECK(at::equal(module.frozen, at::ones({2, 2})));
  const std::vector<Json> lines = metrics(folder / "out");
  REQUIRE(lines.size() == 50);
  CHECK(lines[9].at("step") == Json(40));
  CHECK(lines[9].at("loss").get<double>() == result.curve[9].loss);
  CHECK(lines[9].at("image_passes") == Json(280));
  CHECK(lines[9].at("values").at("kept").get<double>() == result.curve[9].values[0].second);
}

TEST_CASE("train: a log point is the mean since the point before") {
  TinyModule module(1);
  TrainOptions options = options_for("");
  options.steps = 6;
  options.log_every = 4;
  const TrainResult result = train(
      module, parameter_groups(module), sampler(),
      [&](const Batch& batch) {
        return StepLoss{module.weight1.sum() * 0 + batch.step, {{"twice", 2.0 * batch.step}}};
      },
      options);
  REQUIRE(result.curve.size() == 2);
  CHECK(result.curve[0].loss == Approx(1.5));  // 0 1 2 3
  CHECK(result.curve[1].loss == Approx(4.5));  // 4 5, the last step is always logged
  CHECK(result.curve[1].values[0].second == Approx(9));
}

TEST_CASE("train: without a directory nothing is written") {
  const ScratchFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  TinyModule module(1);
  run(module, options_for(""));
  fs::current_path(before);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("train: torch's global generator is neither used nor changed") {
  torch::manual_seed(1);
  const at::Tensor state = at::detail::getDefaultCPUGenerator().get_state().clone();
  TinyModule a(1), b(1);
  run(a, options_for(""));
  CHECK(at::equal(at::detail::getDefaultCPUGenerator().get_state(), state));
  torch::manual_seed(2);
  run(b, options_for(""));
  CHECK(equal(state_dict(a), state_dict(b)));
}

TEST_CASE("train: the EMA is what the module holds at the end") {
  TinyModule averaged(1), last(1);
  TrainOptions options = options_for("");
  run(averaged, options);
  options.ema_decay = 0;
  run(last, options);
  CHECK_FALSE(equal(state_dict(averaged), state_dict(last)));
  CHECK(averaged.calls.item<double>() == last.calls.item<double>());
}

TEST_CASE("train: bfloat16 runs under autocast and keeps float32 weights") {
  TinyModule module(1);
  TrainOptions options = options_for("");
  options.bf16 = true;
  at::ScalarType inside = at::kFloat;
  train(
      module, parameter_groups(module), sampler(),
      [&](const Batch& batch) {
        inside = module.forward(kInputs.index_select(0, batch.indices)).scalar_type();
        return regression(module, batch);
      },
      options);
  CHECK(inside == at::kBFloat16);
  CHECK(module.weight1.scalar_type() == at::kFloat);
  CHECK_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
}

TEST_CASE("train: a loss or gradient that is not finite skips the step") {
  TinyModule module(1);
  TrainOptions options = options_for("");
  std::vector<at::Tensor> after;
  const TrainResult result = train(
      module, parameter_groups(module), sampler(),
      [&](const Batch& batch) {
        after.push_back(module.weight1.detach().clone());
        StepLoss loss = regression(module, batch);
        if (batch.step == 10) loss.loss = loss.loss * std::numeric_limits<double>::quiet_NaN();
        // finite loss 0, gradient 0 * inf
        if (batch.step == 20) loss.loss = (module.weight1 * 0).abs().sum().sqrt();
        return loss;
      },
      options);
  CHECK(result.skipped == 2);
  CHECK(at::equal(after[10], after[11]));
  CHECK(at::equal(after[20], after[21]));
  CHECK_FALSE(at::equal(after[21], after[22]));
  for (const LogPoint& point : result.curve) CHECK(std::isfinite(point.loss));
  CHECK(at::isfinite(module.weight1).all().item<bool>());
}

TEST_CASE("train: twenty such steps in a row abort, the last good checkpoint stands") {
  const ScratchFolder folder;
  TinyModule module(1);
  const auto poisoned = [&](std::int64_t from) {
    return [&module, from](const Batch& batch) {
      StepLoss loss = regression(module, batch);
      if (batch.step >= from) loss.loss = loss.loss / 0.0 * 0.0;
      return loss;
    };
  };
  TrainOptions options = options_for(folder / "out");
  CHECK_THROWS_WITH(train(module, parameter_groups(module), sampler(), poisoned(8), options),
                    Contains("[train] tiny") && Contains("20 steps in a row") &&
                        Contains("up to step 28") && Contains("nan"));
  const auto checkpoint = load_checkpoint(folder / "out" / "checkpoint");
  for (const auto& [name, tensor] : checkpoint->tensors) {
    INFO(name);
    CHECK(at::isfinite(tensor).all().item<bool>());
  }
  TinyModule patient(1);
  options = options_for("");
  CHECK_NOTHROW(train(
      patient, parameter_groups(patient), sampler(),
      [&](const Batch& batch) {
        StepLoss loss = regression(patient, batch);
        if (batch.step >= 8 && batch.step < 27) loss.loss = loss.loss / 0.0 * 0.0;  // nineteen
        return loss;
      },
      options));
}

TEST_CASE("train: a poisoned buffer is never saved") {
  const ScratchFolder folder;
  TinyModule module(1);
  CHECK_THROWS_WITH(run(module, options_for(folder / "out"),
                        [&](std::int64_t step) {
                          if (step == 12) module.calls.fill_(std::nan(""));
                        }),
                    Contains("model.calls is not finite after step 15") &&
                        Contains("the checkpoint of step 10 still stands"));
  const auto checkpoint = load_checkpoint(folder / "out" / "checkpoint");
  REQUIRE(checkpoint.has_value());
  CHECK(checkpoint->step == 10);
}

TEST_CASE("train: what the caller got wrong is refused") {
  TinyModule module(1), other(2);
  const auto step = [&](const Batch& batch) { return regression(module, batch); };
  const auto with = [&](auto change) {
    TrainOptions options = options_for("");
    change(options);
    return train(module, parameter_groups(module), sampler(), step, options);
  };
  CHECK_THROWS_WITH(with([](auto& o) { o.steps = 0; }), Contains("steps of at least 1, got 0"));
  CHECK_THROWS_AS(with([](auto& o) { o.batch_size = 0; }), std::invalid_argument);
  CHECK_THROWS_AS(with([](auto& o) { o.warmup_steps = 31; }), std::invalid_argument);
  CHECK_THROWS_AS(with([](auto& o) { o.learning_rate = 0; }), std::invalid_argument);
  CHECK_THROWS_AS(with([](auto& o) { o.minimum_learning_rate = 1; }), std::invalid_argument);
  CHECK_THROWS_AS(with([](auto& o) { o.clip_norm = -1; }), std::invalid_argument);
  CHECK_THROWS_AS(with([](auto& o) { o.ema_decay = 1; }), std::invalid_argument);
  CHECK_THROWS_AS(with([](auto& o) { o.log_every = 0; }), std::invalid_argument);
  CHECK_THROWS_AS(with([](auto& o) { o.checkpoint_every = -1; }), std::invalid_argument);
  CHECK_THROWS_WITH(train(module, parameter_groups(other), sampler(), step, options_for("")),
                    Contains("only parameters of the module") && Contains("'weight1'"));
  CHECK_THROWS_WITH(
      train(
          module, parameter_groups(module), sampler(),
          [&](const Batch&) { return StepLoss{at::ones({2}).requires_grad_()}; }, options_for("")),
      Contains("scalar loss"));
  CHECK_THROWS_WITH(train(
                        module, parameter_groups(module), sampler(),
                        [&](const Batch&) { return StepLoss{at::ones({})}; }, options_for("")),
                    Contains("depends on a trained parameter"));
}
