#pragma once
/// \file
/// Sizes of the denoising UNet, and the published ones.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {

/// Sizes of a UNet. Each level after the first halves height and width.
struct UNetOptions {
  std::int64_t in_channels = 4;
  std::int64_t out_channels = 4;
  std::vector<std::int64_t> channels = {32, 64, 96};  ///< per level, finest first
  std::int64_t layers_per_block = 2;  ///< residual blocks a level (going up: one more)
  std::vector<std::int64_t> attention = {0, 1, 1};  ///< per level: 1 if its blocks attend
  bool mid_attention = true;
  std::int64_t head_dim = 32;  ///< channels a head; 0: a fixed number of heads instead
  std::int64_t heads =
      1;  ///< heads an attention, read only if head_dim is 0 (LDM, 1: as wide as the level)
  std::int64_t num_classes = 0;          ///< 0: unconditional; label num_classes is the null class
  std::int64_t cross_attention_dim = 0;  ///< width of the context that all pixels attend to (see
                                         ///< class_token); 0: pixels attend to each other only
  std::int64_t transformer_depth = 1;    ///< blocks a spatial transformer, with cross-attention
  std::int64_t norm_groups = 32;         ///< must divide every entry of channels
  double norm_eps = 1e-5;
  bool scale_shift = false;  ///< time scales and shifts (adaptive group norm)

  // What the published networks of other libraries need; most new ones do not.
  bool class_token = true;  ///< with cross-attention, the context is the class as one token; false:
                            ///< it is given to forward(), and the class is added to the time
  std::vector<std::int64_t> up_attention = {};  ///< attention on the way up; empty: as attention
  std::vector<std::int64_t> level_heads = {};   ///< heads per level instead of head_dim or heads
  std::vector<std::int64_t> level_depths = {};  ///< transformer_depth per level
  std::int64_t mid_norm_groups = -1;  ///< groups of the norm before the plain attention in the
                                      ///< middle; -1: norm_groups; 0: no norm
  bool linear_projection = false;     ///< into and out of spatial transformers by Linear
  std::vector<std::int64_t> resnet_down = {};  ///< per level: 1 if a residual block halves the
                                               ///< size, not a convolution; empty: none does
  std::vector<std::int64_t> resnet_up = {};    ///< the same for doubling it
  std::int64_t downsample_padding = 1;  ///< 1: zeros all around; 0: right and bottom, as in KLVAE
  bool flip_sin_to_cos = true;          ///< the sinusoid of time begins with the cosine
  double freq_shift = 0;                ///< see timestep_embedding

  /// Width of the time embedding.
  std::int64_t time_channels() const { return 4 * channels.front(); }
  /// Heads of an attention on a level.
  std::int64_t heads_at(std::size_t level) const {
    if (!level_heads.empty()) return level_heads[level];
    return head_dim > 0 ? channels[level] / head_dim : heads;
  }
  /// Blocks of a spatial transformer on a level.
  std::int64_t depth_at(std::size_t level) const {
    return level_depths.empty() ? transformer_depth : level_depths[level];
  }
  /// Whether the blocks of a level attend, on the way down or up.
  bool attends(std::size_t level, bool up) const {
    return (up && !up_attention.empty() ? up_attention : attention)[level] != 0;
  }
  /// Whether a residual block makes the step to the next level down or up.
  bool resamples_by_resnet(std::size_t level, bool up) const {
    const auto& flags = up ? resnet_up : resnet_down;
    return !flags.empty() && flags[level] != 0;
  }
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, UNetOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("in_channels", o.in_channels);
  visit("out_channels", o.out_channels);
  visit("channels", o.channels);
  visit("layers_per_block", o.layers_per_block);
  visit("attention", o.attention);
  visit("mid_attention", o.mid_attention);
  visit("head_dim", o.head_dim);
  visit("heads", o.heads);
  visit("num_classes", o.num_classes);
  visit("cross_attention_dim", o.cross_attention_dim);
  visit("transformer_depth", o.transformer_depth);
  visit("norm_groups", o.norm_groups);
  visit("norm_eps", o.norm_eps);
  visit("scale_shift", o.scale_shift);
  visit("class_token", o.class_token);
  visit("up_attention", o.up_attention);
  visit("level_heads", o.level_heads);
  visit("level_depths", o.level_depths);
  visit("mid_norm_groups", o.mid_norm_groups);
  visit("linear_projection", o.linear_projection);
  visit("resnet_down", o.resnet_down);
  visit("resnet_up", o.resnet_up);
  visit("downsample_padding", o.downsample_padding);
  visit("flip_sin_to_cos", o.flip_sin_to_cos);
  visit("freq_shift", o.freq_shift);
}

