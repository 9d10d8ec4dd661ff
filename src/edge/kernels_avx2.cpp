// AVX2 with FMA: 6 x 16 tiles, bytes by vpmaddubsw.
#include "kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

#define DERMIS_EDGE_TARGET __attribute__((target("avx2,fma")))
#define DERMIS_EDGE_WIDTH 8
#define DERMIS_EDGE_ROWS 6
#define DERMIS_EDGE_VECTORS 2

namespace dermis::edge {
namespace avx2 {

typedef float F __attribute__((vector_size(32)));
typedef std::int32_t I __attribute__((vector_size(32)));

constexpr std::int32_t input_offset = 0;

/// vpmaddubsw takes its first factor unsigned and saturates at 16 bits. With the sign moved to the
/// second and nothing below -127, pairs stay below 2 * 127 * 127 < 2^15.
DERMIS_EDGE_TARGET static inline __attribute__((always_inline)) I multiply_add(I sum, I a, I b) {
  const __m256i pairs =
      _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)a), _mm256_sign_epi8((__m256i)b, (__m256i)a));
  return sum + (I)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

DERMIS_EDGE_TARGET static inline __attribute__((always_inline)) void store_bytes(std::uint8_t* out,
                                                                                 I values) {
  const __m256i low = _mm256_shuffle_epi8(
      (__m256i)values, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1,
                                                                 -1, -1, -1, -1, -1, -1, -1)));
  _mm_storel_epi64(
      reinterpret_cast<__m128i*>(out),
      _mm_unpacklo_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
}

#include "kernels_body.hpp"

}  // namespace avx2

extern const Kernels avx2_kernels = DERMIS_EDGE_KERNELS("avx2", avx2);

}  // namespace dermis::edge
#endif
