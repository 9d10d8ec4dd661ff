#include "dermis/io/shards.hpp"

#include <algorithm>
#include <cstdio>
#include <set>
#include <unordered_map>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/json.hpp"
#include "safetensors_header.hpp"

namespace dermis {
namespace {

constexpr const char* file_suffix = ".safetensors";
constexpr const char* index_suffix = ".safetensors.index.json";

bool ends_with(const std::string& word, const std::string& end) {
  return word.size() >= end.size() && word.compare(word.size() - end.size(), end.size(), end) == 0;
}

/// The files of `folder` by which a model of one of the stems begins.
std::vector<std::string> models_in(const std::filesystem::path& folder,
                                   const std::vector<std::string>& stems) {
  std::vector<std::string> found;
  for (const std::string& stem : stems) {
    for (const char* suffix : {file_suffix, index_suffix}) {
      if (std::filesystem::exists(folder / (stem + suffix))) found.push_back(stem + suffix);
    }
  }
  return found;
}

std::filesystem::path model_in(const std::filesystem::path& folder) {
  const std::vector<std::string> found = models_in(folder, {"model", "diffusion_pytorch_model"});
  if (found.size() == 1) return folder / found[0];
  std::string others, advice;
  if (found.empty()) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!detail::is_pickle_name(entry.path())) continue;
      others = entry.path().filename().string();
      advice = text(": ", detail::pickle_advice);
      break;
    }
  }
  throw std::runtime_error(text(
      "[safetensors] ", folder.string(),
      ": expected one of model.safetensors, diffusion_pytorch_model.safetensors, or one of these "
      "with .index.json, got ",
      !found.empty()   ? found[0] + " and " + found[1]
      : others.empty() ? "none"
                       : others,
      advice));
}

/// A file beside the index, and nothing else: weight_map comes from strangers.
bool is_shard_name(const std::string& name) {
  const auto bad = [](unsigned char c) { return c < 0x20 || c == 0x7F || c == '/' || c == '\\'; };
  return ends_with(name, file_suffix) && std::none_of(name.begin(), name.end(), bad);
}

Json read_index(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  check_runtime(content.size() <= detail::max_header_bytes, "[safetensors] ", path.string(),
                ": expected an index of at most ", detail::max_header_bytes, " bytes, got ",
                content.size());
  check_runtime(content.find('\0') == std::string::npos, "[safetensors] ", path.string(),
                ": expected text, got NUL");
  Json index = Json::parse(content, path.string());
  check_runtime(index.is_object() && index.contains("weight_map") &&
                    index.at("weight_map").is_object() && index.at("weight_map").size() > 0,
                "[safetensors] ", path.string(),
                ": expected an object with weight_map, an object that names tensors");
  return index;
}

std::vector<SafetensorsFile> open_index(const std::filesystem::path& path) {
  const Json index = read_index(path);
  const auto fail = [&](const auto&... parts) {
    throw std::runtime_error(text("[safetensors] ", path.string(), ": ", parts...));
  };
  std::map<std::string, std::size_t> shards;  // name -> place in files
  for (const auto& [tensor, shard] : index.at("weight_map").items()) {
    if (!shard.is_string() || !is_shard_name(shard.get<std::string>())) {
      fail("expected a .safetensors file of the same folder for tensor '", tensor, "', got ",
           shard.dump().substr(0, 200));
    }
    shards.emplace(shard.get<std::string>(), 0);
  }

  std::vector<SafetensorsFile> files;
  std::unordered_map<std::string, const std::string*> owner;  // tensor -> shard
  for (auto& [shard, place] : shards) {
    if (!std::filesystem::exists(path.parent_path() / shard)) fail("shard ", shard, " is missing");
    place = files.size();
    files.emplace_back(path.parent_path() / shard);
    for (const std::string& tensor : files.back().names()) {
      const auto [other, is_new] = owner.emplace(tensor, &shard);
      if (!is_new) fail("tensor '", tensor, "' is in shard ", *other->second, " and in ", shard);
    }
  }

  std::uint64_t bytes = 0;
  for (const auto& [tensor, shard] : index.at("weight_map").items()) {
    const std::string name = shard.get<std::string>();
    const SafetensorsFile& file = files[shards.at(name)];
    if (!file.contains(tensor)) fail("expected tensor '", tensor, "' in shard ", name);
    bytes += file.at(tensor).bytes;
  }
  if (!index.contains("metadata") || !index.at("metadata").contains("total_size")) return files;
  const Json& total = index.at("metadata").at("total_size");
  if (!(total == Json(bytes))) fail("expected total_size ", bytes, ", got ", total.dump());
  return files;
}

std::string shard_name(const std::string& stem, std::size_t i, std::size_t count) {
  char number[64];
  std::snprintf(number, sizeof number, "-%05zu-of-%05zu", i + 1, count);
  return stem + number + file_suffix;
}

}  // namespace

std::vector<SafetensorsFile> open_safetensors(const std::filesystem::path& path) {
  const std::filesystem::path file = std::filesystem::is_directory(path) ? model_in(path) : path;
  if (ends_with(file.filename().string(), ".index.json")) return open_index(file);
  std::vector<SafetensorsFile> files;
  files.emplace_back(file);
  return files;
}

void write_safetensors_shards(const std::filesystem::path& folder,
                              const std::vector<std::pair<std::string, TensorView>>& tensors,
                              const ShardOptions& options,
                              const std::map<std::string, std::string>& metadata) {
  check_argument(options.max_bytes > 0, "[safetensors] expected max_bytes above 0, got 0");
  check_argument(is_shard_name(options.stem + file_suffix),
                 "[safetensors] expected a stem that is part of a file name, got '", options.stem,
                 "'");
  detail::check_tensors(tensors);
  const std::vector<std::string> old = models_in(folder, {options.stem});
  check_runtime(old.empty(), "[safetensors] ", folder.string(),
                ": expected a folder without a model, got ", old.empty() ? "" : old[0]);

  std::vector<std::vector<std::pair<std::string, TensorView>>> shards(1);
  std::uint64_t total = 0, in_shard = 0;
  for (const auto& tensor : tensors) {
    const std::uint64_t bytes = tensor.second.bytes;
    if (!shards.back().empty() &&
        bytes > options.max_bytes - std::min(in_shard, options.max_bytes)) {
      shards.emplace_back();
      in_shard = 0;
    }
    shards.back().push_back(tensor);
    in_shard += bytes;
    total += bytes;
  }
  if (shards.size() == 1) {
    write_safetensors(folder / (options.stem + file_suffix), tensors, metadata);
    return;
  }
  std::vector<Json::Member> weight_map;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(options.stem, i, shards.size());
    write_safetensors(folder / name, shards[i], metadata);
    for (const auto& tensor : shards[i]) weight_map.emplace_back(tensor.first, name);
  }
  const Json index = Json::object({{"metadata", Json::object({{"total_size", total}})},
                                   {"weight_map", Json::object(std::move(weight_map))}});
  write_atomically(folder / (options.stem + index_suffix), index.dump(2) + "\n");
}

}  // namespace dermis
