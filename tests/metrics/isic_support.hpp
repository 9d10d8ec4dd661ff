#pragma once
/// \file
/// For tests of the official score.

#include <catch2/catch.hpp>

namespace dermis::test {

/// Within 1e-9, whatever the size.
inline Approx close_to(double value) {
  return Approx(value).epsilon(0).margin(1e-9);
}

}  // namespace dermis::test
