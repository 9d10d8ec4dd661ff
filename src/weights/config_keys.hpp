#pragma once
/// \file
/// Reading another library's config.json: what we cannot express is refused by the name of the key.

#include <cstddef>
#include <cstdint>
#include <string>
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

}  // namespace dermis::detail
