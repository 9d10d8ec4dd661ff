#pragma once
/// \file
/// Checkpoints that survive being killed at any moment.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/io/tensors.hpp"

namespace dermis {

/// Everything a run needs to go on.
struct Checkpoint {
  std::string name;                     ///< of the run, for messages
  std::int64_t step = 0;                ///< optimizer steps done
  bool finished = false;                ///< the run is over: `tensors` are its final weights
  Json configuration = Json::object();  ///< what must agree on resume
  Json progress = Json::object();       ///< curve, counters, seconds: whatever the loop keeps
  StateDict tensors;                    ///< "model.*", "optimizer.*", "ema.*"
};

/// Writes `directory`/step-XXXXXXXX.safetensors, then the manifest `directory`/checkpoint.json that
/// names it with its fingerprint, then deletes older tensor files but the newest `keep`. Each file
/// is written beside and renamed, so that killing the process at any point leaves the former or the
/// new checkpoint. \throws std::runtime_error if a file cannot be written; the former checkpoint
/// then still stands
void save_checkpoint(const std::filesystem::path& directory, const Checkpoint& checkpoint,
                     std::int64_t keep = 1);

/// The checkpoint of `directory`; nothing if it has no manifest (or does not exist).
/// \throws std::runtime_error if the manifest or its tensors are damaged
std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& directory);

/// Deletes the checkpoint of `directory`, manifest first; fine if there is none.
void remove_checkpoint(const std::filesystem::path& directory);

/// Where two JSON values differ, as dotted paths ("optimizer.beta1"), in the order of `a`, then
/// what only `b` has.
std::vector<std::string> differing_keys(const Json& a, const Json& b);

/// Throws std::runtime_error of one line, naming the keys that differ and both values, unless the
/// checkpoint was made with `configuration`.
void check_configuration(const Checkpoint& checkpoint, const Json& configuration,
                         const std::filesystem::path& directory);

}  // namespace dermis
