#pragma once
/// \file
/// What the JSON parser has against a text, without its own prefix and place: callers name theirs.

#include <nlohmann/json.hpp>
#include <string>

namespace dermis::detail {

/// what() is "[json.exception.parse_error.101] parse error at line 1, column 2: REASON"; REASON,
/// cut after 240 bytes.
inline std::string parse_reason(const nlohmann::json::exception& error) {
  std::string reason = error.what();
  reason.erase(0, reason.find("] ") + 2);
  if (reason.compare(0, 14, "parse error at") == 0) reason.erase(0, reason.find(": ") + 2);
  if (reason.size() > 240) reason = reason.substr(0, 240) + "...";
  return reason;
}

}  // namespace dermis::detail
