#pragma once
/// \file
/// Rectangles cut from images. LibTorch-free.

#include <cstdint>

#include "dermis/io/image.hpp"

namespace dermis {

/// The rectangle with upper left corner (x, y); it must lie inside, otherwise
/// std::invalid_argument.
Image crop(const Image& image, std::int64_t x, std::int64_t y, std::int64_t width,
           std::int64_t height);

/// What becomes of half a pixel when a margin is odd.
enum class CropRounding {
  Down,        ///< the smaller half left and above (transformers)
  HalfToEven,  ///< Python's round() of half the margin (torchvision)
};

/// The centred rectangle of that size; it must fit, otherwise std::invalid_argument.
Image center_crop(const Image& image, std::int64_t width, std::int64_t height,
                  CropRounding rounding = CropRounding::Down);

/// The largest centred square; of an odd margin the smaller half is left and above.
Image center_square(const Image& image);

namespace detail {

/// Throws std::invalid_argument "[tag] ..." unless `box` is not empty and inside the image.
void check_inside(const Image& image, const Box& box, const char* tag);

}  // namespace detail
}  // namespace dermis
