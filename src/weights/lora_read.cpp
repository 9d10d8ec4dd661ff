#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "dermis/core/check.hpp"
#include "dermis/weights/key_map.hpp"
#include "dermis/weights/lora.hpp"

namespace dermis {
namespace {

struct Parts {
  at::Tensor A, B, alpha;
};
using ByLayer = std::map<std::string, Parts>;

/// `name` without `ending`, if it ends so.
std::optional<std::string> before(const std::string& name, const std::string& ending) {
  if (name.size() <= ending.size() ||
      name.compare(name.size() - ending.size(), ending.size(), ending) != 0)
    return {};
  return name.substr(0, name.size() - ending.size());
}

/// XLabs names an adapter by where its processor hangs: double_blocks.0.processor.qkv_lora1.
std::string xlabs_layer(const std::string& name) {
  static const KeyMap map = {
      {"double_blocks.*.processor.qkv_lora1", "double_blocks.*.img_attn.qkv"},
      {"double_blocks.*.processor.qkv_lora2", "double_blocks.*.txt_attn.qkv"},
      {"double_blocks.*.processor.proj_lora1", "double_blocks.*.img_attn.proj"},
      {"double_blocks.*.processor.proj_lora2", "double_blocks.*.txt_attn.proj"},
      {"single_blocks.*.processor.qkv_lora", "single_blocks.*.linear1"},
      {"single_blocks.*.processor.proj_lora", "single_blocks.*.linear2"}};
  return rename_keys({{name, at::Tensor()}}, map, "XLabs' adapters", "adapter").front().first;
}

/// Puts a tensor where its name says; false: it is no part of an adapter.
bool sorted_in(ByLayer& layers, const std::string& name, const at::Tensor& tensor,
               const std::string& source) {
  static const std::pair<const char*, at::Tensor Parts::*> kEndings[] = {
      {".lora_A.weight", &Parts::A},    {".lora_B.weight", &Parts::B},
      {".lora_down.weight", &Parts::A}, {".lora_up.weight", &Parts::B},
      {".lora.down.weight", &Parts::A}, {".lora.up.weight", &Parts::B},
      {".lora_A", &Parts::A},           {".lora_B", &Parts::B},
      {".alpha", &Parts::alpha}};
  for (const auto& [ending, part] : kEndings)
    if (const auto layer = before(name, ending)) {
      layers[*layer].*part = tensor;
      return true;
    }
  if (name.find(".processor.") != std::string::npos)
    for (const auto& [ending, part] :
         {std::pair{".down.weight", &Parts::A}, std::pair{".up.weight", &Parts::B}})
      if (const auto layer = before(name, ending)) {
        layers[xlabs_layer(*layer)].*part = tensor;
        return true;
      }
  for (const auto* sign : {"dora_scale", "lora_magnitude_vector", ".lora_B.bias", "lora_mid",
                           "hada_w", "lokr_w", ".diff", "lora_embedding"})
    check_runtime(name.find(sign) == std::string::npos, "[lora] ", source,
                  ": expected adapters of the form B A, got '", name, "', which is another kind");
  return false;
}

/// How PEFT scales: r, lora_alpha, use_rslora and their exceptions by layer.
class PeftScale {
 public:
  /// \param prefix  of the keys: "transformer." in the metadata of diffusers
  PeftScale(const Json& config, const std::string& prefix) : config_(config), prefix_(prefix) {
    check_runtime(!flag("use_dora") && !flag("lora_bias") && !flag("fan_in_fan_out"),
                  "[lora] adapter_config.json: expected no use_dora, lora_bias or fan_in_fan_out");
  }
  double operator()(const std::string& layer, std::int64_t rank) const {
    const double alpha =
        exception("alpha_pattern", layer)
            .value_or(config_.value(prefix_ + "lora_alpha", static_cast<double>(rank)));
    const auto r = static_cast<double>(rank);
    return alpha / (flag("use_rslora") ? std::sqrt(r) : r);
  }

