#pragma once
/// \file
/// Antialiased resize, bit-exact with Pillow's `Image.resize` (ImagingResample, 8 bits a channel),
/// so that models meet the pixels they would meet in Python. LibTorch-free.
///
/// The horizontal pass comes first, as in Pillow 3.3 to 12. Pillow 13 takes the vertical one first
/// where the height shrinks by more than twice as many pixels as the width, and differs there
/// (PassOrder::Pillow13); squares to squares, and all other sizes, are the same in both.

#include <cstdint>
#include <memory>

#include "dermis/io/crop.hpp"
#include "dermis/io/image.hpp"
#include "dermis/io/image_view.hpp"

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

/// center_square, then resize to size x size: keeps the lesion's shape, which squashing would not.
Image square_resized(const Image& image, std::int64_t size, Filter filter = Filter::Bicubic);

/// square_resized() that keeps its memory from image to image. What it needs beside the result
/// grows with an image's side, not with its area: about 0.2 MB from 4096 to 224 pixels.
class SquareResizer {
 public:
  /// Takes the memory that squares of up to `largest_side` need; larger ones take more when they
  /// come, and Nearest a little every time. A size below 1 or a negative side is
  /// std::invalid_argument.
  explicit SquareResizer(std::int64_t size, Filter filter = Filter::Bicubic,
                         std::int64_t largest_side = 0);
  ~SquareResizer();
  SquareResizer(SquareResizer&&) noexcept;
  SquareResizer& operator=(SquareResizer&&) noexcept;

  /// [size, size] Valid until the next call.
  const Image& operator()(const ImageView& image);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dermis
