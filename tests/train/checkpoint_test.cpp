#include "dermis/train/checkpoint.hpp"

#include <sys/wait.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "dermis/core/file.hpp"
#include "fixtures.hpp"

using namespace dermis;
using namespace dermis::test::training;
using Catch::Matchers::Contains;

namespace fs = std::filesystem;

namespace {

Checkpoint checkpoint_of(std::int64_t step, std::int64_t elements = 64) {
  return {.name = "test",
          .step = step,
          .configuration = Json::object({{"learning_rate", 0.001}}),
          .progress = Json::object({{"skipped", 2}}),
          .tensors = {{"model.x", at::full({elements}, static_cast<double>(step))}}};
}

std::int64_t files_in(const fs::path& directory) {
  return std::distance(fs::directory_iterator(directory), {});
}

/// The checkpoint must be whole: its tensors hold the number of its step.
std::int64_t step_of(const fs::path& directory) {
  const auto checkpoint = load_checkpoint(directory);
  REQUIRE(checkpoint.has_value());
  const at::Tensor x = checkpoint->tensors.at(0).second;
  CHECK(at::equal(x, at::full_like(x, static_cast<double>(checkpoint->step))));
  return checkpoint->step;
}

}  // namespace

TEST_CASE("checkpoint: what was saved is loaded, older files are gone") {
  const ScratchFolder folder;
  CHECK_FALSE(load_checkpoint(folder / "absent").has_value());
  CHECK_FALSE(load_checkpoint(folder.path()).has_value());
  save_checkpoint(folder / "a" / "b", checkpoint_of(5));
  Checkpoint last = checkpoint_of(123);
  last.finished = true;
  save_checkpoint(folder / "a" / "b", last);
  CHECK(fs::exists(folder / "a" / "b" / "step-00000123.safetensors"));
  CHECK(files_in(folder / "a" / "b") == 2);
  const auto loaded = load_checkpoint(folder / "a" / "b");
  REQUIRE(loaded.has_value());
  CHECK(loaded->name == "test");
  CHECK(loaded->step == 123);
  CHECK(loaded->finished);
  CHECK(loaded->configuration == last.configuration);
  CHECK(loaded->progress == last.progress);
  CHECK(equal(loaded->tensors, last.tensors));
}

TEST_CASE("checkpoint: saved by a step twice, and removed") {
  const ScratchFolder folder;
  save_checkpoint(folder.path(), checkpoint_of(5));
  save_checkpoint(folder.path(), checkpoint_of(5));
  CHECK(step_of(folder.path()) == 5);
  write_text(folder / "notes.txt", "mine");
  remove_checkpoint(folder.path());
  CHECK_FALSE(load_checkpoint(folder.path()).has_value());
  CHECK(files_in(folder.path()) == 1);  // what is not ours stays
  remove_checkpoint(folder / "absent");
}

TEST_CASE("checkpoint: whatever a killed writer leaves, the former checkpoint loads") {
  const ScratchFolder folder;
  save_checkpoint(folder.path(), checkpoint_of(5));
  const std::string manifest = read_file(folder / "checkpoint.json");

  SECTION("half a temporary of the tensors") {
    write_text(folder / "step-00000006.safetensors.tmp-1-0", "half");
  }
  SECTION("the new tensors, and no manifest for them yet") {
    write_tensors(folder / "step-00000006.safetensors", checkpoint_of(6).tensors);
  }
  SECTION("half a temporary of the manifest") {
    write_tensors(folder / "step-00000006.safetensors", checkpoint_of(6).tensors);
    write_text(folder / "checkpoint.json.tmp-1-0", manifest.substr(0, 40));
  }
  CHECK(step_of(folder.path()) == 5);
  save_checkpoint(folder.path(), checkpoint_of(7));
  CHECK(step_of(folder.path()) == 7);
  CHECK(files_in(folder.path()) == 2);  // and the rubbish is cleared away
}

