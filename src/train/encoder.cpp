#include "dermis/train/encoder.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "dermis/io/tensors.hpp"
#include "dermis/train/classifier.hpp"
#include "dermis/train/masked.hpp"
#include "dermis/weights/mae_original.hpp"
#include "dermis/weights/timm.hpp"
#include "dermis/weights/transformers_mae.hpp"
#include "dermis/weights/transformers_vit.hpp"

namespace dermis {
namespace {

const Normalization kImageNet{{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};

/// The pixels that a published model is used to: transformers' preprocessor_config.json or timm's
/// pretrained_cfg, else `fallback`.
Normalization normalization_of(const std::filesystem::path& folder, const Json& config,
                               Normalization fallback) {
  const auto take = [&](const Json& from, const char* mean, const char* std) {
    if (from.contains(mean)) fallback.mean = from.at(mean).get<std::vector<double>>();
    if (from.contains(std)) fallback.std = from.at(std).get<std::vector<double>>();
  };
  const auto preprocessor = folder / "preprocessor_config.json";
  if (std::filesystem::exists(preprocessor))
    take(Json::read(preprocessor), "image_mean", "image_std");
  if (config.contains("pretrained_cfg")) take(config.at("pretrained_cfg"), "mean", "std");
  return fallback;
}

Encoder with_weights(const ViTOptions& options, const StateDict& weights,
                     const Normalization& normalization, const std::string& source) {
  ViT model(options, ParameterOptions{.init = false});
  load_state_dict(*model, weights, source);
  return {model.ptr(), options, normalization};
}

/// A folder of transformers (ViT, ViTMAE) or timm: config.json and the tensors.
Encoder from_folder(const std::filesystem::path& folder) {
  const auto config_file = folder / "config.json";
  const auto config = Json::read(config_file);
  const auto weights = read_tensors(folder).tensors;
  const auto source = folder.string();
  const auto type = config.value("model_type", std::string());
  if (type == "vit_mae") {
    const auto options = mae_options_from_transformers(config);
    MAE model(options, ParameterOptions{.init = false});
    load_state_dict(*model, mae_from_transformers(weights, source), source);
    return {model.ptr(), options.encoder, normalization_of(folder, config, kImageNet)};
  }
  if (type == "vit")
    return with_weights(vit_options_from_transformers(config),
                        vit_from_transformers(weights, source),
                        normalization_of(folder, config, {}), source);
  check_runtime(config.contains("architecture") || config.contains("model_args"), "[encoder] ",
                config_file.string(),
                ": expected model_type vit or vit_mae, or timm's architecture, got model_type '",
                type, "'");
  return with_weights(vit_options_from_timm(config), vit_from_timm(weights, source),
                      normalization_of(folder, config, {}), source);
}

/// A bare file of facebookresearch/mae or timm. Its sizes are those of its tensors; how many heads
/// there are they do not tell, but all published sizes have 64 channels a head, ViT-H 80.
Encoder from_tensors(const StateDict& tensors, const std::string& source) {
  StateDict encoder;
  for (const auto& entry : tensors)
    if (entry.first.rfind("decoder", 0) != 0 && entry.first != "mask_token")
      encoder.push_back(entry);
  const std::map<std::string, at::Tensor> by_name(encoder.begin(), encoder.end());
  const auto tensor = [&](const std::string& name, std::int64_t dimensions) {
    const auto found = by_name.find(name);
    check_runtime(found != by_name.end() && found->second.dim() == dimensions, "[encoder] ", source,
                  ": expected the tensors of a ViT with '", name, "' of ", dimensions,
                  " dimensions");
    return found->second;
  };
  ViTOptions options;
  const auto patches = tensor("patch_embed.proj.weight", 4);
  options.dim = patches.size(0);
  options.in_channels = patches.size(1);
  options.patch_size = patches.size(2);
  options.heads = options.dim / (options.dim == 1280 ? 80 : 64);
  options.depth = 0;
  while (by_name.count(text("blocks.", options.depth, ".norm1.weight"))) ++options.depth;
  options.mlp_ratio = static_cast<double>(tensor("blocks.0.mlp.fc1.weight", 2).size(0)) /
                      static_cast<double>(options.dim);
  options.qkv_bias = by_name.count("blocks.0.attn.qkv.bias") > 0;
  options.mean_pooling = by_name.count("fc_norm.weight") > 0;
  const auto grid = std::lround(std::sqrt(static_cast<double>(tensor("pos_embed", 3).size(1) - 1)));
  options.image_size = grid * options.patch_size;
  if (by_name.count("head.weight")) options.num_classes = tensor("head.weight", 2).size(0);
  check_runtime(options.heads > 0 && options.dim % options.heads == 0, "[encoder] ", source,
                ": expected a width of 64 channels a head (ViT-H: 80), got ", options.dim,
                "; give a folder with config.json instead");
  return with_weights(options, vit_from_mae_original(encoder, source), kImageNet, source);
}

}  // namespace

Encoder load_encoder(const std::filesystem::path& path, at::Device device) {
  const bool folder = std::filesystem::is_directory(path);
  // Only the header is read for this question.
  if (folder || open_safetensors(path).front().metadata().count("dermis.architecture") == 0) {
    auto encoder =
        folder ? from_folder(path) : from_tensors(read_tensors(path).tensors, path.string());
    encoder.module->to(device);
    return encoder;
  }
  const auto architecture = read_model_file(path, "").architecture;
  if (architecture == "mae") return load_mae(path, device).encoder();
  if (architecture == "vit") return load_classifier(path, device).encoder();
  check_runtime(false, "[encoder] ", path.string(), ": expected architecture mae or vit, got ",
                architecture);
  return {};
}

}  // namespace dermis
