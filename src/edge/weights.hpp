#pragma once
/// \file
/// From the tensors of an edge file to what the kernels read.

#include <cstdint>
#include <string>
#include <vector>

#include "arena.hpp"
#include "dermis/edge/manifest.hpp"
#include "dermis/io/safetensors.hpp"
#include "kernels.hpp"

namespace dermis::edge {

struct NormWeights {
  const float *gain, *bias;  ///< [pad(dim)]
};

/// queries and keys_values are apart because the last block needs but one query.
struct BlockWeights {
  NormWeights norm1, norm2;
  PackedLinear queries, keys_values, project, fc1, fc2;
};

/// All weights of a network, in an arena. Padded sizes: a head has pad(dim / heads) channels.
struct Weights {
  PackedLinear patches;
  const float* positions;  ///< [tokens, pad(dim)], the class token added to the first
  std::vector<BlockWeights> blocks;
  std::vector<NormWeights> exit_norms;  ///< [exits] what the heads see goes through
  std::vector<PackedLinear> heads;      ///< [exits]
};

/// Parts `arena` and, where it has memory, fills it. Called once before and once after allocate().
/// \throws std::runtime_error naming the file and a tensor that is missing or of another type or
///         shape than the manifest says
Weights place_weights(const SafetensorsFile& file, const std::string& source,
                      const Manifest& manifest, const Kernels& kernels, Arena& arena);

}  // namespace dermis::edge
