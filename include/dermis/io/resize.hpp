#pragma once
/// \file
/// Antialiased resize, bit-exact with Pillow's `Image.resize` (ImagingResample, 8 bits a channel),
/// so that models meet the pixels they would meet in Python; and crops. LibTorch-free.
///
/// The horizontal pass comes first, as in Pillow 3.3 to 12. Pillow 13 takes the vertical one first
/// where the height shrinks by more than twice as many pixels as the width, and differs there
/// (PassOrder::Pillow13); squares to squares, and all other sizes, are the same in both.

#include <cstdint>

#include "dermis/io/image.hpp"

namespace dermis {

/// Convolution kernels; their support grows with the shrinking factor (antialiasing).
enum class Filter {
  Bilinear,  ///< triangle, support 1
  Bicubic,   ///< Keys' cubic with a = -0.5, support 2
  Lanczos,   ///< windowed sinc, support 3
  Box,       ///< the mean of the pixels an output pixel covers, support 1/2
  Nearest,   ///< the pixel below the output pixel's centre, no antialiasing
};

/// Which of the two passes, with 8-bit rounding between them, comes first.
enum class PassOrder {
  HorizontalFirst,
  Pillow13,  ///< vertical where height shrinks, by more than twice as many pixels as width
};

/// Resizes to width x height (above 0, otherwise std::invalid_argument).
Image resize(const Image& image, std::int64_t width, std::int64_t height,
             Filter filter = Filter::Bicubic);

/// The part of `image` in `box` resized, as Pillow's `resize(size, filter, box=...)`: unlike crop()
/// and resize(), the filter reads pixels beside the box, too. A box that is not inside the image is
/// std::invalid_argument.
Image resize_box(const Image& image, const Box& box, std::int64_t width, std::int64_t height,
                 Filter filter = Filter::Bicubic, PassOrder order = PassOrder::HorizontalFirst);

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

/// center_square, then resize to size x size: keeps the lesion's shape, which squashing would not.
Image square_resized(const Image& image, std::int64_t size, Filter filter = Filter::Bicubic);

}  // namespace dermis
