#pragma once
/// \file
/// Latents as Flux's tokens and back: 2 x 2 latent pixels are one token, with a position.

#include "dermis/layers/parameter.hpp"

namespace dermis {

/// Pixels an edge of one token of an autoencoder with factor 8.
inline constexpr std::int64_t kFluxTokenPixels = 16;

/// latents [B, C, h, w] with even h and w -> tokens [B, h w / 4, 4 C], row by row, the channels in
/// the order (c, row, column).
inline at::Tensor pack_latents(const at::Tensor& latents) {
  check_argument(latents.dim() == 4 && latents.size(2) % 2 == 0 && latents.size(3) % 2 == 0,
                 "[flux] expected latents of shape [B, C, h, w] with even h and w, that is images "
                 "with sides divisible by ",
                 kFluxTokenPixels, ", got ", shape_text(latents));
  return latents.unflatten(3, {-1, 2})
      .unflatten(2, {-1, 2})        // [B, C, h/2, 2, w/2, 2]
      .permute({0, 2, 4, 1, 3, 5})  // [B, h/2, w/2, C, 2, 2]
      .flatten(3)                   // [B, h/2, w/2, 4 C]
      .flatten(1, 2);               // [B, h w / 4, 4 C]
}

/// The inverse for latents of `height` x `width` (latent pixels): [B, N, 4 C] -> [B, C, h, w].
inline at::Tensor unpack_latents(const at::Tensor& tokens, std::int64_t height,
                                 std::int64_t width) {
  check_argument(tokens.dim() == 3 && height % 2 == 0 && width % 2 == 0 &&
                     tokens.size(1) == (height / 2) * (width / 2) && tokens.size(2) % 4 == 0,
                 "[flux] expected tokens of shape [B, ", height, " * ", width, " / 4, 4 C], got ",
                 shape_text(tokens));
  return tokens.unflatten(2, {-1, 2, 2})
      .unflatten(1, {height / 2, width / 2})  // [B, h/2, w/2, C, 2, 2]
      .permute({0, 3, 1, 4, 2, 5})            // [B, C, h/2, 2, w/2, 2]
      .flatten(4)
      .flatten(2, 3);  // [B, C, h, w]
}

/// Positions (0, row, column) of the tokens of latents [h, w]: fp32 [h w / 4, 3].
inline at::Tensor flux_image_ids(std::int64_t height, std::int64_t width,
                                 at::Device device = at::kCPU) {
  const auto fp32 = at::TensorOptions().dtype(at::kFloat).device(device);
  const auto rows = at::arange(height / 2, fp32).unsqueeze(1).expand({-1, width / 2});
  const auto columns = at::arange(width / 2, fp32).unsqueeze(0).expand({height / 2, -1});
  return at::stack({at::zeros_like(rows), rows, columns}, -1).flatten(0, 1);  // [N, 3]
}

/// Height or width of the latents of an image side of so many pixels.
inline std::int64_t flux_latent_side(std::int64_t pixels) {
  check_argument(pixels > 0 && pixels % kFluxTokenPixels == 0,
                 "[flux] expected an image side divisible by ", kFluxTokenPixels, ", got ", pixels);
  return 2 * (pixels / kFluxTokenPixels);
}

}  // namespace dermis
