#include "checkpoint.hpp"

#include <algorithm>
#include <cmath>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/safetensors.hpp"

namespace dermis::test {
namespace {

using Matrix = std::vector<std::vector<double>>;

std::string prefix_of(const CheckpointOptions& o) {
  return o.network.every_depth ? "vit." : "";
}

/// x W^T + b.
Matrix linear(const Checkpoint& c, const Matrix& x, const std::string& name) {
  const auto& weight = c.tensors.at(name + ".weight");
  const auto out = static_cast<std::size_t>(weight.shape[0]), in = x[0].size();
  const auto bias = c.tensors.find(name + ".bias");
  Matrix y(x.size(), std::vector<double>(out));
  for (std::size_t r = 0; r < x.size(); ++r)
    for (std::size_t o = 0; o < out; ++o) {
      double sum = bias == c.tensors.end() ? 0 : bias->second.values[o];
      for (std::size_t i = 0; i < in; ++i) sum += x[r][i] * weight.values[o * in + i];
      y[r][o] = sum;
    }
  return y;
}

Matrix layer_norm(const Checkpoint& c, Matrix x, const std::string& name) {
  const auto& gain = c.tensors.at(name + ".weight").values;
  const auto& bias = c.tensors.at(name + ".bias").values;
  for (auto& row : x) {
    const auto size = static_cast<double>(row.size());
    double mean = 0, variance = 0;
    for (const double v : row) mean += v / size;
    for (const double v : row) variance += (v - mean) * (v - mean) / size;
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] =
          (row[i] - mean) / std::sqrt(variance + c.options.network.norm_eps) * gain[i] + bias[i];
  }
  return x;
}

/// softmax(q k^T / sqrt(d)) v; the probabilities [heads][N][N] go to `weights`.
Matrix attention(const Matrix& qkv, std::size_t heads, std::vector<Matrix>& weights) {
  const std::size_t count = qkv.size(), dim = qkv[0].size() / 3, d = dim / heads;
  Matrix out(count, std::vector<double>(dim));
  weights.assign(heads, Matrix(count, std::vector<double>(count)));
  for (std::size_t h = 0; h < heads; ++h)
    for (std::size_t i = 0; i < count; ++i) {
      auto& row = weights[h][i];
      for (std::size_t j = 0; j < count; ++j)
        for (std::size_t k = h * d; k < (h + 1) * d; ++k)
          row[j] += qkv[i][k] * qkv[j][dim + k] / std::sqrt(static_cast<double>(d));
      const double most = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (double& v : row) sum += v = std::exp(v - most);
      for (double& v : row) v /= sum;
      for (std::size_t j = 0; j < count; ++j)
        for (std::size_t k = h * d; k < (h + 1) * d; ++k) out[i][k] += row[j] * qkv[j][2 * dim + k];
    }
  return out;
}

void add(const Checkpoint& c, Matrix& x, const Matrix& branch, const std::string& gain) {
  const auto scale = c.tensors.find(gain);
  for (std::size_t r = 0; r < x.size(); ++r)
    for (std::size_t i = 0; i < x[r].size(); ++i)
      x[r][i] += branch[r][i] * (scale == c.tensors.end() ? 1 : scale->second.values[i]);
}

Matrix embed(const Checkpoint& c, const std::vector<float>& pixels) {
  const auto& n = c.options.network;
  const auto prefix = prefix_of(c.options);
  const auto side = n.image_size, p = n.patch_size;
  Matrix patches;
  for (std::int64_t i = 0; i < n.patches(); ++i) {
    auto& row = patches.emplace_back();
    for (std::int64_t ch = 0; ch < 3; ++ch)
      for (std::int64_t y = 0; y < p; ++y)
        for (std::int64_t x = 0; x < p; ++x)
          row.push_back(pixels[static_cast<std::size_t>((ch * side + i / n.grid() * p + y) * side +
                                                        i % n.grid() * p + x)]);
  }
  Matrix tokens = linear(c, patches, prefix + "patch_embed.proj");
  const auto& token = c.tensors.at(prefix + "cls_token").values;
  tokens.insert(tokens.begin(), std::vector<double>(token.begin(), token.end()));
  const auto& table = c.tensors.at(prefix + "pos_embed").values;
  for (std::size_t t = 0; t < tokens.size(); ++t)
    for (std::size_t i = 0; i < tokens[t].size(); ++i)
      tokens[t][i] += table[t * tokens[t].size() + i];
  return tokens;
}

Matrix pooled(const Checkpoint& c, const Matrix& x, std::int64_t level) {
  const auto& n = c.options.network;
  const auto prefix = prefix_of(c.options);
  if (!n.mean_pooling)
    return layer_norm(
        c, {x[0]},
        level + 1 == n.depth ? prefix + "norm" : text(prefix, "blocks.", level + 1, ".norm1"));
  std::vector<double> mean(x[0].size());
  for (std::size_t t = 1; t < x.size(); ++t)
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i] += x[t][i] / static_cast<double>(n.patches());
  return layer_norm(c, {mean}, prefix + "fc_norm");
}

