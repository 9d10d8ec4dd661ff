// LayerNorm and quantization, row by row. Part of kernels_body.hpp, which see.

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
