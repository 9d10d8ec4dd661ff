#pragma once
/// \file
/// Reading another library's config.json: what we cannot express is refused by the name of the key.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis::detail {

/// Throws unless `key` is absent or has one of the values `allowed` (null counts as absent).
inline void expect_value(const Json& config, const std::string& key,
                         const std::vector<Json>& allowed) {
  if (!config.contains(key) || config.at(key).is_null()) return;
  std::string expected;
  for (const auto& value : allowed) {
    if (config.at(key) == value) return;
    expected += (expected.empty() ? "" : " or ") + value.dump();
  }
  check_runtime(false, "[config] key '", key, "': expected ", expected.empty() ? "null" : expected,
                ", got ", config.at(key).dump());
}

/// Member `key` as T; an error names the key.
template <class T>
T required(const Json& config, const std::string& key) {
  const Json& value = config.at(key);
  check_runtime(!value.is_null(), "[config] key '", key, "': expected a value, got null");
  return config.value<T>(key, T{});
}

/// A member that is one integer or a list of one a level, as a list.
inline std::vector<std::int64_t> per_level(const Json& config, const std::string& key,
                                           std::size_t levels) {
  if (config.at(key).is_integer())
    return std::vector<std::int64_t>(levels, required<std::int64_t>(config, key));
  const auto values = required<std::vector<std::int64_t>>(config, key);
  check_runtime(values.size() == levels, "[config] key '", key, "': expected ", levels,
                " values, one a level, got ", values.size());
  return values;
}

/// The one value of a member that is an integer or a list of equal integers.
inline std::int64_t uniform(const Json& config, const std::string& key, std::size_t levels) {
  const auto values = per_level(config, key, levels);
  for (const auto value : values)
    check_runtime(value == values.front(), "[config] key '", key,
                  "': expected the same value on every level, got ", config.at(key).dump());
  return values.front();
}

/// A size given as one number or as [height, width].
inline std::pair<std::int64_t, std::int64_t> sides(const Json& config, const std::string& key,
                                                   std::int64_t fallback) {
  if (!config.contains(key) || config.at(key).is_null()) return {fallback, fallback};
  const auto& value = config.at(key);
  if (value.is_integer()) return {value.get<std::int64_t>(), value.get<std::int64_t>()};
  check_runtime(value.is_array() && value.size() == 2 && value.elements()[0].is_integer() &&
                    value.elements()[1].is_integer(),
                "[config] key '", key, "': expected a number or [height, width], got ",
                value.dump());
  return {value.elements()[0].get<std::int64_t>(), value.elements()[1].get<std::int64_t>()};
}

/// The one side of a square patch.
inline std::int64_t patch_side(const Json& config, std::int64_t fallback) {
  const auto [height, width] = sides(config, "patch_size", fallback);
  check_runtime(height == width, "[config] key 'patch_size': expected a square patch, got ", height,
                " x ", width);
  return height;
}

}  // namespace dermis::detail
