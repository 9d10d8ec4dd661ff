#include "weights.hpp"

#include <cmath>
#include <cstring>

#include "dermis/core/check.hpp"
#include "half.hpp"
#include "pack.hpp"

namespace dermis::edge {
namespace {

/// Where a padded channel lies in the file; -1: nowhere, it is zero.
using Channels = std::vector<std::int64_t>;

Channels plain(std::int64_t size) {
  Channels channels(static_cast<std::size_t>(pad(size)), -1);
  for (std::int64_t i = 0; i < size; ++i) channels[static_cast<std::size_t>(i)] = i;
  return channels;
}

/// `heads` heads of `width` channels, each padded, from channel `first` on.
Channels by_head(std::int64_t first, std::int64_t heads, std::int64_t width) {
  Channels channels(static_cast<std::size_t>(heads * pad(width)), -1);
  for (std::int64_t h = 0; h < heads; ++h)
    for (std::int64_t i = 0; i < width; ++i)
      channels[static_cast<std::size_t>(h * pad(width) + i)] = first + h * width + i;
  return channels;
}

class Placer {
 public:
  Placer(const SafetensorsFile& file, const std::string& source, const Manifest& manifest,
         const Kernels& kernels, Arena& arena)
      : file_(file), source_(source), manifest_(manifest), kernels_(kernels), arena_(arena) {}

  /// A vector of fp32, padded.
  const float* vector(const std::string& name, std::int64_t size) {
    return vector(name, {size}, plain(size));
  }
  const float* vector(const std::string& name, const std::vector<std::int64_t>& shape,
                      const Channels& channels) {
    const TensorView& view = checked(name, TensorType::F32, shape);
    auto* to = arena_.take<float>(size_of(channels));
    if (to)
      for (std::size_t i = 0; i < channels.size(); ++i) to[i] = element<float>(view, channels[i]);
    return to;
  }

  NormWeights norm(const std::string& name) {
    const auto dim = manifest_.network.dim;
    return {vector(name + ".weight", dim), vector(name + ".bias", dim)};
  }

  /// A linear layer of `shape`, of whose outputs and inputs these are taken.
  PackedLinear linear(const std::string& name, const std::vector<std::int64_t>& shape,
                      const Channels& out, const Channels& in, Precision precision,
                      bool bias = true) {
    PackedLinear layer;
    layer.in = size_of(in);
    layer.out = size_of(out);
    const std::int64_t size = packed_size(layer.in, layer.out, kernels_.panel);
    std::int64_t columns = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) columns *= shape[i];
    const auto at = [&](std::int64_t o, std::int64_t i) {
      const auto row = out[static_cast<std::size_t>(o)], column = in[static_cast<std::size_t>(i)];
      return row < 0 || column < 0 ? -1 : row * columns + column;
    };
    if (precision == Precision::I8) {
      quantized(layer, name, shape, out, size, at);
    } else {
      const bool half = precision == Precision::F16;
      const TensorView& view =
          checked(name + ".weight", half ? TensorType::F16 : TensorType::F32, shape);
      if (auto* to = arena_.take<float>(size)) {
        layer.weights = to;
        pack_weights(to, layer.in, layer.out, kernels_.panel, [&](std::int64_t o, std::int64_t i) {
          return half ? from_half(element<std::uint16_t>(view, at(o, i)))
                      : element<float>(view, at(o, i));
        });
      }
    }
    layer.bias = bias ? vector(name + ".bias", {shape[0]}, out) : arena_.take<float>(layer.out);
    return layer;
  }

  /// The position table with the class token in its first row: [tokens, pad(dim)].
  const float* positions() {
    const auto& n = manifest_.network;
    const TensorView& table = checked("pos_embed", TensorType::F32, {1, n.tokens(), n.dim});
    const TensorView& token = checked("cls_token", TensorType::F32, {1, 1, n.dim});
    auto* to = arena_.take<float>(n.tokens() * pad(n.dim));
    if (to)
      for (std::int64_t t = 0; t < n.tokens(); ++t)
        for (std::int64_t i = 0; i < n.dim; ++i)
          to[t * pad(n.dim) + i] =
              element<float>(table, t * n.dim + i) + (t == 0 ? element<float>(token, i) : 0.0f);
    return to;
  }

 private:
  static std::int64_t size_of(const Channels& channels) {
    return static_cast<std::int64_t>(channels.size());
  }

  /// Element `at` of a tensor, whose bytes may lie at any address; 0 for -1.
  template <class T>
  static T element(const TensorView& view, std::int64_t at) {
    T value{};
    if (at >= 0)
      std::memcpy(&value, view.data + static_cast<std::size_t>(at) * sizeof value, sizeof value);
    return value;
  }