/// Over heads, and over patch tokens with mean pooling; the class token's column is left out.
std::vector<double> mean_attention(const std::vector<Matrix>& weights, bool mean_pooling) {
  std::vector<double> map(weights[0].size() - 1);
  const std::size_t first = mean_pooling ? 1 : 0, end = mean_pooling ? weights[0].size() : 1;
  for (const auto& head : weights)
    for (std::size_t i = first; i < end; ++i)
      for (std::size_t j = 0; j < map.size(); ++j)
        map[j] += head[i][j + 1] / static_cast<double>(weights.size() * (end - first));
  return map;
}

}  // namespace

CheckpointOptions odd_classifier() {
  CheckpointOptions o;
  o.network.image_size = 40;
  o.network.patch_size = 10;
  o.network.dim = 60;
  o.network.depth = 3;
  o.network.heads = 5;
  o.network.hidden = 150;
  o.network.num_classes = 5;
  o.network.mean_pooling = true;
  o.network.qkv_bias = false;
  o.layer_scale = true;
  o.mlp_ratio = 2.5;
  return o;
}

CheckpointOptions student_of_every_depth() {
  CheckpointOptions o;
  o.network.image_size = 64;
  o.network.patch_size = 8;
  o.network.dim = 64;
  o.network.depth = 4;
  o.network.heads = 2;
  o.network.hidden = 256;
  o.network.num_classes = 8;
  o.network.every_depth = true;
  return o;
}

Checkpoint draw_checkpoint(const CheckpointOptions& o) {
  const auto& n = o.network;
  Checkpoint c{o, {}, {}};
  const auto draw = [&](const std::string& name, std::vector<std::int64_t> shape, double deviation,
                        double mean = 0) {
    RandomStream stream(o.seed, name);
    std::size_t count = 1;
    for (const auto extent : shape) count *= static_cast<std::size_t>(extent);
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(mean + deviation * stream.normal());
    c.order.push_back(name);
    c.tensors[name] = {std::move(shape), std::move(values)};
  };
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in, bool bias) {
    draw(name + ".weight", {out, in}, 1.2 / std::sqrt(static_cast<double>(in)));
    if (bias) draw(name + ".bias", {out}, 0.1);
  };
  const auto norm = [&](const std::string& name) {
    draw(name + ".weight", {n.dim}, 0.2, 1);
    draw(name + ".bias", {n.dim}, 0.1);
  };
  const auto prefix = prefix_of(o);
  draw(prefix + "cls_token", {1, 1, n.dim}, 0.1);
  draw(prefix + "pos_embed", {1, n.tokens(), n.dim}, 0.3);
  draw(prefix + "patch_embed.proj.weight", {n.dim, 3, n.patch_size, n.patch_size}, 0.05);
  draw(prefix + "patch_embed.proj.bias", {n.dim}, 0.1);
  for (std::int64_t i = 0; i < n.depth; ++i) {
    const auto block = text(prefix, "blocks.", i, ".");
    norm(block + "norm1");
    linear(block + "attn.qkv", 3 * n.dim, n.dim, n.qkv_bias);
    linear(block + "attn.proj", n.dim, n.dim, true);
    norm(block + "norm2");
    linear(block + "mlp.fc1", n.hidden, n.dim, true);
    linear(block + "mlp.fc2", n.dim, n.hidden, true);
    if (o.layer_scale) {
      draw(block + "ls1.gamma", {n.dim}, 0.7);
      draw(block + "ls2.gamma", {n.dim}, 0.7);
    }
  }
  norm(prefix + (n.mean_pooling ? "fc_norm" : "norm"));
  for (std::int64_t i = 0; i < n.exits(); ++i)
    linear(n.every_depth ? text("heads.", i) : "head", n.num_classes, n.dim, true);
  return c;
}

