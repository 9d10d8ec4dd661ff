#pragma once
/// \file
/// What an edge file says besides its weights: one JSON text in the metadata of a safetensors file.

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dermis/core/json.hpp"
#include "dermis/core/options.hpp"
#include "dermis/io/dermoscopy.hpp"

namespace dermis::edge {

/// How the weights of the linear layers are stored. All else is fp32.
enum class Precision {
  F32,
  F16,  ///< half the file; computed in fp32
  I8    ///< a quarter of the file: symmetric, a scale per output channel; what goes into the layer
        ///< is quantized as it comes, symmetric with a scale per token; products are summed exactly
};
std::string name(Precision precision);  ///< "fp32", "fp16", "int8"
void from_name(Precision& precision, const std::string& name);

/// The network: a ViT as models/vit.hpp has it, with LayerScale folded into the weights. Fields of
/// the same name mean the same.
struct Network {
  std::int64_t image_size = 224;
  std::int64_t patch_size = 16;
  std::int64_t in_channels = 3;
  std::int64_t dim = 768;
  std::int64_t depth = 12;
  std::int64_t heads = 12;
  std::int64_t hidden = 3072;  ///< width of the perceptrons
  std::int64_t num_classes = 0;
  bool mean_pooling = false;
  bool qkv_bias = true;
  bool every_depth = false;  ///< a head after every block (distill/depth_heads.hpp), else one
  double norm_eps = 1e-6;

  std::int64_t grid() const { return image_size / patch_size; }
  std::int64_t patches() const { return grid() * grid(); }
  std::int64_t tokens() const { return 1 + patches(); }
  std::int64_t exits() const { return every_depth ? depth : 1; }  ///< heads
};

/// Everything in the file but the weights.
struct Manifest {
  std::int64_t version = 1;  ///< of the format
  Precision precision = Precision::F32;
  Network network;
  std::vector<std::string> classes;
  DermoscopyOptions preprocessing;  ///< then the largest centred square, bicubic as Pillow's
  std::vector<double> mean, std;    ///< R, G, B in units of 0..1
  /// [exits] What logits are divided by before softmax, above 0 (fit_temperature).
  std::vector<double> temperatures;
  /// [exits - 1] An exit whose largest probability is at least this is the answer, and deeper
  /// blocks are not computed. Above 1: never.
  std::vector<double> exit_confidences;
  double abstain_below = 0;  ///< no answer where the largest probability is less
  /// [classes] or empty: a class is flagged where its probability is at least this, whatever the
  /// most probable one is.
  std::vector<double> thresholds;
  Json provenance = Json::object();  ///< where the weights came from; not interpreted
};

template <class Self, class Visitor,
          std::enable_if_t<std::is_same_v<std::remove_const_t<Self>, Network>, int> = 0>
void visit_fields(Self& n, Visitor&& visit) {
  visit("image_size", n.image_size);
  visit("patch_size", n.patch_size);
  visit("in_channels", n.in_channels);
  visit("dim", n.dim);
  visit("depth", n.depth);
  visit("heads", n.heads);
  visit("hidden", n.hidden);
  visit("num_classes", n.num_classes);
  visit("mean_pooling", n.mean_pooling);
  visit("qkv_bias", n.qkv_bias);
  visit("every_depth", n.every_depth);
  visit("norm_eps", n.norm_eps);
}

template <class Self, class Visitor,
          std::enable_if_t<std::is_same_v<std::remove_const_t<Self>, Manifest>, int> = 0>
void visit_fields(Self& m, Visitor&& visit) {
  visit("version", m.version);
  visit("precision", m.precision);
  visit("network", m.network);
  visit("classes", m.classes);
  visit("preprocessing", m.preprocessing);
  visit("mean", m.mean);
  visit("std", m.std);
  visit("temperatures", m.temperatures);
  visit("exit_confidences", m.exit_confidences);
  visit("abstain_below", m.abstain_below);
  visit("thresholds", m.thresholds);
  visit("provenance", m.provenance);
}

/// Throws std::runtime_error naming `source` and the first field that cannot be. Sizes are bounded
/// (2^20 each, 1024 blocks, 2^16 tokens), so that sums of products of them fit 64 bits.
void validate(const Manifest& manifest, const std::string& source);

/// \throws std::runtime_error naming `source` for a text that is no manifest, or not a valid one
Manifest parse_manifest(std::string_view json, const std::string& source);

}  // namespace dermis::edge
