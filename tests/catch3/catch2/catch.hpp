#pragma once
/// \file
/// Catch2 2's single header in terms of Catch2 3, for systems that carry only the latter
/// (Ubuntu 24.04, Debian 13).

#include <catch2/catch_all.hpp>

#include <string>
#include <utility>

using Catch::Approx;

namespace Catch {
namespace Matchers {
// In Catch2 3 Contains() is about elements of a range; the tests mean a part of a string.
inline StringContainsMatcher Contains(std::string part) {
  return ContainsSubstring(std::move(part));
}
inline StringContainsMatcher Contains(const char* part) {
  return ContainsSubstring(part);
}
}  // namespace Matchers
using namespace Matchers;
}  // namespace Catch
