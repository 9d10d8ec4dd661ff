// Stopping and going on: what the training loop leaves on the disk and what it makes of it.

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <optional>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/interrupt.hpp"
#include "dermis/train/checkpoint.hpp"
#include "dermis/train/loop.hpp"
#include "tiny_run.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

namespace {

struct Fault : std::exception {};

/// What two runs must share bit for bit: the lines without the wall clock.
std::string without_seconds(std::vector<Json> lines) {
  std::string result;
  for (Json& line : lines) {
    line["seconds"] = nullptr;
    result += line.dump() + "\n";
  }
  return result;
}

void check_same_as_uninterrupted(const TinyModule& module, const TrainResult& result,
                                 const fs::path& directory) {
  const ScratchFolder folder;
  TinyModule reference(1);
  const TrainResult expected = run(reference, options_for(folder / "reference"));
  CHECK(equal(state_dict(module), state_dict(reference)));
  CHECK((result.curve == expected.curve));
  CHECK(without_seconds(metrics(directory)) == without_seconds(metrics(folder / "reference")));
  CHECK(result.image_passes == 30 * 7);
}

}  // namespace

TEST_CASE("train: interrupted and resumed equals uninterrupted, bit for bit") {
  const ScratchFolder folder;
  TrainOptions options = options_for(folder / "out");
  TinyModule first(1);
  {
    const InterruptGuard guard;
    CHECK_THROWS_AS(run(first, options,
                        [](std::int64_t step) {
                          if (step == 13) std::raise(SIGINT);
                        }),
                    Interrupted);
    InterruptGuard::clear();
  }
  const auto checkpoint = load_checkpoint(folder / "out" / "checkpoint");
  REQUIRE(checkpoint.has_value());
  CHECK(checkpoint->step == 14);  // the step in hand was finished; 14 is no log point
  CHECK_FALSE(checkpoint->finished);
  TinyModule second(77);  // other initial weights, all overwritten
  options.resume = true;
  const TrainResult result = run(second, options, [](std::int64_t step) { CHECK(step >= 14); });
  check_same_as_uninterrupted(second, result, folder / "out");
}

TEST_CASE(
    "train: crashed and resumed from the last checkpoint equals uninterrupted, no line twice") {
  const ScratchFolder folder;
  TrainOptions options = options_for(folder / "out");
  TinyModule first(1);
  CHECK_THROWS_AS(run(first, options,
                      [](std::int64_t step) {
                        if (step == 17) throw Fault();
                      }),
                  Fault);
  REQUIRE(load_checkpoint(folder / "out" / "checkpoint")->step == 15);
  REQUIRE(metrics(folder / "out").back().at("step") == Json(16));  // logged after the checkpoint
  std::ofstream(folder / "out" / "metrics.jsonl", std::ios::app) << "{\"step\": 1";  // cut off
  TinyModule second(77);
  options.resume = true;
  const TrainResult result = run(second, options, [](std::int64_t step) { CHECK(step >= 15); });
  check_same_as_uninterrupted(second, result, folder / "out");
}

TEST_CASE("train: resuming where nothing is starts anew; not resuming clears an earlier run") {
  const ScratchFolder folder;
  TrainOptions options = options_for(folder / "out");
  options.resume = true;
  TinyModule first(1);
  const TrainResult result = run(first, options);
  CHECK_FALSE(result.loaded);
  check_same_as_uninterrupted(first, result, folder / "out");

  options.resume = false;
  options.learning_rate = 0.01;  // another configuration is no error then
  TinyModule second(1);
  std::int64_t steps = 0;
  CHECK_THROWS_AS(run(second, options,
                      [&](std::int64_t) {
                        if (++steps == 3) throw Fault();
                      }),
                  Fault);
  CHECK_FALSE(load_checkpoint(folder / "out" / "checkpoint").has_value());
  CHECK(metrics(folder / "out").empty());
}

TEST_CASE("train: a finished run is loaded, not trained again") {
  const ScratchFolder folder;
  TrainOptions options = options_for(folder / "out");
  TinyModule first(1);
  const TrainResult expected = run(first, options);
  const auto checkpoint = load_checkpoint(folder / "out" / "checkpoint");
  CHECK(checkpoint->finished);
  CHECK(without_prefix(checkpoint->tensors, "optimizer.").empty());
  const std::string lines = read_file(folder / "out" / "metrics.jsonl");
  options.resume = true;
  TinyModule second(77);
  const TrainResult result = run(second, options, [](std::int64_t) { FAIL("trained again"); });
  CHECK(result.loaded);
  CHECK(result.steps == 30);
  CHECK(result.image_passes == 210);
  CHECK((result.curve == expected.curve));
  CHECK(result.seconds > 0);
  CHECK(equal(state_dict(second), state_dict(first)));
  CHECK_FALSE(second.is_training());
  CHECK(read_file(folder / "out" / "metrics.jsonl") == lines);
}

TEST_CASE("train: another configuration is one clear error, and nothing is touched") {
  const ScratchFolder folder;
  TrainOptions options = options_for(folder / "out");
  TinyModule module(1);
  run(module, options);
  options.resume = true;
  options.learning_rate = 0.03;
  options.configuration = Json::object({{"dim", 9}});
  const StateDict before = snapshot(module);
  CHECK_THROWS_WITH(run(module, options), Contains("learning_rate (0.02, now 0.03)") &&
                                              Contains("configuration.dim (8, now 9)") &&
                                              !Contains("steps (") && !Contains("\n"));
  CHECK(equal(state_dict(module), before));
  options = options_for(folder / "out");
  options.resume = true;
  options.log_every = 1;  // how often one looks changes no weight
  options.checkpoint_every = 1;
  CHECK(run(module, options).loaded);
}

TEST_CASE("train: a full disk ends the run, the former checkpoint resumes it") {
  const ScratchFolder folder;
  TrainOptions options = options_for(folder / "out");
  TinyModule first(1);
  {
    std::optional<FileSizeLimit> limit;
    CHECK_THROWS_WITH(run(first, options,
                          [&](std::int64_t step) {
                            if (step == 12) limit.emplace(1500);
                          }),
                      Contains((folder / "out").string()));
  }
  REQUIRE(load_checkpoint(folder / "out" / "checkpoint")->step == 10);
  TinyModule second(77);
  options.resume = true;
  check_same_as_uninterrupted(second, run(second, options), folder / "out");
}

TEST_CASE("train: a directory below a regular file is one clear error before any step") {
  const ScratchFolder folder;
  write_text(folder / "file", "x");
  TinyModule module(1);
  for (const bool resume : {false, true}) {
    TrainOptions options = options_for(folder / "file" / "out");
    options.resume = resume;
    CHECK_THROWS_WITH(run(module, options, [](std::int64_t) { FAIL("trained"); }),
                      Contains("cannot create directory") && Contains("not a directory"));
  }
}

TEST_CASE("train: Ctrl-C without a directory says that nothing was saved") {
  TinyModule module(1);
  const InterruptGuard guard;
  CHECK_THROWS_WITH(run(module, options_for(""),
                        [](std::int64_t step) {
                          if (step == 2) std::raise(SIGTERM);
                        }),
                    Contains("after step 3 of 30") && Contains("nothing was saved"));
  InterruptGuard::clear();
}
