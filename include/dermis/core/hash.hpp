#pragma once
/// \file
/// A short fingerprint of a text, to tell whether a checkpoint belongs to a config. Not
/// cryptographic.

#include <string>
#include <string_view>

namespace dermis {

/// 64-bit FNV-1a as 16 lower-case hexadecimal digits; the same on every machine.
std::string fingerprint(std::string_view bytes);

}  // namespace dermis
