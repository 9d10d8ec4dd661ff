#pragma once
/// \file
/// Low-rank adapters in files: those of PEFT and diffusers, kohya's sd-scripts and XLabs, onto any
/// of our models, and back.

#include <filesystem>
#include <string>
#include <vector>

#include "dermis/layers/adapters.hpp"
#include "dermis/weights/row_map.hpp"

namespace dermis {

/// The adapter of one layer: W + scale B A.
struct LoraLayer {
  std::string layer;  ///< its name in the file's dialect, or ours
  at::Tensor A, B;    ///< [r, in], [out, r]
  double scale = 1;   ///< alpha / r, or alpha / sqrt(r) (rsLoRA)
};

/// An adapter, as a file has it or as a model of ours has it.
struct LoraAdapter {
  std::vector<LoraLayer> layers;
  StateDict full = {};  ///< tensors trained in full (PEFT's modules_to_save)
};

/// Reads an adapter: a safetensors file, or a folder of PEFT (adapter_model.safetensors and
/// adapter_config.json, which is also looked for beside a file). The dialect follows from the
/// names. Where alpha stands in no place it is the rank, as in diffusers; an alpha of 0 is the
/// rank too, as in sd-scripts.
/// \throws std::runtime_error naming the file: damaged, no adapter, A without B, ranks that differ,
///         or a kind of adapter that is more than B A (DoRA, biases, convolutions of LoCon)
LoraAdapter read_lora(const std::filesystem::path& path);

/// What became of an adapter's layers.
struct LoraReport {
  std::vector<std::string> applied;    ///< the names in the file
  std::vector<std::string> unmatched;  ///< those that the model has no layer for (a text encoder's)
  std::string text() const;            ///< "applied 13 of 13 layers"
};

/// The adapter under the names of our layers of `module`, which may be on the meta device. The
/// names of `adapter` are those of our layers, of `map` (see diffusers_flux_layers,
/// transformers_vit_layers), or either with underscores for dots (kohya), behind
/// "base_model.model.", "transformer.", "unet.", "diffusion_model." or "lora_unet_". Parts of one
/// of our layers (to_q, to_k and to_v of qkv) become one adapter whose rank is the sum of theirs.
/// \param source  usually the file, for the error
/// \throws std::runtime_error if no name matches, shapes do not fit, or a layer has an adapter
///         already
LoraAdapter lora_for(torch::nn::Module& module, const LoraAdapter& adapter,
                     const std::string& source, const RowMap& map = {},
                     LoraReport* report = nullptr);

/// Opens the low-rank slots of the layers that `adapter` names, as lora_for, and fills them; its
/// full tensors replace those of the model. Nothing changes if that throws.
LoraReport apply_lora(torch::nn::Module& module, const LoraAdapter& adapter,
                      const std::string& source, const RowMap& map = {});

/// The adapters of `module`, by the names of its layers; strength is part of their scale.
LoraAdapter collect_lora(torch::nn::Module& module);
/// The same under the names of `map`'s other library: an adapter of qkv is one of each part. Ranks
/// that a part does not use are left out.
LoraAdapter lora_to(const LoraAdapter& adapter, const RowMap& map);

/// Writes a file of kohya: lora_unet_<layer>.{lora_down.weight, lora_up.weight, alpha}.
void write_lora_kohya(const std::filesystem::path& path, const LoraAdapter& adapter);
/// Writes a folder of PEFT: adapter_model.safetensors and adapter_config.json.
void write_lora_peft(const std::filesystem::path& folder, const LoraAdapter& adapter);
/// Writes a file that diffusers' load_lora_weights reads: `prefix`<layer>.{lora_A, lora_B}.weight.
/// Older versions know no alpha, so B is multiplied by the scale where that is not 1.
void write_lora_diffusers(const std::filesystem::path& path, const LoraAdapter& adapter,
                          const std::string& prefix = "transformer.");

}  // namespace dermis
