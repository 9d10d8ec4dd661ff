#pragma once
/// \file
/// Sizes of the denoising UNet, and the published ones.

#include <concepts>
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
  std::int64_t cross_attention_dim = 0;  ///< 0: the class is added to the time embedding; else the
                                         ///< width of a class token that all pixels attend to
  std::int64_t transformer_depth = 1;    ///< blocks a spatial transformer, with cross-attention
  std::int64_t norm_groups = 32;         ///< must divide every entry of channels
  double norm_eps = 1e-5;
  bool scale_shift = false;  ///< time scales and shifts (adaptive group norm)

  /// Width of the time embedding.
  std::int64_t time_channels() const { return 4 * channels.front(); }
  /// Heads of an attention over so many channels.
  std::int64_t heads_of(std::int64_t width) const {
    return head_dim > 0 ? width / head_dim : heads;
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
  check_argument(o.cross_attention_dim == 0 || o.num_classes > 0,
                 "[unet] expected num_classes above 0 with cross_attention_dim ",
                 o.cross_attention_dim, ": the context is the class token");
  for (std::size_t i = 0; i < o.channels.size(); ++i) {
    check_argument(o.channels[i] > 0 && o.channels[i] % o.norm_groups == 0,
                   "[unet] expected channels divisible by norm_groups ", o.norm_groups, ", got ",
                   o.channels[i]);
    const bool attends = o.attention[i] != 0 || (o.mid_attention && i + 1 == o.channels.size());
    const auto parts = o.head_dim > 0 ? o.head_dim : o.heads;
    check_argument(!attends || o.channels[i] % parts == 0, "[unet] expected channels divisible by ",
                   o.head_dim > 0 ? "head_dim " : "heads ", parts, ", got ", o.channels[i]);
  }
}

}  // namespace dermis
