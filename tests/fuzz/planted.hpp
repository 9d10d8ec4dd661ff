#pragma once
/// \file
/// A mistake on purpose, to see that the fuzzers would find one: only where DERMIS_FUZZ_PLANT is
/// defined, which run.sh does for its second build.

#include <cstddef>
#include <memory>

namespace dermis::fuzz {

/// Copies what an input says it holds into room for `room` of them. No seed holds that many.
inline void planted_overflow([[maybe_unused]] std::size_t count,
                             [[maybe_unused]] std::size_t room) {
#ifdef DERMIS_FUZZ_PLANT
  const std::unique_ptr<volatile char[]> copy(new volatile char[room]);
  for (std::size_t i = 0; i < count; ++i) copy[i] = 1;
#endif
}

/// Ends the process, which libFuzzer reports with the input, unless a law of the reader holds.
inline void require(bool law) {
  if (!law) __builtin_trap();
}

}  // namespace dermis::fuzz
