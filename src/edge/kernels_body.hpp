// The kernels, written once on vectors of DERMIS_EDGE_WIDTH floats. A source file for an
// instruction set defines
//   DERMIS_EDGE_TARGET  the function attribute that switches it on (or nothing)
//   DERMIS_EDGE_WIDTH   floats of a vector
//   DERMIS_EDGE_ROWS    rows of a tile, and
//   DERMIS_EDGE_VECTORS vectors of a row of it: rows * vectors accumulators fill the registers
// and, in its own namespace, F, I (vectors of float and int32), input_offset, multiply_add() of
// bytes and store_bytes() of the low byte of each element, then includes this file within that
// namespace. No function of a header without the attribute is called here: a linker that keeps one
// copy of it could keep ours, for every caller.

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

DERMIS_EDGE_INLINE float sum_of(F v) {
  float parts[width];
  store(parts, v);
#pragma GCC unroll 4
  for (int half = width / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
  return parts[0];
}
DERMIS_EDGE_INLINE float max_of(F v) {
  float parts[width];
  store(parts, v);
#pragma GCC unroll 4
  for (int half = width / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i)
      parts[i] = parts[i] > parts[i + half] ? parts[i] : parts[i + half];
  return parts[0];
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

/// x Phi(x), by Abramowitz and Stegun 7.1.26: |error| below 1e-6.
DERMIS_EDGE_INLINE F gelu_of(F x) {
  const F z = magnitude(x) * 0.70710678f;
  const F t = 1.0f / (z * 0.3275911f + 1.0f);
  F p = t * 1.061405429f - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const F tail = p * t * exponential_of(-z * z);  // 1 - erf(z)
  const F half = x * 0.5f;
  return half + magnitude(half) * (1.0f - tail);  // Phi(-x) = 1 - Phi(x)
}

/// c = a b for R rows of a and V vectors of columns of b.
template <int R, int V>
DERMIS_EDGE_FUNCTION void tile(const float* a, std::int64_t a_stride, const float* b,
                               std::int64_t b_stride, std::int64_t depth, float* c,
                               std::int64_t c_stride) {
  F sums[R][V] = {};
  for (std::int64_t k = 0; k < depth; ++k, b += b_stride) {
    F columns[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) columns[v] = load(b + v * width);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const F row = splat(a[r * a_stride + k]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sums[r][v] += row * columns[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(c + r * c_stride + v * width, sums[r][v]);
}

/// The same for bytes; b holds four rows of a column side by side. c starts from `first`.
template <int R, int V>
DERMIS_EDGE_FUNCTION void byte_tile(const std::uint8_t* a, std::int64_t a_stride,
                                    const std::int8_t* b, std::int64_t depth,
                                    const std::int32_t* first, std::int32_t* c,
                                    std::int64_t c_stride) {
  I sums[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v)
      sums[r][v] = *reinterpret_cast<const UnalignedI*>(first + v * width);
  for (std::int64_t k = 0; k < depth; k += 4, b += 4 * panel) {
    I columns[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v)
      columns[v] = *reinterpret_cast<const UnalignedI*>(b + 4 * v * width);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      std::int32_t four;
      __builtin_memcpy(&four, a + r * a_stride + k, 4);
      const I row = four - I{};
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sums[r][v] = multiply_add(sums[r][v], row, columns[v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v)
      *reinterpret_cast<UnalignedI*>(c + r * c_stride + v * width) = sums[r][v];
}

using Tile = void (*)(const float*, std::int64_t, const float*, std::int64_t, std::int64_t, float*,
                      std::int64_t);
using ByteTile = void (*)(const std::uint8_t*, std::int64_t, const std::int8_t*, std::int64_t,
                          const std::int32_t*, std::int32_t*, std::int64_t);

/// tiles[v - 1][r - 1] has r rows and v vectors.
template <int V, int... R>
struct Row {
  static constexpr Tile tiles[] = {tile<R + 1, V>...};
  static constexpr ByteTile byte_tiles[] = {byte_tile<R + 1, V>...};
};
template <int V, int... R>
constexpr Row<V, R...> row_of(std::integer_sequence<int, R...>) {
  return {};
}
template <int V>
using RowOf = decltype(row_of<V>(std::make_integer_sequence<int, tile_rows>()));

template <int... V>
struct Table {
  static constexpr const Tile* tiles[] = {RowOf<V + 1>::tiles...};
  static constexpr const ByteTile* byte_tiles[] = {RowOf<V + 1>::byte_tiles...};
};
template <int... V>
constexpr Table<V...> table_of(std::integer_sequence<int, V...>) {
  return {};
}
using Tiles = decltype(table_of(std::make_integer_sequence<int, tile_vectors>()));

/// Rows in blocks of at most tile_rows, as equal as can be: a last block of one row would cost as
/// much as a full one.
DERMIS_EDGE_INLINE std::int64_t blocks_of(std::int64_t rows) {
  return (rows + tile_rows - 1) / tile_rows;
}

/// A finished tile: scaled where it is of bytes, biased, and into y.
template <bool Bytes, Epilogue Last>
DERMIS_EDGE_FUNCTION void finish(const LinearCall& call, const void* tile_sums, std::int64_t row,
                                 int rows, std::int64_t column, int vectors) {
  const PackedLinear& layer = *call.layer;
  for (int v = 0; v < vectors; ++v, column += width) {
    const F bias = load(layer.bias + column);
    const F scale = Bytes ? load(layer.scales + column) : bias;
    const float* sums = static_cast<const float*>(tile_sums) + v * width;
    float* y = call.y + row * call.stride + column;
    for (int r = 0; r < rows; ++r, sums += panel, y += call.stride) {
      F value;
      if (Bytes) {
        const F sum = __builtin_convertvector(*reinterpret_cast<const UnalignedI*>(sums), F);
        value = sum * (scale * call.scales[row + r]) + bias;
      } else {
        value = load(sums) + bias;
      }
      if (Last == Epilogue::Gelu) value = gelu_of(value);
      if (Last == Epilogue::Add) value += load(y);
      store(y, value);
    }
  }
}

using Finish = void (*)(const LinearCall&, const void*, std::int64_t, int, std::int64_t, int);
/// finishes[bytes][epilogue]
constexpr Finish finishes[2][3] = {
    {finish<false, Epilogue::Store>, finish<false, Epilogue::Gelu>, finish<false, Epilogue::Add>},
    {finish<true, Epilogue::Store>, finish<true, Epilogue::Gelu>, finish<true, Epilogue::Add>}};

DERMIS_EDGE_FUNCTION void linear(const LinearCall& call, std::int64_t begin, std::int64_t end) {
  const PackedLinear& layer = *call.layer;
  const bool bytes = layer.quantized != nullptr;
  const std::int64_t blocks = blocks_of(call.rows);
  const Finish last = finishes[bytes][static_cast<int>(call.epilogue)];
  alignas(64) float sums[tile_rows * panel];
  alignas(64) std::int32_t totals[tile_rows * panel];
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t column = i / blocks * panel, block = i % blocks;
    const std::int64_t row = block * call.rows / blocks;
    const int rows = static_cast<int>((block + 1) * call.rows / blocks - row);
    const std::int64_t rest = (layer.out - column) / width;
    const int vectors = rest < tile_vectors ? static_cast<int>(rest) : tile_vectors;
    if (bytes)
      Tiles::byte_tiles[vectors - 1][rows - 1](call.quantized + row * layer.in, layer.in,
                                               layer.quantized + column * layer.in, layer.in,
                                               layer.corrections + column, totals, panel);
    else
      Tiles::tiles[vectors - 1][rows - 1](call.x + row * layer.in, layer.in,
                                          layer.weights + column * layer.in, panel, layer.in, sums,
                                          panel);
    last(call, bytes ? static_cast<const void*>(totals) : sums, row, rows, column, vectors);
  }
}

/// Keys [tokens, width] of each head -> panels [width, panel].
DERMIS_EDGE_FUNCTION void pack_keys(const AttentionCall& call, std::int64_t begin,
                                    std::int64_t end) {
  const std::int64_t panels = (call.tokens + panel - 1) / panel;
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t head = i / panels, first = i % panels * panel;
    float* to =
        call.packed_keys + head * attention_keys_size(call.width, call.tokens) + first * call.width;
    for (std::int64_t t = 0; t < panel; ++t) {
      const float* key = call.k + (first + t) * call.kv_stride + head * call.width;
      if (first + t < call.tokens)
        for (std::int64_t d = 0; d < call.width; ++d) to[d * panel + t] = key[d];
      else
        for (std::int64_t d = 0; d < call.width; ++d) to[d * panel + t] = 0;
    }
  }
}

/// e^(scale (s - max s)) of the first `count` of `padded` scores in place, 0 behind them; returns
/// their sum.
DERMIS_EDGE_INLINE float softmax_weights(float* s, std::int64_t count, std::int64_t padded,
                                         float scale) {
  for (std::int64_t i = count; i < padded; ++i) s[i] = -3e38f;
  F most = load(s);
  for (std::int64_t i = width; i < padded; i += width) most = max(most, load(s + i));
  const F shift = splat(max_of(most));
  F sum = splat(0);
  for (std::int64_t i = 0; i < padded; i += width) {
    const F weight = exponential_of((load(s + i) - shift) * scale);
    store(s + i, weight);
    sum += weight;
  }
  return sum_of(sum);
}

/// The sum of the softmax of some rows of a block, see AttentionCall::weights.
DERMIS_EDGE_FUNCTION void add_weights(const AttentionCall& call, float* to, const float* scores,
                                      std::int64_t stride, const float* sums, std::int64_t row,
                                      int rows) {
  for (std::int64_t t = 0; t < call.tokens; ++t) to[t] = 0;
  for (int r = 0; r < rows; ++r)
    if (row + r >= call.first_weighted && row + r < call.end_weighted)
      for (std::int64_t t = 0; t < call.tokens; ++t) to[t] += scores[r * stride + t] / sums[r];
}

DERMIS_EDGE_FUNCTION void attention(const AttentionCall& call, float* scratch, std::int64_t begin,
                                    std::int64_t end) {
  const std::int64_t blocks = blocks_of(call.queries);
  const std::int64_t padded = (call.tokens + width - 1) / width * width;
  const std::int64_t stride = (call.tokens + panel - 1) / panel * panel;
  float* mixed = scratch + tile_rows * stride;
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t head = i / blocks, block = i % blocks;
    const std::int64_t row = block * call.queries / blocks;
    const int rows = static_cast<int>((block + 1) * call.queries / blocks - row);
    const float* q = call.q + row * call.q_stride + head * call.width;
    const float* keys = call.packed_keys + head * attention_keys_size(call.width, call.tokens);
    for (std::int64_t t = 0; t < padded; t += panel) {
      const std::int64_t rest = (padded - t) / width;
      Tiles::tiles[(rest < tile_vectors ? rest : tile_vectors) - 1][rows - 1](
          q, call.q_stride, keys + t * call.width, panel, call.width, scratch + t, stride);
    }
    float sums[tile_rows];
    for (int r = 0; r < rows; ++r)
      sums[r] = softmax_weights(scratch + r * stride, call.tokens, padded, call.scale);
    if (call.weights)
      add_weights(call, call.weights + i * ((call.tokens + lanes - 1) / lanes * lanes), scratch,
                  stride, sums, row, rows);
    const float* v = call.v + head * call.width;
    for (std::int64_t d = 0; d < call.width; d += panel) {
      const std::int64_t rest = (call.width - d) / width;
      Tiles::tiles[(rest < tile_vectors ? rest : tile_vectors) - 1][rows - 1](
          scratch, stride, v + d, call.kv_stride, call.tokens, mixed + d, call.width);
    }
    for (int r = 0; r < rows; ++r) {
      float* out = call.out + ((row + r) * call.heads + head) * call.width;
      const F inverse = splat(1.0f / sums[r]);
      for (std::int64_t d = 0; d < call.width; d += width)
        store(out + d, load(mixed + r * call.width + d) * inverse);
    }
  }
}

// Rows are summed in four parts, which do not wait for each other.

DERMIS_EDGE_INLINE float sum_of_row(const float* x, std::int64_t count) {
  F sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sums[j] += load(x + i + j * width);
  for (; i < count; i += width) sums[0] += load(x + i);
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/// Of (x - mean)^2; `count` is a multiple of the vectors' width.
DERMIS_EDGE_INLINE float squares_of_row(const float* x, std::int64_t count, float mean) {
  F sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const F off = load(x + i + j * width) - mean;
      sums[j] += off * off;
    }
  for (; i < count; i += width) {
    const F off = load(x + i) - mean;
    sums[0] += off * off;
  }
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

DERMIS_EDGE_INLINE float largest_of_row(const float* x, std::int64_t count) {
  F most[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) most[j] = max(most[j], magnitude(load(x + i + j * width)));
  for (; i < count; i += width) most[0] = max(most[0], magnitude(load(x + i)));
  return max_of(max(max(most[0], most[1]), max(most[2], most[3])));
}

DERMIS_EDGE_INLINE void normalize_row(const NormCall& call, const float* x, float* y) {
  const float mean = sum_of_row(x, call.stride) / static_cast<float>(call.dim);
  const std::int64_t whole = call.dim / width * width;
  float square = squares_of_row(x, whole, mean);
  for (std::int64_t i = whole; i < call.dim; ++i) square += (x[i] - mean) * (x[i] - mean);
  const float inverse = 1.0f / __builtin_sqrtf(square / static_cast<float>(call.dim) + call.eps);
  for (std::int64_t i = 0; i < call.stride; i += width)
    store(y + i, (load(x + i) - mean) * inverse * load(call.gain + i) + load(call.bias + i));
}

/// Symmetric bytes of a row: x = scale * (byte - input_offset).
DERMIS_EDGE_INLINE float quantize_row(const float* x, std::int64_t count, std::uint8_t* out) {
  const float largest = largest_of_row(x, count);
  const float to_bytes = largest > 0 ? 127.0f / largest : 0.0f;
  const F rounder = splat(12582912.0f + static_cast<float>(input_offset));
  for (std::int64_t i = 0; i < count; i += width) {
    store_bytes(out + i, (I)(load(x + i) * to_bytes + rounder));
  }
  return largest / 127.0f;
}

DERMIS_EDGE_FUNCTION void norm(const NormCall& call, float* scratch, std::int64_t begin,
                               std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r) {
    const float* x = call.x + r * call.stride;
    float* y = call.quantized ? scratch : call.y + r * call.stride;
    if (call.gain) normalize_row(call, x, y);
    if (call.quantized)
      call.scales[r] =
          quantize_row(call.gain ? y : x, call.stride, call.quantized + r * call.stride);
  }
}

DERMIS_EDGE_FUNCTION void exponential(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += width) store(y + i, exponential_of(load(x + i)));
}
DERMIS_EDGE_FUNCTION void gelu(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += width) store(y + i, gelu_of(load(x + i)));
}
