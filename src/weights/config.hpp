#pragma once
/// \file
/// Reading other libraries' configurations: what our models cannot express is refused by name.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis::detail {

/// Throws std::invalid_argument unless `key` is absent, null or one of `allowed`.
/// \param library  "transformers": whose configuration it is
inline void expect(const std::string& library, const Json& config, const std::string& key,
                   const std::vector<Json>& allowed) {
  if (!config.contains(key) || config.at(key).is_null()) return;
  std::string names;
  for (const auto& value : allowed) {
    if (config.at(key) == value) return;
    names += (names.empty() ? "" : " or ") + value.dump();
  }
  check_argument(false, "[weights] ", library, " config: key '", key, "': expected ", names,
                 ", got ", config.at(key).dump(), ", which this model does not have");
}

/// A size given as one number or as [height, width].
inline std::pair<std::int64_t, std::int64_t> sides(const std::string& library, const Json& config,
                                                   const std::string& key, std::int64_t fallback) {
  if (!config.contains(key) || config.at(key).is_null()) return {fallback, fallback};
  const auto& value = config.at(key);
  if (value.is_integer()) return {value.get<std::int64_t>(), value.get<std::int64_t>()};
  check_argument(value.is_array() && value.size() == 2 && value.elements()[0].is_integer() &&
                     value.elements()[1].is_integer(),
                 "[weights] ", library, " config: key '", key,
                 "': expected a number or [height, width], got ", value.dump());
  return {value.elements()[0].get<std::int64_t>(), value.elements()[1].get<std::int64_t>()};
}

/// The one side of a square patch.
inline std::int64_t patch_side(const std::string& library, const Json& config,
                               std::int64_t fallback) {
  const auto [height, width] = sides(library, config, "patch_size", fallback);
  check_argument(height == width, "[weights] ", library,
                 " config: key 'patch_size': expected a square patch, got ", height, " x ", width);
  return height;
}

}  // namespace dermis::detail
