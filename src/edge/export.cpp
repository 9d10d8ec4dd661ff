#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "dermis/core/sha256.hpp"
#include "dermis/edge/file.hpp"
#include "dermis/version.hpp"
#include "half.hpp"

namespace dermis::edge {
namespace {

/// Tensors of the new file, which own their bytes.
class Writer {
 public:
  explicit Writer(Precision precision) : precision_(precision) {}

  template <class T>
  void add(const std::string& name, TensorType type, std::vector<std::int64_t> shape,
           const std::vector<T>& values) {
    auto& bytes = storage_.emplace_back(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    tensors.emplace_back(name, TensorView{type, std::move(shape), bytes.data(), bytes.size()});
  }

  /// A weight [out, *] of a linear layer.
  void add_weight(const std::string& name, const std::vector<std::int64_t>& shape,
                  const std::vector<float>& values) {
    if (precision_ == Precision::F32) return add(name, TensorType::F32, shape, values);
    if (precision_ == Precision::F16) {
      std::vector<std::uint16_t> halves;
      for (const float value : values) halves.push_back(to_half(value));
      return add(name, TensorType::F16, shape, halves);
    }
    const auto rows = static_cast<std::size_t>(shape[0]), columns = values.size() / rows;
    std::vector<std::int8_t> bytes;
    std::vector<float> scales;
    for (std::size_t r = 0; r < rows; ++r) {
      const float* row = values.data() + r * columns;
      float most = 0;
      for (std::size_t c = 0; c < columns; ++c) most = std::max(most, std::abs(row[c]));
      scales.push_back(most / 127);
      for (std::size_t c = 0; c < columns; ++c)
        bytes.push_back(static_cast<std::int8_t>(most > 0 ? std::lrint(row[c] / most * 127) : 0));
    }
    add(name, TensorType::I8, shape, bytes);
    add(name + "_scale", TensorType::F32, {shape[0]}, scales);
  }

  std::vector<std::pair<std::string, TensorView>> tensors;

 private:
  Precision precision_;
  std::deque<std::vector<std::byte>> storage_;
};

/// The checkpoint's tensors as floats.
class Reader {
 public:
  Reader(const SafetensorsFile& file, std::string source, std::string prefix)
      : file_(file), source_(std::move(source)), prefix_(std::move(prefix)) {}

  bool contains(const std::string& name) const { return file_.contains(prefix_ + name); }
  const std::vector<std::int64_t>& shape(const std::string& name) const {
    return file_.at(prefix_ + name).shape;
  }
  std::vector<float> values(const std::string& name) const { return plain(prefix_ + name); }

  std::vector<float> plain(const std::string& name) const {
    const TensorView& view = file_.at(name);
    check_runtime(view.type == TensorType::F32, "[edge] ", source_, ": tensor '", name,
                  "': expected F32, got ", type_name(view.type));
    std::vector<float> values(view.bytes / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), view.data, view.bytes);
    check_runtime(
        std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }),
        "[edge] ", source_, ": tensor '", name, "': expected finite weights");
    return values;
  }
  const std::vector<std::int64_t>& plain_shape(const std::string& name) const {
    return file_.at(name).shape;
  }

 private:
  const SafetensorsFile& file_;
  std::string source_, prefix_;
};

/// A linear layer; with `gain`, LayerScale's tensor, every output times its gain.
void copy_linear(const Reader& from, Writer& to, const std::string& name,
                 const std::string& gain = "") {
  auto weight = from.values(name + ".weight");
  const auto& shape = from.shape(name + ".weight");
  const bool biased = from.contains(name + ".bias");
  auto bias = biased ? from.values(name + ".bias") : std::vector<float>();
  if (!gain.empty() && from.contains(gain)) {
    const auto gains = from.values(gain);
    const auto columns = weight.size() / std::max<std::size_t>(gains.size(), 1);
    for (std::size_t i = 0; i < columns * gains.size(); ++i) weight[i] *= gains[i / columns];
    for (std::size_t i = 0; i < std::min(bias.size(), gains.size()); ++i) bias[i] *= gains[i];
  }
  to.add_weight(name + ".weight", shape, weight);
  if (biased) to.add(name + ".bias", TensorType::F32, {shape[0]}, bias);
}

void copy(const Reader& from, Writer& to, const std::string& name) {
  to.add(name, TensorType::F32, from.shape(name), from.values(name));
}

void copy_norm(const Reader& from, Writer& to, const std::string& name) {
  copy(from, to, name + ".weight");
  copy(from, to, name + ".bias");
}

/// The heads; with `shared`, every exit asks the last one (DepthHeadUse::Last).
void copy_heads(const Network& n, const Reader& from, Writer& to, bool shared) {
  for (std::int64_t i = 0; i < n.exits(); ++i)
    for (const char* part : {".weight", ".bias"}) {
      const auto name = n.every_depth ? text("heads.", i, part) : text("head", part);
      const auto source = shared ? text("heads.", n.exits() - 1, part) : name;
      to.add(name, TensorType::F32, from.plain_shape(source), from.plain(source));
    }
}

