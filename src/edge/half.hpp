#pragma once
/// \file
/// IEEE half precision to and from float, in integers: the same on every machine.

#include <cstdint>
#include <cstring>

namespace dermis::edge {

inline float from_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = half >> 10 & 31u, fraction = half & 0x3ffu;
  float value;
  if (exponent == 0) {
    value = static_cast<float>(fraction) * 0x1p-24f;  // zero or subnormal: exact
    return sign ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  const std::uint32_t bits = sign | wide << 23 | fraction << 13;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// To nearest, ties to even; beyond 65504 infinity.
inline std::uint16_t to_half(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;  // NaN
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
  std::uint32_t shift = 13, whole = magnitude - (112u << 23);
  if (magnitude < 113u << 23) {  // subnormal as a half
    const std::uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return sign;
    shift = 126 - exponent;
    whole = (magnitude & 0x7fffffu) | 0x800000u;
  }
  const std::uint32_t kept = whole >> shift, rest = whole & ((1u << shift) - 1),
                      middle = 1u << (shift - 1);
  return static_cast<std::uint16_t>(sign |
                                    (kept + (rest > middle || (rest == middle && (kept & 1)))));
}

}  // namespace dermis::edge