/// LDM's cin256-v2, class-conditional ImageNet at 256 px on 64 x 64 x 3 latents: 400,920,579
/// parameters and a class table of 1001 x 512.
inline UNetOptions ldm_cin256() {
  return {.in_channels = 3,
          .out_channels = 3,
          .channels = {192, 384, 576, 960},
          .attention = {0, 1, 1, 1},
          .head_dim = 0,
          .num_classes = 1000,
          .cross_attention_dim = 512};
}

/// Throws std::invalid_argument unless a UNet can be built from `o`.
inline void validate(const UNetOptions& o) {
  check_argument(!o.channels.empty(), "[unet] expected channels of at least one level, got none");
  check_argument(o.attention.size() == o.channels.size(),
                 "[unet] expected one attention flag a level, got ", o.attention.size(),
                 " flags for ", o.channels.size(), " levels");
  check_argument(o.in_channels > 0 && o.out_channels > 0 && o.layers_per_block > 0 &&
                     o.norm_groups > 0 && o.transformer_depth > 0 && o.heads > 0,
                 "[unet] expected positive sizes, got in_channels ", o.in_channels,
                 ", out_channels ", o.out_channels, ", layers_per_block ", o.layers_per_block,
                 ", norm_groups ", o.norm_groups, ", transformer_depth ", o.transformer_depth,
                 ", heads ", o.heads);
  check_argument(
      o.num_classes >= 0 && o.cross_attention_dim >= 0 && o.head_dim >= 0,
      "[unet] expected num_classes, cross_attention_dim and head_dim of at least 0, got ",
      o.num_classes, ", ", o.cross_attention_dim, " and ", o.head_dim);
  const auto check_levels = [&](const char* key, const std::vector<std::int64_t>& values,
                                std::int64_t least) {
    check_argument(values.empty() || values.size() == o.channels.size(), "[unet] expected ", key,
                   " for every level or none, got ", values.size(), " for ", o.channels.size(),
                   " levels");
    for (const auto value : values)
      check_argument(value >= least, "[unet] expected ", key, " of at least ", least, ", got ",
                     value);
  };
  check_levels("up_attention", o.up_attention, 0);
  check_levels("level_heads", o.level_heads, 1);
  check_levels("level_depths", o.level_depths, 1);
  check_levels("resnet_down", o.resnet_down, 0);
  check_levels("resnet_up", o.resnet_up, 0);
  check_argument(o.downsample_padding == 0 || o.downsample_padding == 1,
                 "[unet] expected downsample_padding 0 or 1, got ", o.downsample_padding);
  check_argument(o.freq_shift >= 0 && o.freq_shift < static_cast<double>(o.channels.front() / 2),
                 "[unet] expected freq_shift of at least 0 and below ", o.channels.front() / 2,
                 ", got ", o.freq_shift);
  check_argument(o.mid_norm_groups < 1 || o.channels.back() % o.mid_norm_groups == 0,
                 "[unet] expected channels divisible by mid_norm_groups ", o.mid_norm_groups,
                 ", got ", o.channels.back());
  check_argument(o.cross_attention_dim == 0 || !o.class_token || o.num_classes > 0,
                 "[unet] expected num_classes above 0 with cross_attention_dim ",
                 o.cross_attention_dim, ": the context is the class token");
  for (std::size_t i = 0; i < o.channels.size(); ++i) {
    check_argument(o.channels[i] > 0 && o.channels[i] % o.norm_groups == 0,
                   "[unet] expected channels divisible by norm_groups ", o.norm_groups, ", got ",
                   o.channels[i]);
    const bool attends = o.attends(i, false) || o.attends(i, true) ||
                         (o.mid_attention && i + 1 == o.channels.size());
    const bool by_width = o.level_heads.empty() && o.head_dim > 0;
    const auto parts = by_width ? o.head_dim : o.heads_at(i);
    check_argument(!attends || o.channels[i] % parts == 0, "[unet] expected channels divisible by ",
                   by_width ? "head_dim " : "heads ", parts, ", got ", o.channels[i]);
  }
}

}  // namespace dermis
