#pragma once
/// \file
/// The sizes of a KL autoencoder as its tensors have them, for files that come without a config.

#include <map>
#include <string>

#include "dermis/core/check.hpp"
#include "dermis/io/tensors.hpp"
#include "dermis/models/kl_vae_options.hpp"

namespace dermis::detail {

/// Where a library has the encoder's parts.
struct VAENames {
  std::string level;          ///< before the level's number
  std::string block;          ///< between it and the block's
  std::string attention;      ///< a tensor of a level's attention, behind its number
  std::string mid_attention;  ///< a tensor of the middle's
};

/// Options without latent scale; std::runtime_error naming `source` and the tensor at fault.
inline KLVAEOptions vae_sizes(const StateDict& tensors, const VAENames& names,
                              const std::string& source) {
  const std::map<std::string, at::Tensor> by_name(tensors.begin(), tensors.end());
  const auto has = [&](const std::string& name) { return by_name.count(name) > 0; };
  const auto shape = [&](const std::string& name) {
    const auto found = by_name.find(name);
    check_runtime(found != by_name.end() && found->second.dim() == 4, "[weights] ", source,
                  ": expected an autoencoder with '", name, "' of 4 dimensions");
    return found->second.sizes();
  };
  const auto first_conv = [&](std::size_t level, std::int64_t block) {
    return text(names.level, level, names.block, block, ".conv1.weight");
  };
  KLVAEOptions o;
  o.in_channels = shape("encoder.conv_in.weight")[1];
  o.use_quant_conv = has("quant_conv.weight");
  o.use_post_quant_conv = has("post_quant_conv.weight");
  const auto inner = shape("encoder.conv_out.weight")[0] / 2;
  o.latent_channels = o.use_quant_conv ? shape("quant_conv.weight")[0] / 2 : inner;
  if (inner != o.latent_channels) o.inner_channels = inner;
  o.mid_attention = has(names.mid_attention);
  o.layers_per_block = 0;
  while (has(first_conv(0, o.layers_per_block))) ++o.layers_per_block;
  o.channels.clear();
  while (o.channels.empty() || has(first_conv(o.channels.size(), 0))) {
    const auto level = o.channels.size();
    o.channels.push_back(shape(first_conv(level, 0))[0]);
    o.attention.push_back(has(text(names.level, level, names.attention)));
    check_runtime(o.channels.back() % o.norm_groups == 0, "[weights] ", source, ": expected '",
                  first_conv(level, 0), "' of channels divisible by ", o.norm_groups, ", got ",
                  o.channels.back());
  }
  if (o.attention == std::vector<std::int64_t>(o.channels.size(), 0)) o.attention.clear();
  const auto stem = shape("encoder.conv_in.weight")[0];
  if (stem != o.channels.front()) o.stem_channels = stem;
  check_runtime(stem % o.norm_groups == 0, "[weights] ", source,
                ": expected 'encoder.conv_in.weight' of channels divisible by ", o.norm_groups,
                ", got ", stem);
  return o;
}

}  // namespace dermis::detail
