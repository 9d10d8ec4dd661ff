#include "dermis/edge/onnx.hpp"

#include <cmath>
#include <cstring>
#include <set>

#include "content.hpp"
#include "dermis/core/file.hpp"
#include "dermis/version.hpp"
#include "half.hpp"
#include "onnx_graph.hpp"

namespace dermis::edge {
namespace {

template <class T>
std::vector<T> values_of(const TensorView& view) {
  std::vector<T> values(view.bytes / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), view.data, view.bytes);
  return values;
}

/// [rows, columns] -> [columns, rows].
template <class T>
std::vector<T> transposed(const std::vector<T>& values, std::size_t rows) {
  const std::size_t columns = values.size() / rows;
  std::vector<T> result(values.size());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) result[c * rows + r] = values[r * columns + c];
  return result;
}

/// The network, one operator after the other. B images, T tokens, D width.
class Builder {
 public:
  explicit Builder(const Content& content)
      : file_(content.file), network_(content.manifest.network) {}

  void build() {
    const Network& n = network_;
    graph.input("pixels", {"batch", n.in_channels, n.image_size, n.image_size});
    std::string x = embed(), logits;
    std::vector<std::string> exits;
    for (std::int64_t i = 0; i < n.depth; ++i) {
      x = block(x, text("blocks.", i, "."));
      if (n.every_depth && i + 1 < n.depth)
        exits.push_back(head(first(x), text("blocks.", i + 1, ".norm1"), text("heads.", i)));
    }
    if (!n.every_depth) {
      logits = n.mean_pooling ? head(mean(x), "fc_norm", "head") : head(first(x), "norm", "head");
      graph.output("logits", logits, {"batch", n.num_classes});
    } else {
      exits.push_back(head(first(x), "norm", text("heads.", n.depth - 1)));
      for (auto& exit : exits) exit = graph.node("Unsqueeze", {exit, graph.integers({1})});
      logits = graph.node("Concat", exits, {{"axis", 1}});
      graph.output("logits", logits, {"batch", n.exits(), n.num_classes});
    }
  }

  OnnxGraph graph;

 private:
  std::string vector(const std::string& name) {
    const TensorView& view = file_.at(name);
    return graph.constant(name, OnnxType::Float, view.shape, values_of<float>(view));
  }

  /// A weight as fp32, whatever it is stored in.
  std::vector<float> weight(const std::string& name) {
    const TensorView& view = file_.at(name);
    if (view.type == TensorType::F32) return values_of<float>(view);
    std::vector<float> values;
    if (view.type == TensorType::F16) {
      for (const auto half : values_of<std::uint16_t>(view)) values.push_back(from_half(half));
      return values;
    }
    const auto bytes = values_of<std::int8_t>(view);
    const auto scales = values_of<float>(file_.at(name + "_scale"));
    const std::size_t columns = bytes.size() / scales.size();
    for (std::size_t i = 0; i < bytes.size(); ++i)
      values.push_back(static_cast<float>(bytes[i]) * scales[i / columns]);
    return values;
  }

  /// x W^T + b.
  std::string linear(const std::string& x, const std::string& name) {
    const TensorView& view = file_.at(name + ".weight");
    const auto rows = view.shape[0], columns = view.shape[1];
    const std::vector<std::int64_t> shape{columns, rows};
    std::string y;
    if (view.type == TensorType::I8) {
      const auto w =
          graph.constant(name + ".weight", OnnxType::Int8, shape,
                         transposed(values_of<std::int8_t>(view), static_cast<std::size_t>(rows)));
      const auto q = graph.nodes("DynamicQuantizeLinear", {x}, 3);  // bytes, scale, zero point
      const auto sums =
          graph.node("Cast", {graph.node("MatMulInteger", {q[0], w, q[2]})}, {{"to", 1}});
      y = graph.node("Mul", {sums, graph.node("Mul", {vector(name + ".weight_scale"), q[1]})});
    } else {
      const auto w =
          graph.constant(name + ".weight", OnnxType::Float, shape,
                         transposed(weight(name + ".weight"), static_cast<std::size_t>(rows)));
      y = graph.node("MatMul", {x, w});
    }
    return file_.contains(name + ".bias") ? graph.node("Add", {y, vector(name + ".bias")}) : y;
  }

  std::string norm(const std::string& x, const std::string& name) {
    if (norms_.insert(name).second) {  // a block's first norm is that of the head before it, too
      vector(name + ".weight");
      vector(name + ".bias");
    }
    return graph.node("LayerNormalization", {x, name + ".weight", name + ".bias"},
                      {{"axis", -1}, {"epsilon", static_cast<float>(network_.norm_eps)}});
  }

