#include "dermis/train/checkpoint.hpp"

#include <algorithm>
#include <cstdio>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"

namespace dermis {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "checkpoint.json";

std::string tensors_name(std::int64_t step) {
  char name[64];
  std::snprintf(name, sizeof name, "step-%08lld.safetensors", static_cast<long long>(step));
  return name;
}

/// Deletes all tensor files but `newest` and the `others` before it, and the temporaries of a
/// killed writer (see AtomicFile). Failing to is harmless: they are never read.
void remove_other_tensors(const fs::path& directory, const std::string& newest,
                          std::int64_t others) {
  std::error_code ignored;
  std::vector<std::string> earlier;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    const std::string ending = ".safetensors";
    const bool whole = name.size() > ending.size() &&
                       name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
    const bool tensors = name.rfind("step-", 0) == 0 && name.find(ending) != name.npos;
    const bool temporary = name.rfind(text(kManifest, ".tmp-"), 0) == 0;
    if (tensors && whole && name < newest) {
      earlier.push_back(name);  // numbers have leading zeros: the order of names is that of steps
    } else if ((tensors && name != newest) || temporary) {
      fs::remove(entry.path(), ignored);
    }
  }
  std::sort(earlier.begin(), earlier.end());
  for (std::size_t i = 0; i + static_cast<std::size_t>(others) < earlier.size(); ++i)
    fs::remove(directory / earlier[i], ignored);
}

bool holds(const fs::path& directory, const std::string& file, const std::string& fingerprint) {
  if (!fs::exists(directory / kManifest) || !fs::exists(directory / file)) return false;
  const Json manifest = Json::read(directory / kManifest);
  return manifest.value("tensors", "") == file && manifest.value("fingerprint", "") == fingerprint;
}

void compare(const Json& a, const Json& b, const std::string& path,
             std::vector<std::string>& differing) {
  if (!a.is_object() || !b.is_object()) {
    if (a != b) differing.push_back(path);
    return;
  }
  const std::string prefix = path.empty() ? "" : path + ".";
  for (const auto& [key, value] : a.items()) {
    if (!b.contains(key)) {
      differing.push_back(prefix + key);
    } else {
      compare(value, b.at(key), prefix + key, differing);
    }
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key)) differing.push_back(prefix + key);
  }
}

/// The value at a dotted path, as differing_keys writes them, cut to a readable length.
std::string value_at(const Json& json, const std::string& path) {
  // Keys may hold dots themselves, so the longest key that leads on wins.
  if (path.empty()) {
    const std::string value = json.dump();
    return value.size() <= 60 ? value : value.substr(0, 57) + "...";
  }
  if (json.is_object()) {
    for (std::size_t end = path.size(); end != std::string::npos && end > 0;
         end = path.rfind('.', end - 1)) {
      const std::string key = path.substr(0, end);
      if (json.contains(key)) {
        return value_at(json.at(key), end == path.size() ? "" : path.substr(end + 1));
      }
    }
  }
  return "absent";
}

}  // namespace

void save_checkpoint(const fs::path& directory, const Checkpoint& checkpoint, std::int64_t keep) {
  check_argument(keep >= 1, "[checkpoint] expected to keep at least 1, got ", keep);
  make_directories(directory);
  const std::string file = tensors_name(checkpoint.step);
  const std::string mark = fingerprint(checkpoint.tensors);
  // A step that is saved twice has the same tensors; leaving them alone keeps the manifest true.
  if (!holds(directory, file, mark)) write_tensors(directory / file, checkpoint.tensors);
  Json manifest = Json::object();
  manifest["format"] = 1;
  manifest["name"] = checkpoint.name;
  manifest["step"] = checkpoint.step;
  manifest["finished"] = checkpoint.finished;
  manifest["tensors"] = file;
  manifest["fingerprint"] = mark;
  manifest["configuration"] = checkpoint.configuration;
  manifest["progress"] = checkpoint.progress;
  write_atomically(directory / kManifest, manifest.dump(1));
  remove_other_tensors(directory, file, keep - 1);
}

std::optional<Checkpoint> load_checkpoint(const fs::path& directory) {
  const fs::path path = directory / kManifest;
  if (!fs::exists(path)) return std::nullopt;
  const Json manifest = Json::read(path);
  try {
    check_runtime(manifest.at("format") == Json(1), "expected format 1, got ",
                  manifest.at("format").dump());
    Checkpoint checkpoint{.name = manifest.at("name").get<std::string>(),
                          .step = manifest.at("step").get<std::int64_t>(),
                          .finished = manifest.at("finished").get<bool>(),
                          .configuration = manifest.at("configuration"),
                          .progress = manifest.at("progress"),
                          .tensors = {}};
    const std::string file = manifest.at("tensors").get<std::string>();
    check_runtime(fs::path(file).filename() == file, "expected a plain file name, got ", file);
    checkpoint.tensors = read_tensors(directory / file).tensors;
    const std::string expected = manifest.at("fingerprint").get<std::string>();
    const std::string got = fingerprint(checkpoint.tensors);
    check_runtime(expected == got, file, " was changed or damaged: expected fingerprint ", expected,
                  ", got ", got);
    return checkpoint;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(text("[checkpoint] ", path.string(), ": ", error.what()));
  }
}

void remove_checkpoint(const fs::path& directory) {
  std::error_code error;
  fs::remove(directory / kManifest, error);
  check_runtime(!error || error == std::errc::not_a_directory, "[checkpoint] cannot remove ",
                (directory / kManifest).string(), ": ", error.message());
  remove_other_tensors(directory, "", 0);
}

std::vector<std::string> differing_keys(const Json& a, const Json& b) {
  std::vector<std::string> differing;
  compare(a, b, "", differing);
  return differing;
}

void check_configuration(const Checkpoint& checkpoint, const Json& configuration,
                         const fs::path& directory) {
  const std::vector<std::string> keys = differing_keys(checkpoint.configuration, configuration);
  if (keys.empty()) return;
  constexpr std::size_t shown = 10;
  std::string list;
  for (std::size_t i = 0; i < std::min(shown, keys.size()); ++i) {
    list += text(i > 0 ? ", " : "", keys[i], " (", value_at(checkpoint.configuration, keys[i]),
                 ", now ", value_at(configuration, keys[i]), ")");
  }
  if (keys.size() > shown) list += text(", ... and ", keys.size() - shown, " more");
  throw std::runtime_error(text("[resume] ", directory.string(), ": the checkpoint of '",
                                checkpoint.name, "' has another configuration: ", list,
                                "; use these settings, another directory, or start anew"));
}

}  // namespace dermis
