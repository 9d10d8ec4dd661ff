// AVX-512 with VNNI: 14 x 32 tiles, bytes by vpdpbusd.
#include "kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

#define DERMIS_EDGE_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")))
#define DERMIS_EDGE_WIDTH 16
#define DERMIS_EDGE_ROWS 14
#define DERMIS_EDGE_VECTORS 2

namespace dermis::edge {
namespace avx512 {

typedef float F __attribute__((vector_size(64)));
typedef std::int32_t I __attribute__((vector_size(64)));

constexpr std::int32_t input_offset = 128;  // the instruction takes its first factor unsigned

DERMIS_EDGE_TARGET static inline __attribute__((always_inline)) I multiply_add(I sum, I a, I b) {
  return (I)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}

DERMIS_EDGE_TARGET static inline __attribute__((always_inline)) void store_bytes(std::uint8_t* out,
                                                                                 I values) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                   _mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)values));
}

#include "kernels_body.hpp"

}  // namespace avx512

extern const Kernels avx512_kernels = DERMIS_EDGE_KERNELS("avx512vnni", avx512);

}  // namespace dermis::edge
#endif
