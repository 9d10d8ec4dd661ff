// What every compiler with GNU vectors can do: 4 x 8 tiles on vectors of four.
#include <utility>

#include "kernels.hpp"

#define DERMIS_EDGE_TARGET
#define DERMIS_EDGE_WIDTH 4
#define DERMIS_EDGE_ROWS 4
#define DERMIS_EDGE_VECTORS 2

namespace dermis::edge {
namespace portable {

typedef float F __attribute__((vector_size(16)));
typedef std::int32_t I __attribute__((vector_size(16)));

constexpr std::int32_t input_offset = 0;

/// Signed bytes of each 32 bits, one after the other.
static inline __attribute__((always_inline)) I multiply_add(I sum, I a, I b) {
#pragma GCC unroll 4
  for (int shift = 24; shift >= 0; shift -= 8) sum += ((a << shift) >> 24) * ((b << shift) >> 24);
  return sum;
}

static inline __attribute__((always_inline)) void store_bytes(std::uint8_t* out, I values) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(values[i]);
}

#include "kernels_body.hpp"

}  // namespace portable

extern const Kernels portable_kernels = DERMIS_EDGE_KERNELS("portable", portable);

}  // namespace dermis::edge