TEST_CASE("checkpoint: killed while saving, a whole checkpoint is left every time") {
  const ScratchFolder folder;
  save_checkpoint(folder.path(), checkpoint_of(1, 20000));
  int half_way = 0;
  for (int round = 0; round < 12; ++round) {
    const std::int64_t start = step_of(folder.path());
    const std::string manifest = read_file(folder / "checkpoint.json");
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (std::int64_t step = start + 1;; ++step) {
        save_checkpoint(folder.path(), checkpoint_of(step, 20000));
      }
    }
    // However slow the disk: kill it once it has saved, after a part of a second save.
    const auto from = std::chrono::steady_clock::now();
    while (read_file(folder / "checkpoint.json") == manifest &&
           std::chrono::steady_clock::now() - from < std::chrono::seconds(60)) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    std::this_thread::sleep_for((std::chrono::steady_clock::now() - from) * round / 12);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));  // it was still writing
    half_way += files_in(folder.path()) > 2;
    CHECK(step_of(folder.path()) > start);
  }
  CHECK(half_way > 0);  // some were killed between the first and the last act of a save
}

TEST_CASE("checkpoint: damage is noticed and named") {
  const ScratchFolder folder;
  save_checkpoint(folder.path(), checkpoint_of(5));
  const fs::path tensors = folder / "step-00000005.safetensors";
  const std::string bytes = read_file(tensors), manifest = read_file(folder / "checkpoint.json");
  const auto check_fault = [&](const std::string& part) {
    CHECK_THROWS_WITH(load_checkpoint(folder.path()),
                      Contains("[checkpoint]") && Contains("checkpoint.json") && Contains(part));
  };

  SECTION("truncated tensors") {
    write_text(tensors, bytes.substr(0, bytes.size() - 3));
    check_fault("");
  }
  SECTION("one flipped bit") {
    std::string flipped = bytes;
    flipped.back() ^= 1;
    write_text(tensors, flipped);
    check_fault("changed or damaged");
  }
  SECTION("missing tensors") {
    fs::remove(tensors);
    check_fault("step-00000005");
  }
  SECTION("truncated manifest") {
    write_text(folder / "checkpoint.json", manifest.substr(0, 40));
    CHECK_THROWS_WITH(load_checkpoint(folder.path()), Contains("checkpoint.json"));
  }
  SECTION("a manifest of another kind") {
    write_text(folder / "checkpoint.json", "{\"format\": 2}");
    check_fault("format");
    write_text(folder / "checkpoint.json", "{}");
    check_fault("");
  }
  SECTION("a manifest that points elsewhere") {
    std::string changed = manifest;
    changed.replace(changed.find("step-"), 5, "../x-");
    write_text(folder / "checkpoint.json", changed);
    check_fault("plain file name");
  }
}

TEST_CASE("checkpoint: a full disk or a file in the way is one error, and the old one stands") {
  const ScratchFolder folder;
  save_checkpoint(folder.path(), checkpoint_of(5));
  {
    const FileSizeLimit limit(2048);
    CHECK_THROWS_AS(save_checkpoint(folder.path(), checkpoint_of(6, 100000)), std::runtime_error);
    Checkpoint verbose = checkpoint_of(7);  // tensors fit, the manifest does not
    verbose.progress["curve"] = std::string(10000, 'x');
    CHECK_THROWS_AS(save_checkpoint(folder.path(), verbose), std::runtime_error);
  }
  CHECK(step_of(folder.path()) == 5);
  write_text(folder / "file", "x");
  CHECK_THROWS_WITH(save_checkpoint(folder / "file" / "sub", checkpoint_of(1)),
                    Contains("cannot create directory") && Contains("not a directory"));
}

TEST_CASE("configuration: differing keys are named with both values") {
  const Json saved = Json::object({{"steps", 10},
                                   {"model", Json::object({{"depth", 6}, {"dim", 128}})},
                                   {"gone", true},
                                   {"same", Json::array({1, 2})}});
  const Json now = Json::object({{"steps", 20},
                                 {"model", Json::object({{"depth", 12}, {"dim", 128}})},
                                 {"same", Json::array({1, 2})},
                                 {"new", "x"}});
  CHECK(differing_keys(saved, saved).empty());
  CHECK(differing_keys(saved, now) ==
        std::vector<std::string>{"steps", "model.depth", "gone", "new"});
  Checkpoint checkpoint = checkpoint_of(1);
  checkpoint.configuration = saved;
  CHECK_NOTHROW(check_configuration(checkpoint, saved, "out"));
  try {
    check_configuration(checkpoint, now, "out");
    FAIL("expected an error");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()) ==
          "[resume] out: the checkpoint of 'test' has another configuration: steps (10, now 20), "
          "model.depth (6, now 12), gone (true, now absent), new (absent, now \"x\"); use these "
          "settings, another directory, or start anew");
  }
}
