#pragma once
/// \file
/// Images to patch tokens, and the patch layout that masked autoencoders predict.

#include "dermis/layers/conv.hpp"

namespace dermis {

/// Images [B, C, H, W] -> pixels of each patch [B, N, C p p], channel first, patches row by row.
inline at::Tensor image_patches(const at::Tensor& images, std::int64_t patch) {
  const auto b = images.size(0), c = images.size(1), h = images.size(2) / patch,
             w = images.size(3) / patch;
  return images.reshape({b, c, h, patch, w, patch})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({b, h * w, c * patch * patch});
}

/// Images [B, C, H, W] -> [B, N, p p C], channel last within a patch: MAE's prediction target
/// (models_mae.py, patchify).
inline at::Tensor patchify(const at::Tensor& images, std::int64_t patch) {
  check_argument(images.dim() == 4 && images.size(2) % patch == 0 && images.size(3) % patch == 0,
                 "[patchify] expected images [B, C, H, W] with sides divisible by ", patch,
                 ", got ", shape_text(images));
  const auto b = images.size(0), c = images.size(1), h = images.size(2) / patch,
             w = images.size(3) / patch;
  return images.reshape({b, c, h, patch, w, patch})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({b, h * w, patch * patch * c});
}

/// The inverse of patchify for a grid of `rows` rows: [B, N, p p C] -> [B, C, H, W].
inline at::Tensor unpatchify_rows(const at::Tensor& patches, std::int64_t patch,
                                  std::int64_t channels, std::int64_t rows) {
  check_argument(patches.dim() == 3 && rows > 0 && patches.size(1) % rows == 0 &&
                     patches.size(2) == patch * patch * channels,
                 "[unpatchify] expected [B, ", rows, " n, ", patch * patch * channels, "], got ",
                 shape_text(patches));
  const auto b = patches.size(0), columns = patches.size(1) / rows;
  return patches.reshape({b, rows, columns, patch, patch, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({b, channels, rows * patch, columns * patch});
}

/// The inverse of patchify for square images of `channels` channels: [B, N, p p C] -> [B, C, H, W].
inline at::Tensor unpatchify(const at::Tensor& patches, std::int64_t patch,
                             std::int64_t channels = 3) {
  const auto count = patches.size(1);
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(count))));
  check_argument(side * side == count && patches.size(2) == patch * patch * channels,
                 "[unpatchify] expected [B, n n, ", patch * patch * channels, "], got ",
                 shape_text(patches));
  return unpatchify_rows(patches, patch, channels, side);
}

/// A linear map of each patch, stored as a strided convolution's weight (timm: patch_embed.proj).
class PatchEmbedImpl : public torch::nn::Cloneable<PatchEmbedImpl> {
 public:
  PatchEmbedImpl(std::int64_t channels, std::int64_t dim, std::int64_t patch,
                 const ParameterOptions& parameters = {})
      : channels_(channels), dim_(dim), patch_(patch), parameter_options_(parameters) {
    reset();
    parameter_options_ = parameter_options_.without_init();
  }

  void reset() override {
    proj = register_module("proj", Conv2d(Conv2dOptions{.in_channels = channels_,
                                                        .out_channels = dim_,
                                                        .kernel = patch_,
                                                        .stride = patch_},
                                          parameter_options_));
  }

  /// Images [B, C, H, W] -> tokens [B, N, D], row by row.
  at::Tensor forward(const at::Tensor& images) {
    return proj->forward(images).flatten(2).transpose(1, 2);  // [B, N, D]
  }

  /// Embeds only the patches listed for each image: images [B, C, H, W], kept int64 [B, K] ->
  /// tokens [B, K, D].
  at::Tensor forward_kept(const at::Tensor& images, const at::Tensor& kept) {
    const auto pixels = image_patches(images, patch_);  // [B, N, C p p]
    const auto chosen =
        pixels.gather(1, kept.unsqueeze(-1).expand({-1, -1, pixels.size(2)}));  // [B, K, C p p]
    return at::linear(chosen, proj->weight.flatten(1), proj->bias);             // [B, K, D]
  }

  Conv2d proj{nullptr};

 private:
  std::int64_t channels_, dim_, patch_;
  ParameterOptions parameter_options_;
};
TORCH_MODULE(PatchEmbed);

}  // namespace dermis
