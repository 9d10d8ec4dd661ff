#pragma once
/// \file
/// What the dialects of adapters put around a layer's name.

#include <algorithm>
#include <string>

namespace dermis::detail {

/// "transformer.blocks.0.attn.qkv" -> "blocks.0.attn.qkv".
inline std::string without_lora_prefix(const std::string& name) {
  for (const std::string prefix : {"base_model.model.", "transformer.", "unet.", "diffusion_model.",
                                   "lora_unet_", "lora_transformer_"})
    if (name.compare(0, prefix.size(), prefix) == 0) return name.substr(prefix.size());
  return name;
}

/// "blocks.0.attn.qkv" -> "blocks_0_attn_qkv", as kohya writes layers.
inline std::string flattened(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

}  // namespace dermis::detail
