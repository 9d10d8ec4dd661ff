#pragma once
/// \file
/// Files of classifiers with drawn weights, and what they must say, computed in double precision
/// from the definition alone.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dermis/edge/manifest.hpp"

namespace dermis::test {

struct CheckpointOptions {
  edge::Network network;
  bool layer_scale = false;
  double mlp_ratio = 4;
  DermoscopyOptions preprocessing = {};
  std::uint64_t seed = 1;
};

/// A classifier in memory.
struct Checkpoint {
  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };
  CheckpointOptions options;
  std::vector<std::string> order;
  std::map<std::string, Tensor> tensors;  ///< timm's names

  void save(const std::filesystem::path& path) const;
};

/// Widths that are multiples of no vector, blocks of queries that do not come out even.
CheckpointOptions odd_classifier();
/// The demo's student with a head at every depth.
CheckpointOptions student_of_every_depth();

/// Weights that matter: logits spread over some units, and every part of the network changes them.
Checkpoint draw_checkpoint(const CheckpointOptions& options);

/// Normalised pixels [3, S, S].
std::vector<float> draw_pixels(const edge::Network& network, std::uint64_t seed);

struct Expected {
  std::vector<double> logits;     ///< [exits, classes]
  std::vector<double> attention;  ///< [patches] of the last block
};
Expected expect(const Checkpoint& checkpoint, const std::vector<float>& pixels);

}  // namespace dermis::test
