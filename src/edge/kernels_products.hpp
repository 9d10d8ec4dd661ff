// Tiles of matrix products and linear layers. Part of kernels_body.hpp, which see.

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
