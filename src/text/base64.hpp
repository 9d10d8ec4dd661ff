#pragma once
/// \file
/// Base64 (RFC 4648), decoding.

#include <string>
#include <string_view>

namespace dermis::detail {

/// Throws std::runtime_error naming `source` for characters outside the alphabet.
std::string base64_decoded(std::string_view text, const std::string& source);

}  // namespace dermis::detail
