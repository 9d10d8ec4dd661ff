#include "cache_file.hpp"

#include <iostream>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"

namespace dermis::detail {
namespace {

constexpr const char* kKey = "dermis.cache_of";
constexpr const char* kContent = "dermis.fingerprint";

}  // namespace

std::optional<StateDict> read_cache(const std::filesystem::path& path, const std::string& key,
                                    const std::string& area) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const auto file = read_tensors(path);
    const auto value = [&](const char* name) {
      const auto found = file.metadata.find(name);
      check_runtime(found != file.metadata.end(), "its metadata lack ", name);
      return found->second;
    };
    if (value(kKey) != key) return std::nullopt;
    check_runtime(value(kContent) == fingerprint(file.tensors), "its bytes have changed");
    return file.tensors;
  } catch (const std::runtime_error& error) {
    std::cerr << text("[", area, "] ", path.string(),
                      " is damaged and computed anew: ", error.what(), '\n');
    return std::nullopt;
  }
}

void write_cache(const std::filesystem::path& path, const std::string& key,
                 const StateDict& tensors) {
  make_directories(path.parent_path());
  write_tensors(path, tensors, {{kKey, key}, {kContent, fingerprint(tensors)}});
}

}  // namespace dermis::detail
