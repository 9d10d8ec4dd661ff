#pragma once
/// \file
/// Sizes of the KL autoencoder, and the published ones.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {

/// Sizes of a KLVAE. Each level after the first halves height and width.
struct KLVAEOptions {
  std::int64_t in_channels = 3;                               ///< colours of the image, in and out
  std::int64_t latent_channels = 4;                           ///< depth of the latent grid
  std::vector<std::int64_t> channels = {128, 256, 512, 512};  ///< per level, finest first
  std::int64_t layers_per_block = 2;  ///< residual blocks a level (decoder: one more)
  std::int64_t norm_groups = 32;      ///< must divide every entry of channels
  bool mid_attention = true;          ///< self-attention on the coarsest grid
  bool use_quant_conv = true;         ///< 1x1 convolution behind the encoder (not in Flux)
  bool use_post_quant_conv = true;    ///< 1x1 convolution before the decoder (not in Flux)
  double scaling_factor = 1.0;        ///< diffusion sees (z - shift_factor) * scaling_factor
  double shift_factor = 0.0;
  std::vector<std::int64_t> attention = {};  ///< per level: 1 if its blocks attend; empty: none do
  std::int64_t inner_channels = 0;  ///< depth between the quant convolutions and encoder or decoder
                                    ///< (LDM's z_channels); 0: latent_channels
  std::int64_t stem_channels = 0;   ///< behind the encoder's first convolution; 0: channels[0]

  /// Pixels an edge of one latent pixel.
  std::int64_t factor() const { return std::int64_t{1} << (channels.size() - 1); }
  /// Whether the blocks of a level attend.
  bool attends(std::size_t level) const { return !attention.empty() && attention[level] != 0; }
  /// Channels behind the encoder's first convolution.
  std::int64_t stem() const { return stem_channels > 0 ? stem_channels : channels.front(); }
  /// Latent channels as encoder and decoder see them.
  std::int64_t inner() const { return inner_channels > 0 ? inner_channels : latent_channels; }
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, KLVAEOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("in_channels", o.in_channels);
  visit("latent_channels", o.latent_channels);
  visit("channels", o.channels);
  visit("layers_per_block", o.layers_per_block);
  visit("norm_groups", o.norm_groups);
  visit("mid_attention", o.mid_attention);
  visit("use_quant_conv", o.use_quant_conv);
  visit("use_post_quant_conv", o.use_post_quant_conv);
  visit("scaling_factor", o.scaling_factor);
  visit("shift_factor", o.shift_factor);
  visit("attention", o.attention);
  visit("inner_channels", o.inner_channels);
  visit("stem_channels", o.stem_channels);
}

/// The published KL-f8: 256 x 256 x 3 -> 32 x 32 x 4; 83,653,863 parameters.
inline KLVAEOptions kl_f8() {
  return {};
}
/// The published KL-f4: 256 x 256 x 3 -> 64 x 64 x 3; 55,312,063 parameters.
inline KLVAEOptions kl_f4() {
  return {.latent_channels = 3, .channels = {128, 256, 512}};
}

/// Flux's: 256 x 256 x 3 -> 32 x 32 x 16; 83,819,683 parameters.
inline KLVAEOptions flux_autoencoder() {
  return {.latent_channels = 16,
          .use_quant_conv = false,
          .use_post_quant_conv = false,
          .scaling_factor = 0.3611,
          .shift_factor = 0.1159};
}

/// Throws std::invalid_argument unless a KLVAE can be built from `o`.
inline void validate(const KLVAEOptions& o) {
  check_argument(!o.channels.empty(), "[kl_vae] expected channels of at least one level, got none");
  check_argument(
      o.in_channels > 0 && o.latent_channels > 0 && o.layers_per_block > 0 && o.norm_groups > 0,
      "[kl_vae] expected positive sizes, got in_channels ", o.in_channels, ", latent_channels ",
      o.latent_channels, ", layers_per_block ", o.layers_per_block, ", norm_groups ",
      o.norm_groups);
  for (const auto c : o.channels)
    check_argument(c > 0 && c % o.norm_groups == 0,
                   "[kl_vae] expected channels divisible by norm_groups ", o.norm_groups, ", got ",
                   c);
  check_argument(
      o.stem_channels == 0 || (o.stem_channels > 0 && o.stem_channels % o.norm_groups == 0),
      "[kl_vae] expected stem_channels divisible by norm_groups ", o.norm_groups, ", got ",
      o.stem_channels);
  check_argument(o.attention.empty() || o.attention.size() == o.channels.size(),
                 "[kl_vae] expected no attention flags or one a level, got ", o.attention.size(),
                 " flags for ", o.channels.size(), " levels");
  check_argument(
      o.inner_channels == 0 || o.inner_channels == o.latent_channels ||
          (o.inner_channels > 0 && o.use_quant_conv && o.use_post_quant_conv),
      "[kl_vae] expected inner_channels 0 or equal to latent_channels without quant convolutions, "
      "got ",
      o.inner_channels);
  check_argument(o.scaling_factor > 0, "[kl_vae] expected a positive scaling_factor, got ",
                 o.scaling_factor);
}

}  // namespace dermis
