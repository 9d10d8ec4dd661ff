#pragma once
/// \file
/// Pixels that somebody else holds, such as a camera's buffer. LibTorch-free.

#include "dermis/io/image.hpp"

namespace dermis {

/// 8-bit sRGB, three bytes a pixel; rows are row_bytes (at least 3 * width) apart.
struct ImageView {
  const std::uint8_t* rgb = nullptr;
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t row_bytes = 0;

  ImageView(const std::uint8_t* rgb_, std::int64_t width_, std::int64_t height_,
            std::int64_t row_bytes_)
      : rgb(rgb_), width(width_), height(height_), row_bytes(row_bytes_) {}
  /// All of `image`; its size must be above 0 and fit its bytes, otherwise std::invalid_argument.
  ImageView(const Image& image)  // NOLINT(google-explicit-constructor)
      : ImageView(image.rgb.data(), image.width, image.height, 3 * image.width) {
    detail::check_image(image, "image");
  }

  /// The three bytes of a pixel; not bounds-checked.
  const std::uint8_t* pixel(std::int64_t x, std::int64_t y) const {
    return rgb + y * row_bytes + 3 * x;
  }
  /// Its largest centred square; of an odd margin the smaller half is left and above.
  ImageView center_square() const {
    const std::int64_t side = width < height ? width : height;
    return {pixel((width - side) / 2, (height - side) / 2), side, side, row_bytes};
  }
};

/// The pixels of `view` as an image of their own.
Image copy_of(const ImageView& view);

}  // namespace dermis
