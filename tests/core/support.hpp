#pragma once
/// \file
/// For tests of files: a folder that goes away, and the text of an expected error.

#include <string>
#include <vector>

#include "folder.hpp"

namespace dermis::test {

/// The message of the Error that `action` throws; "" if it throws nothing. Another type passes
/// through, and fails.
template <class Error, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Whether all `parts` occur in `message`.
inline bool mentions(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (message.find(part) == std::string::npos) return false;
  }
  return !message.empty();
}

}  // namespace dermis::test