 private:
  bool flag(const char* key) const { return config_.value(prefix_ + key, false); }
  /// The value of the pattern that is the end of the layer's name.
  std::optional<double> exception(const char* key, const std::string& layer) const {
    if (!config_.contains(prefix_ + key)) return {};
    for (const auto& [pattern, value] : config_.at(prefix_ + key).items()) {
      const auto end = pattern.empty() || pattern.front() != '^' ? pattern : pattern.substr(1);
      if (layer == end || before(layer, "." + end)) return value.get<double>();
    }
    return {};
  }

  Json config_;
  std::string prefix_;
};

/// Where the scale of layers without an alpha of their own stands.
std::optional<PeftScale> scale_of(const std::filesystem::path& path, const TensorFile& file) {
  const auto metadata = file.metadata.find("lora_adapter_metadata");
  if (metadata != file.metadata.end()) {
    const auto config = Json::parse(metadata->second, path.string() + " (lora_adapter_metadata)");
    for (const std::string prefix : {"transformer.", "unet.", ""})
      if (config.contains(prefix + "lora_alpha")) return PeftScale(config, prefix);
  }
  const auto beside = path.parent_path() / "adapter_config.json";
  if (path.filename().string().rfind("adapter_model", 0) == 0 && std::filesystem::exists(beside))
    return PeftScale(Json::read(beside), "");
  return {};
}

LoraLayer layer_of(const std::string& name, const Parts& parts,
                   const std::optional<PeftScale>& scale, const std::string& source) {
  check_runtime(parts.A.defined() && parts.B.defined(), "[lora] ", source,
                ": expected both factors of '", name, "', got only ",
                parts.A.defined()   ? "the first"
                : parts.B.defined() ? "the second"
                                    : "an alpha");
  const auto matrix = [&](const at::Tensor& x) {
    const bool flat = x.dim() == 4 && x.size(2) == 1 && x.size(3) == 1;  // a 1 x 1 convolution
    check_runtime((x.dim() == 2 || flat) && x.is_floating_point(), "[lora] ", source,
                  ": expected matrices for '", name, "', got ", x.sizes());
    return flat ? x.flatten(1) : x;
  };
  LoraLayer layer{name, matrix(parts.A), matrix(parts.B), 1};
  const auto rank = layer.A.size(0);
  check_runtime(rank > 0 && layer.B.size(1) == rank, "[lora] ", source,
                ": expected factors of one rank for '", name, "', got ", rank, " and ",
                layer.B.size(1));
  if (parts.alpha.defined()) {
    check_runtime(parts.alpha.numel() == 1, "[lora] ", source, ": expected one alpha for '", name,
                  "', got ", parts.alpha.sizes());
    const double alpha = parts.alpha.to(at::kDouble).item<double>();
    check_runtime(std::isfinite(alpha) && alpha >= 0, "[lora] ", source,
                  ": expected an alpha of at least 0 for '", name, "', got ", alpha);
    layer.scale = alpha == 0 ? 1.0 : alpha / static_cast<double>(rank);
  } else if (scale) {
    layer.scale = (*scale)(name, rank);
  }
  return layer;
}

}  // namespace

LoraAdapter read_lora(const std::filesystem::path& given) {
  const auto path =
      std::filesystem::is_directory(given) ? given / "adapter_model.safetensors" : given;
  const auto file = read_tensors(path);
  const auto source = path.string();
  const auto scale = scale_of(path, file);
  ByLayer layers;
  LoraAdapter adapter;
  for (const auto& [name, tensor] : file.tensors)
    if (!sorted_in(layers, name, tensor, source)) adapter.full.emplace_back(name, tensor);
  const auto looks = layout_of(adapter.full);
  check_runtime(!layers.empty(), "[lora] ", source, ": expected a LoRA adapter, found no factors",
                looks.empty() ? "" : "; this looks like " + looks);
  for (const auto& [name, parts] : layers)
    adapter.layers.push_back(layer_of(name, parts, scale, source));
  return adapter;
}

}  // namespace dermis
