#pragma once
/// \file
/// Sizes of the Flux transformer, and the published ones.

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "dermis/core/check.hpp"

namespace dermis {

/// Sizes of a Flux. The defaults are FLUX.1-dev's.
struct FluxOptions {
  std::int64_t in_channels = 64;    ///< of an image token: 4 latent channels each (2 x 2 packed)
  std::int64_t out_channels = 0;    ///< of the answer; 0: in_channels
  std::int64_t pooled_dim = 768;    ///< the pooled text feature (CLIP-L)
  std::int64_t text_dim = 4096;     ///< of a text token (T5-XXL)
  std::int64_t dim = 3072;          ///< width of a token
  std::int64_t heads = 24;          ///< dim / heads is the sum of axes
  double mlp_ratio = 4.0;           ///< hidden width of the perceptrons over dim
  std::int64_t double_blocks = 19;  ///< text and image with weights of their own
  std::int64_t single_blocks = 38;  ///< text and image with the same weights
  std::vector<std::int64_t> axes = {16, 56, 56};  ///< channels a head that each position axis turns
  double theta = 10000;
  bool qkv_bias = true;
  bool guidance = true;  ///< takes the guidance scale as an input (dev, distilled from guidance)

  std::int64_t head_dim() const { return dim / heads; }
  std::int64_t hidden() const {
    return static_cast<std::int64_t>(static_cast<double>(dim) * mlp_ratio);
  }
  std::int64_t out() const { return out_channels > 0 ? out_channels : in_channels; }
};

/// Names and values of all fields, for reading and writing options.
template <class Self, class Visitor>
requires std::same_as<std::remove_const_t<Self>, FluxOptions>
void visit_fields(Self& o, Visitor&& visit) {
  visit("in_channels", o.in_channels);
  visit("out_channels", o.out_channels);
  visit("pooled_dim", o.pooled_dim);
  visit("text_dim", o.text_dim);
  visit("dim", o.dim);
  visit("heads", o.heads);
  visit("mlp_ratio", o.mlp_ratio);
  visit("double_blocks", o.double_blocks);
  visit("single_blocks", o.single_blocks);
  visit("axes", o.axes);
  visit("theta", o.theta);
  visit("qkv_bias", o.qkv_bias);
  visit("guidance", o.guidance);
}

/// FLUX.1-dev: 11,901,408,320 parameters.
inline FluxOptions flux_dev() {
  return {};
}
/// FLUX.1-schnell: 11,891,178,560 parameters.
inline FluxOptions flux_schnell() {
  return {.guidance = false};
}
/// The same network for a CPU or a small GPU and small data.
inline FluxOptions flux_small() {
  return {.dim = 384, .heads = 6, .double_blocks = 4, .single_blocks = 8, .axes = {8, 28, 28}};
}
/// For tests and examples.
inline FluxOptions flux_tiny() {
  return {.in_channels = 16,
          .pooled_dim = 12,
          .text_dim = 20,
          .dim = 32,
          .heads = 2,
          .double_blocks = 1,
          .single_blocks = 1,
          .axes = {4, 6, 6}};
}

/// Patterns (see matches_path) of the layers that kohya's sd-scripts adapt: every Linear of the
/// blocks, those of the modulation included; 304 in FLUX.1.
inline std::vector<std::string> flux_adapter_layers() {
  return {"double_blocks.*.*.*", "single_blocks.*.linear1", "single_blocks.*.linear2",
          "single_blocks.*.modulation.lin"};
}

/// Throws std::invalid_argument unless a Flux can be built from `o`.
inline void validate(const FluxOptions& o) {
  check_argument(o.in_channels > 0 && o.out_channels >= 0 && o.pooled_dim > 0 && o.text_dim > 0,
                 "[flux] expected positive sizes, got in_channels ", o.in_channels,
                 ", out_channels ", o.out_channels, ", pooled_dim ", o.pooled_dim, ", text_dim ",
                 o.text_dim);
  check_argument(o.dim > 0 && o.heads > 0 && o.dim % o.heads == 0,
                 "[flux] expected dim divisible by heads, got dim ", o.dim, " and ", o.heads,
                 " heads");
  std::int64_t sum = 0;
  for (const auto width : o.axes) {
    check_argument(width > 0 && width % 2 == 0, "[flux] expected even positive axes, got ", width);
    sum += width;
  }
  check_argument(sum == o.head_dim(),
                 "[flux] expected axes that add up to dim / heads = ", o.head_dim(), ", got ", sum);
  check_argument(o.hidden() > 0, "[flux] expected mlp_ratio of at least 1 / dim, got ",
                 o.mlp_ratio);
  check_argument(o.double_blocks >= 0 && o.single_blocks >= 0,
                 "[flux] expected numbers of blocks of at least 0, got ", o.double_blocks, " and ",
                 o.single_blocks);
  check_argument(o.theta > 0, "[flux] expected a positive theta, got ", o.theta);
}

}  // namespace dermis
