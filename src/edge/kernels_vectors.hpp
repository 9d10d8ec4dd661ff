// Vectors: loads, sums, exp and GELU. Part of kernels_body.hpp, which see.

#define DERMIS_EDGE_INLINE DERMIS_EDGE_TARGET static inline __attribute__((always_inline))
#define DERMIS_EDGE_FUNCTION DERMIS_EDGE_TARGET static

constexpr int width = DERMIS_EDGE_WIDTH;
constexpr int tile_rows = DERMIS_EDGE_ROWS;
constexpr int tile_vectors = DERMIS_EDGE_VECTORS;
constexpr std::int64_t panel = width * tile_vectors;
static_assert(tile_rows <= max_tile_rows && panel <= max_panel && lanes % width == 0);

typedef float UnalignedF __attribute__((vector_size(4 * width), aligned(4), may_alias));
typedef std::int32_t UnalignedI __attribute__((vector_size(4 * width), aligned(4), may_alias));

DERMIS_EDGE_INLINE F load(const float* p) {
  return *reinterpret_cast<const UnalignedF*>(p);
}
DERMIS_EDGE_INLINE void store(float* p, F v) {
  *reinterpret_cast<UnalignedF*>(p) = v;
}
DERMIS_EDGE_INLINE F splat(float x) {
  return x - F{};  // a broadcast
}
DERMIS_EDGE_INLINE F max(F a, F b) {
  return a > b ? a : b;
}
DERMIS_EDGE_INLINE F min(F a, F b) {
  return a < b ? a : b;
}
DERMIS_EDGE_INLINE F magnitude(F x) {
  return (F)((I)x & 0x7fffffff);
}

/// The elements moved by `By` places, round the end.
#if DERMIS_EDGE_WIDTH == 16
#define DERMIS_EDGE_FROM(n)                                                                  \
  n, (n + 1) % 16, (n + 2) % 16, (n + 3) % 16, (n + 4) % 16, (n + 5) % 16, (n + 6) % 16,     \
      (n + 7) % 16, (n + 8) % 16, (n + 9) % 16, (n + 10) % 16, (n + 11) % 16, (n + 12) % 16, \
      (n + 13) % 16, (n + 14) % 16, (n + 15) % 16
#elif DERMIS_EDGE_WIDTH == 8
#define DERMIS_EDGE_FROM(n) \
  n, (n + 1) % 8, (n + 2) % 8, (n + 3) % 8, (n + 4) % 8, (n + 5) % 8, (n + 6) % 8, (n + 7) % 8
#else
#define DERMIS_EDGE_FROM(n) n, (n + 1) % 4, (n + 2) % 4, (n + 3) % 4
#endif
template <int By>
DERMIS_EDGE_INLINE F rotated(F v) {
#if defined(__clang__)
  return __builtin_shufflevector(v, v, DERMIS_EDGE_FROM(By));
#else
  return __builtin_shuffle(v, I{DERMIS_EDGE_FROM(By)});
#endif
}

DERMIS_EDGE_INLINE float sum_of(F v) {
  if (width >= 16) v += rotated<8 % width>(v);
  if (width >= 8) v += rotated<4 % width>(v);
  v += rotated<2>(v);
  v += rotated<1>(v);
  return v[0];
}
DERMIS_EDGE_INLINE float max_of(F v) {
  if (width >= 16) v = max(v, rotated<8 % width>(v));
  if (width >= 8) v = max(v, rotated<4 % width>(v));
  v = max(v, rotated<2>(v));
  v = max(v, rotated<1>(v));
  return v[0];
}

/// e^x for x <= 88; 0 below -87. Cephes' reduction and polynomial; relative error below 2e-7.
DERMIS_EDGE_INLINE F exponential_of(F x) {
  const F low = splat(-87.0f);
  const F clamped = max(x, low);
  const F rounder = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to nearest
  const F shifted = clamped * 1.44269504f + rounder;
  const F n = shifted - rounder;
  F r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const F power = (F)((I)p + ((I)shifted << 23));  // the low bits of `shifted` are n
  return (F)((I)power & (I)(x >= low));
}

/// x Phi(x) = x (1 + erf(x / sqrt 2)) / 2, |error| below 1e-6. erf(z) / z is a polynomial in z^2,
/// moved to [-1, 1], fitted for z up to 3.8; beyond, erf is 1 to the last bit but one.
DERMIS_EDGE_INLINE F gelu_of(F x) {
  const float coefficients[] = {
      -2.706279745e-03f, 2.327000257e-03f,  -3.269306617e-03f, 9.996142238e-03f,  -1.836618409e-02f,
      2.666679770e-02f,  -3.892263025e-02f, 5.506394804e-02f,  -7.251971215e-02f, 9.083174914e-02f,
      -1.111851335e-01f, 1.377395540e-01f,  -1.856412143e-01f, 3.721076250e-01f};
  const F end = splat(3.8f), one = splat(1.0f);
  const F z = magnitude(x) * 0.70710678f;
  const F u = z * z * 1.385041551e-01f - 1.0f;
  F p = splat(1.035534893e-03f);
#pragma GCC unroll 16
  for (const float coefficient : coefficients) p = p * u + coefficient;
  const F erf = z < end ? p * z : one;
  const F half = x * 0.5f;
  return half + magnitude(half) * erf;  // erf(-z) = -erf(z)
}