void copy_network(const Network& n, const Reader& from, Writer& to) {
  copy(from, to, "cls_token");
  copy(from, to, "pos_embed");
  copy_linear(from, to, "patch_embed.proj");
  for (std::int64_t i = 0; i < n.depth; ++i) {
    const auto block = text("blocks.", i, ".");
    copy_norm(from, to, block + "norm1");
    copy_linear(from, to, block + "attn.qkv");
    copy_linear(from, to, block + "attn.proj", block + "ls1.gamma");
    copy_norm(from, to, block + "norm2");
    copy_linear(from, to, block + "mlp.fc1");
    copy_linear(from, to, block + "mlp.fc2", block + "ls2.gamma");
  }
  copy_norm(from, to, n.mean_pooling ? "fc_norm" : "norm");
}

std::string metadata_of(const SafetensorsFile& file, const char* key, const std::string& source) {
  const auto found = file.metadata().find(key);
  check_runtime(found != file.metadata().end(), "[edge] ", source,
                ": expected the file of a classifier, got one without '", key, "'");
  return found->second;
}

Network network_of(const Json& options, bool every_depth) {
  Network n;
  n.image_size = options.at("image_size").get<std::int64_t>();
  n.patch_size = options.at("patch_size").get<std::int64_t>();
  n.in_channels = options.at("in_channels").get<std::int64_t>();
  n.dim = options.at("dim").get<std::int64_t>();
  n.depth = options.at("depth").get<std::int64_t>();
  n.heads = options.at("heads").get<std::int64_t>();
  n.hidden =
      static_cast<std::int64_t>(static_cast<double>(n.dim) * options.at("mlp_ratio").get<double>());
  n.num_classes = options.at("num_classes").get<std::int64_t>();
  n.mean_pooling = options.at("mean_pooling").get<bool>();
  n.qkv_bias = options.at("qkv_bias").get<bool>();
  n.norm_eps = options.at("norm_eps").get<double>();
  n.every_depth = every_depth;
  check_runtime(n.depth >= 1 && n.depth <= 1024, "[edge] expected 1 to 1024 blocks, got ", n.depth);
  const auto width = options.value("image_width", std::int64_t{0});
  check_runtime(width == 0 || width == n.image_size,
                "[edge] expected a model of square images, got ", width, " x ", n.image_size);
  return n;
}

bool every_depth_of(const SafetensorsFile& file, const std::string& source) {
  const auto architecture =
      Json::parse(metadata_of(file, "dermis.architecture", source), source).get<std::string>();
  check_runtime(architecture == "vit" || architecture == "depth_vit", "[edge] ", source,
                ": expected architecture vit or depth_vit, got ", architecture);
  return architecture == "depth_vit";
}

Manifest manifest_of(const SafetensorsFile& file, bool every_depth, const Json& extra,
                     const std::string& source, const ExportOptions& options) {
  Manifest m;
  m.precision = options.precision;
  m.network =
      network_of(Json::parse(metadata_of(file, "dermis.options", source), source), every_depth);
  m.classes = extra.at("classes").get<std::vector<std::string>>();
  m.mean = extra.at("normalization").at("mean").get<std::vector<double>>();
  m.std = extra.at("normalization").at("std").get<std::vector<double>>();
  if (extra.contains("temperatures"))
    m.temperatures = extra.at("temperatures").get<std::vector<double>>();
  if (extra.contains("preprocessing"))
    options_from_json(m.preprocessing, extra.at("preprocessing"), source);
  return m;
}

/// What the caller decides; `of_all` values stand for one each.
void decide(Manifest& m, const ExportOptions& options) {
  const auto exits = static_cast<std::size_t>(m.network.exits());
  if (!options.temperatures.empty()) m.temperatures = options.temperatures;
  if (m.temperatures.empty()) m.temperatures = {1.0};
  if (m.temperatures.size() == 1) m.temperatures.resize(exits, m.temperatures[0]);
  m.exit_confidences = options.exit_confidences;
  if (m.exit_confidences.empty()) m.exit_confidences.resize(exits - 1, 2.0);
  m.abstain_below = options.abstain_below;
  m.thresholds = options.thresholds;
  try {
    validate(m, "options of the export");
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(error.what());
  }
}

}  // namespace

void export_model(const std::filesystem::path& checkpoint, const std::filesystem::path& target,
                  const ExportOptions& options) {
  const std::string source = checkpoint.string();
  const SafetensorsFile file(checkpoint);
  const bool every_depth = every_depth_of(file, source);
  const auto extra = Json::parse(metadata_of(file, "dermis.extra", source), source);
  Manifest manifest = manifest_of(file, every_depth, extra, source, options);
  manifest.provenance = options.provenance;
  manifest.provenance["dermis"] = version;
  manifest.provenance["checkpoint"] = checkpoint.filename().string();
  manifest.provenance["checkpoint_sha256"] = sha256(read_file(checkpoint));
  decide(manifest, options);
  Writer writer(options.precision);
  const Reader reader(file, source, every_depth ? "vit." : "");
  copy_network(manifest.network, reader, writer);
  copy_heads(manifest.network, reader, writer,
             every_depth && extra.value("heads", "own") == "last");
  write_file(target, manifest, writer.tensors);
}

}  // namespace dermis::edge