  const TensorView& checked(const std::string& name, TensorType type,
                            const std::vector<std::int64_t>& shape) {
    const TensorView& view = file_.at(name);
    check_runtime(view.type == type && view.shape == shape, "[edge] ", source_, ": tensor '", name,
                  "': expected ", type_name(type), " ", Json(shape).dump(), ", got ",
                  type_name(view.type), " ", Json(view.shape).dump());
    return view;
  }

  template <class At>
  void quantized(PackedLinear& layer, const std::string& name,
                 const std::vector<std::int64_t>& shape, const Channels& out, std::int64_t size,
                 const At& at) {
    const TensorView& view = checked(name + ".weight", TensorType::I8, shape);
    auto* to = arena_.take<std::int8_t>(size);
    auto* corrections = arena_.take<std::int32_t>(layer.out);
    layer.scales = vector(name + ".weight_scale", {shape[0]}, out);
    if (!to) return;
    pack_bytes(to, layer.in, layer.out, kernels_.panel, [&](std::int64_t o, std::int64_t i) {
      const auto value = element<std::int8_t>(view, at(o, i));
      // Kernels count on a symmetric range.
      check_runtime(value >= -127, "[edge] ", source_, ": tensor '", name,
                    ".weight': expected values from -127, got -128");
      return value;
    });
    for (std::int64_t o = 0; o < layer.out; ++o) {
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < layer.in; ++i) sum += element<std::int8_t>(view, at(o, i));
      corrections[o] = -kernels_.input_offset * sum;
    }
    layer.quantized = to;
    layer.corrections = corrections;
  }

  const SafetensorsFile& file_;
  const std::string& source_;
  const Manifest& manifest_;
  const Kernels& kernels_;
  Arena& arena_;
};

BlockWeights place_block(Placer& place, const Manifest& manifest, std::int64_t index) {
  const Network& n = manifest.network;
  const auto name = text("blocks.", index, ".");
  const auto width = n.dim / n.heads;
  const auto dim = plain(n.dim), hidden = plain(n.hidden);
  const auto queries = by_head(0, n.heads, width);
  auto keys_values = by_head(n.dim, n.heads, width);
  const auto values = by_head(2 * n.dim, n.heads, width);
  keys_values.insert(keys_values.end(), values.begin(), values.end());
  const auto linear = [&](const char* layer, std::int64_t out, std::int64_t in,
                          const Channels& outputs, const Channels& inputs, bool bias = true) {
    return place.linear(name + layer, {out, in}, outputs, inputs, manifest.precision, bias);
  };
  BlockWeights block;
  block.norm1 = place.norm(name + "norm1");
  block.queries = linear("attn.qkv", 3 * n.dim, n.dim, queries, dim, n.qkv_bias);
  block.keys_values = linear("attn.qkv", 3 * n.dim, n.dim, keys_values, dim, n.qkv_bias);
  block.project = linear("attn.proj", n.dim, n.dim, dim, queries);
  block.norm2 = place.norm(name + "norm2");
  block.fc1 = linear("mlp.fc1", n.hidden, n.dim, hidden, dim);
  block.fc2 = linear("mlp.fc2", n.dim, n.hidden, dim, hidden);
  return block;
}

}  // namespace

Weights place_weights(const SafetensorsFile& file, const std::string& source,
                      const Manifest& manifest, const Kernels& kernels, Arena& arena) {
  const Network& n = manifest.network;
  Placer place(file, source, manifest, kernels, arena);
  Weights w;
  const auto dim = plain(n.dim);
  w.patches =
      place.linear("patch_embed.proj", {n.dim, n.in_channels, n.patch_size, n.patch_size}, dim,
                   plain(n.in_channels * n.patch_size * n.patch_size), manifest.precision);
  w.positions = place.positions();
  for (std::int64_t i = 0; i < n.depth; ++i) w.blocks.push_back(place_block(place, manifest, i));
  const auto classes = plain(n.num_classes);
  for (std::int64_t i = 0; i < n.exits(); ++i) {
    const bool last = i + 1 == n.exits();
    w.exit_norms.push_back(last ? place.norm(n.mean_pooling ? "fc_norm" : "norm")
                                : w.blocks[static_cast<std::size_t>(i + 1)].norm1);
    w.heads.push_back(place.linear(n.every_depth ? text("heads.", i) : "head",
                                   {n.num_classes, n.dim}, classes, dim, Precision::F32));
  }
  return w;
}

}  // namespace dermis::edge
