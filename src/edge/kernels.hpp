#pragma once
/// \file
/// The loops in which a ViT spends its time, once for each instruction set. All matrices are row by
/// row; every width is a multiple of `lanes`, padded with zeros (pad()), so that no kernel knows a
/// remainder; weights come in panels (pack.hpp). What a kernel computes for an element depends on
/// its row and column alone, never on which thread computes it, or beside what.

#include <cstdint>
#include <vector>

namespace dermis::edge {

/// The widest vector of any instruction set, floats.
constexpr std::int64_t lanes = 16;
/// Rows of the largest tile of any instruction set.
constexpr std::int64_t max_tile_rows = 14;
/// Columns of the widest panel of any instruction set.
constexpr std::int64_t max_panel = 32;

/// `size` up to the next multiple of `lanes`.
constexpr std::int64_t pad(std::int64_t size) {
  return (size + lanes - 1) / lanes * lanes;
}

/// What becomes of x W^T + b before it is stored.
enum class Epilogue {
  Store,
  Gelu,  ///< exact (erf) GELU
  Add,   ///< added to what is there: a residual
};

/// Weights [out, in] of a linear layer as kernels take them; `in` and `out` are padded.
struct PackedLinear {
  std::int64_t in = 0, out = 0;
  const float* weights = nullptr;             ///< fp32 panels, or
  const std::int8_t* quantized = nullptr;     ///< int8 panels,
  const float* scales = nullptr;              ///< [out], times which they are the weights,
  const std::int32_t* corrections = nullptr;  ///< [out]: minus input_offset times the column's sum
  const float* bias = nullptr;                ///< [out]
};

/// y = epilogue(x W^T + b) for `rows` rows.
struct LinearCall {
  const PackedLinear* layer;
  std::int64_t rows;
  const float* x = nullptr;                 ///< [rows, in], or
  const std::uint8_t* quantized = nullptr;  ///< [rows, in] as quantize() makes it, with
  const float* scales = nullptr;            ///< [rows]
  float* y;
  std::int64_t stride;  ///< from row to row of y
  Epilogue epilogue = Epilogue::Store;
};

/// Attention of some queries to all tokens, head by head. q, k and v are [*, heads * width], a
/// head's channels side by side.
struct AttentionCall {
  std::int64_t queries, tokens, heads, width;  ///< width of a head, padded
  float scale;                                 ///< 1 / sqrt(true width)
  const float *q, *k, *v;
  std::int64_t q_stride, kv_stride;
  float* packed_keys;  ///< [heads, attention_keys_size(width, tokens)]
  float* out;          ///< [queries, heads * width]
  /// Null, or [heads, row_blocks(), pad(tokens)]: for each block of queries, the sum of what
  /// those from `first_weighted` up to `end_weighted` attend to.
  float* weights;
  std::int64_t first_weighted, end_weighted;
};

/// Floats that hold the transposed keys of a head: [width, tokens up to whole panels].
constexpr std::int64_t attention_keys_size(std::int64_t width, std::int64_t tokens) {
  return width * ((tokens + max_panel - 1) / max_panel * max_panel);
}
/// Floats of scratch a thread needs in attention.
constexpr std::int64_t attention_scratch_size(std::int64_t width, std::int64_t tokens) {
  return max_tile_rows * ((tokens + max_panel - 1) / max_panel * max_panel + width);
}

/// LayerNorm of rows, or only their quantization (gain null).
struct NormCall {
  std::int64_t rows, dim, stride;  ///< true width, padded width
  const float* x;
  const float *gain, *bias;  ///< [stride], padded with zeros; null: rows stay as they are
  float eps;
  float* y = nullptr;                 ///< [rows, stride], or
  std::uint8_t* quantized = nullptr;  ///< [rows, stride] with
  float* scales = nullptr;            ///< [rows]
};

/// The kernels of one instruction set. Each computes the parts `begin` to `end - 1` of its call:
/// see *_parts() below for how many there are.
struct Kernels {
  const char* name;
  std::int64_t panel;         ///< columns of a panel of weights
  std::int64_t tile_rows;     ///< rows that are computed together
  std::int32_t input_offset;  ///< what quantize() adds to its values: 0 or 128
  void (*linear)(const LinearCall&, std::int64_t begin, std::int64_t end);
  void (*pack_keys)(const AttentionCall&, std::int64_t begin, std::int64_t end);
  void (*attention)(const AttentionCall&, float* scratch, std::int64_t begin, std::int64_t end);
  void (*norm)(const NormCall&, float* scratch, std::int64_t begin, std::int64_t end);  ///< rows
  void (*exponential)(const float* x, float* y, std::int64_t count);  ///< for tests
  void (*gelu)(const float* x, float* y, std::int64_t count);         ///< for tests
};

/// Blocks of rows, each of at most tile_rows.
constexpr std::int64_t row_blocks(std::int64_t rows, const Kernels& kernels) {
  return (rows + kernels.tile_rows - 1) / kernels.tile_rows;
}
constexpr std::int64_t panels_of(std::int64_t columns, const Kernels& kernels) {
  return (columns + kernels.panel - 1) / kernels.panel;
}
constexpr std::int64_t linear_parts(const LinearCall& call, const Kernels& kernels) {
  return row_blocks(call.rows, kernels) * panels_of(call.layer->out, kernels);
}
constexpr std::int64_t pack_keys_parts(const AttentionCall& call, const Kernels& kernels) {
  return call.heads * panels_of(call.tokens, kernels);
}
constexpr std::int64_t attention_parts(const AttentionCall& call, const Kernels& kernels) {
  return call.heads * row_blocks(call.queries, kernels);
}

/// The Kernels of namespace `space`, which includes kernels_body.hpp.
#define DERMIS_EDGE_KERNELS(name, space)                                                        \
  {                                                                                             \
    name, space::panel, space::tile_rows, space::input_offset, space::linear, space::pack_keys, \
        space::attention, space::norm, space::exponential, space::gelu                          \
  }

/// What this machine can run, best first; the last is portable.
const std::vector<const Kernels*>& supported_kernels();

}  // namespace dermis::edge
