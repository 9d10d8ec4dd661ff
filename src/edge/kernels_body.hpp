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

#include "kernels_vectors.hpp"
//
#include "kernels_products.hpp"
#include "kernels_rows.hpp"

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
  F most[2] = {load(s), load(s)};
  std::int64_t at = 0;
  for (; at + 2 * width <= padded; at += 2 * width)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) most[j] = max(most[j], load(s + at + j * width));
  if (at < padded) most[0] = max(most[0], load(s + at));
  const F shift = splat(max_of(max(most[0], most[1])));
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

DERMIS_EDGE_FUNCTION void exponential(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += width) store(y + i, exponential_of(load(x + i)));
}
DERMIS_EDGE_FUNCTION void gelu(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += width) store(y + i, gelu_of(load(x + i)));
}