  std::string embed() {
    const Network& n = network_;
    const auto kernel = graph.constant("patch_embed.proj.weight", OnnxType::Float,
                                       file_.at("patch_embed.proj.weight").shape,
                                       weight("patch_embed.proj.weight"));
    const auto maps = graph.node("Conv", {"pixels", kernel, vector("patch_embed.proj.bias")},
                                 {{"strides", {n.patch_size, n.patch_size}}});  // [B, D, g, g]
    const auto rows = graph.node("Reshape", {maps, graph.integers({0, n.dim, n.patches()})});
    const auto patches = graph.node("Transpose", {rows}, {{"perm", {0, 2, 1}}});  // [B, N, D]
    const auto batch = graph.node("Gather", {graph.node("Shape", {"pixels"}), graph.integers({0})});
    const auto shape = graph.node("Concat", {batch, graph.integers({1, n.dim})}, {{"axis", 0}});
    const auto token = graph.node("Expand", {vector("cls_token"), shape});  // [B, 1, D]
    return graph.node("Add",
                      {graph.node("Concat", {token, patches}, {{"axis", 1}}), vector("pos_embed")});
  }

  std::string block(const std::string& x, const std::string& name) {
    const Network& n = network_;
    const auto width = n.dim / n.heads;
    const auto fused = linear(norm(x, name + "norm1"), name + "attn.qkv");  // [B, T, 3 D]
    const auto split = graph.node("Reshape", {fused, graph.integers({0, 0, 3, n.heads, width})});
    const auto parts = graph.node("Transpose", {split}, {{"perm", {2, 0, 3, 1, 4}}});
    const auto part = [&](std::int64_t i) {  // [B, heads, T, d]
      return graph.node("Gather", {parts, graph.index(i)}, {{"axis", 0}});
    };
    const auto scale = graph.number(1.0f / std::sqrt(static_cast<float>(width)));
    const auto q = graph.node("Mul", {part(0), scale});
    const auto k = graph.node("Transpose", {part(1)}, {{"perm", {0, 1, 3, 2}}});
    const auto weights = graph.node("Softmax", {graph.node("MatMul", {q, k})}, {{"axis", -1}});
    const auto mixed = graph.node("Transpose", {graph.node("MatMul", {weights, part(2)})},
                                  {{"perm", {0, 2, 1, 3}}});
    const auto joined = graph.node("Reshape", {mixed, graph.integers({0, 0, n.dim})});
    const auto y = graph.node("Add", {x, linear(joined, name + "attn.proj")});
    const auto hidden = gelu(linear(norm(y, name + "norm2"), name + "mlp.fc1"));
    return graph.node("Add", {y, linear(hidden, name + "mlp.fc2")});
  }

  std::string gelu(const std::string& x) {
    const auto erf = graph.node("Erf", {graph.node("Div", {x, graph.number(std::sqrt(2.0f))})});
    const auto twice = graph.node("Mul", {x, graph.node("Add", {erf, graph.number(1.0f)})});
    return graph.node("Mul", {twice, graph.number(0.5f)});
  }

  std::string first(const std::string& x) {  // [B, D]
    return graph.node("Gather", {x, graph.index(0)}, {{"axis", 1}});
  }
  std::string mean(const std::string& x) {
    const auto patches = graph.node(
        "Slice",
        {x, graph.integers({1}), graph.integers({network_.tokens()}), graph.integers({1})});
    return graph.node("ReduceMean", {patches},
                      {{"axes", std::vector<std::int64_t>{1}}, {"keepdims", 0}});
  }
  std::string head(const std::string& pooled, const std::string& norm_name,
                   const std::string& name) {
    return linear(norm(pooled, norm_name), name);
  }

  const SafetensorsFile& file_;
  const Network& network_;
  std::set<std::string> norms_;  // written
};

}  // namespace

void write_onnx(const std::filesystem::path& edge_file, const std::filesystem::path& target) {
  const Content content = read_content(edge_file);
  Builder builder(content);
  builder.build();
  const Manifest& m = content.manifest;
  write_atomically(target,
                   builder.graph.model(version, {{"classes", Json(m.classes).dump()},
                                                 {"mean", Json(m.mean).dump()},
                                                 {"std", Json(m.std).dump()},
                                                 {"temperatures", Json(m.temperatures).dump()}}));
}

}  // namespace dermis::edge
