#pragma once
/// \file
/// What transformers' ViT and ViTMAE have in common: a block's names, and config.json.

#include "dermis/models/vit.hpp"
#include "dermis/weights/key_map.hpp"

namespace dermis::detail {

/// Query, key and value on their way between three layers and a fused one.
inline const std::vector<std::string> kQueryKeyValue = {"attn.q", "attn.k", "attn.v"};

/// Appends the rules of a block under its published names. Each path holds one `*` for its number.
void add_published_block(KeyMap& map, const std::string& theirs, const std::string& ours);
/// The same under the names that transformers 5 has in memory.
void add_memory_block(KeyMap& map, const std::string& theirs, const std::string& ours);
/// Appends the rules of the embedding, the blocks and the final norm behind `prefix`.
void add_published_encoder(KeyMap& map, const std::string& prefix);

/// The keys that ViTConfig and ViTMAEConfig share.
ViTOptions encoder_from_config(const Json& config);
Json encoder_to_config(const ViTOptions& options);

/// int(dim * result) == hidden, whatever the rounding.
double mlp_ratio_of(std::int64_t hidden, std::int64_t dim);
std::int64_t hidden_of(double mlp_ratio, std::int64_t dim);

}  // namespace dermis::detail