void Checkpoint::save(const std::filesystem::path& path) const {
  const auto& n = options.network;
  std::vector<std::pair<std::string, TensorView>> views;
  for (const auto& name : order) {
    const auto& tensor = tensors.at(name);
    views.emplace_back(name, TensorView{TensorType::F32, tensor.shape,
                                        reinterpret_cast<const std::byte*>(tensor.values.data()),
                                        tensor.values.size() * sizeof(float)});
  }
  std::vector<std::string> classes;
  for (std::int64_t i = 0; i < n.num_classes; ++i) classes.push_back(text("class ", i));
  const auto shape = Json::object({{"image_size", n.image_size},
                                   {"image_width", 0},
                                   {"patch_size", n.patch_size},
                                   {"in_channels", 3},
                                   {"dim", n.dim},
                                   {"depth", n.depth},
                                   {"heads", n.heads},
                                   {"mlp_ratio", options.mlp_ratio},
                                   {"num_classes", n.num_classes},
                                   {"mean_pooling", n.mean_pooling},
                                   {"qkv_bias", n.qkv_bias},
                                   {"norm_eps", n.norm_eps}});
  const auto normalization = Json::object(
      {{"mean", std::vector<double>{0.7, 0.5, 0.4}}, {"std", std::vector<double>{0.2, 0.25, 0.3}}});
  const auto extra = Json::object({{"classes", classes},
                                   {"normalization", normalization},
                                   {"preprocessing", options_to_json(options.preprocessing)}});
  write_safetensors(path, views,
                    {{"dermis.architecture", Json(n.every_depth ? "depth_vit" : "vit").dump()},
                     {"dermis.options", shape.dump()},
                     {"dermis.extra", extra.dump()}});
}

std::vector<float> draw_pixels(const edge::Network& n, std::uint64_t seed) {
  RandomStream stream(seed, "pixels");
  std::vector<float> pixels(static_cast<std::size_t>(3 * n.image_size * n.image_size));
  for (float& v : pixels) v = static_cast<float>(stream.normal());
  return pixels;
}

Expected expect(const Checkpoint& c, const std::vector<float>& pixels) {
  const auto& n = c.options.network;
  const auto prefix = prefix_of(c.options);
  Expected expected;
  Matrix x = embed(c, pixels);
  std::vector<Matrix> weights;
  for (std::int64_t i = 0; i < n.depth; ++i) {
    const auto block = text(prefix, "blocks.", i, ".");
    const auto qkv = linear(c, layer_norm(c, x, block + "norm1"), block + "attn.qkv");
    add(c, x,
        linear(c, attention(qkv, static_cast<std::size_t>(n.heads), weights), block + "attn.proj"),
        block + "ls1.gamma");
    Matrix hidden = linear(c, layer_norm(c, x, block + "norm2"), block + "mlp.fc1");
    for (auto& row : hidden)
      for (double& v : row) v *= 0.5 * std::erfc(-v / std::sqrt(2.0));
    add(c, x, linear(c, hidden, block + "mlp.fc2"), block + "ls2.gamma");
    if (!n.every_depth && i + 1 < n.depth) continue;
    const auto head = n.every_depth ? text("heads.", i) : "head";
    const auto logits = linear(c, pooled(c, x, i), head)[0];
    expected.logits.insert(expected.logits.end(), logits.begin(), logits.end());
  }
  expected.attention = mean_attention(weights, n.mean_pooling);
  return expected;
}

}  // namespace dermis::test
