// NEON of AArch64: 6 x 16 tiles; bytes by sdot where the processor has it.
#include "kernels.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>

#include <utility>

#define DERMIS_EDGE_WIDTH 4
#define DERMIS_EDGE_ROWS 6
#define DERMIS_EDGE_VECTORS 4

namespace dermis::edge {
namespace neon {

typedef float F __attribute__((vector_size(16)));
typedef std::int32_t I __attribute__((vector_size(16)));

constexpr std::int32_t input_offset = 0;

static inline __attribute__((always_inline)) void store_bytes(std::uint8_t* out, I values) {
  const uint16x4_t halves = vmovn_u32((uint32x4_t)values);
  const uint8x8_t bytes = vmovn_u16(vcombine_u16(halves, halves));
  __builtin_memcpy(out, &bytes, 4);
}

#define DERMIS_EDGE_TARGET
static inline __attribute__((always_inline)) I multiply_add(I sum, I a, I b) {
  const int8x16_t x = (int8x16_t)a, y = (int8x16_t)b;
  const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(y));
  const int16x8_t high = vmull_high_s8(x, y);
  return sum + (I)vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
}
#include "kernels_body.hpp"
#undef DERMIS_EDGE_TARGET

}  // namespace neon

namespace dotprod {

typedef float F __attribute__((vector_size(16)));
typedef std::int32_t I __attribute__((vector_size(16)));

constexpr std::int32_t input_offset = 0;

#if defined(__clang__)
#define DERMIS_EDGE_TARGET __attribute__((target("dotprod")))
#else
#define DERMIS_EDGE_TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
DERMIS_EDGE_TARGET static inline __attribute__((always_inline)) I multiply_add(I sum, I a, I b) {
  return (I)vdotq_s32((int32x4_t)sum, (int8x16_t)b, (int8x16_t)a);
}
DERMIS_EDGE_TARGET static inline __attribute__((always_inline)) void store_bytes(std::uint8_t* out,
                                                                                 I values) {
  neon::store_bytes(out, values);
}

#include "kernels_body.hpp"

}  // namespace dotprod

extern const Kernels neon_kernels = DERMIS_EDGE_KERNELS("neon", neon);
extern const Kernels dotprod_kernels = DERMIS_EDGE_KERNELS("neon dotprod", dotprod);

}  // namespace dermis::edge
#endif
