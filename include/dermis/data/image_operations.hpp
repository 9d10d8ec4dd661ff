#pragma once
/// \file
/// Tone and geometry of 8-bit images, pixel by pixel as Pillow's ImageOps, ImageEnhance and
/// Image.transform compute them. LibTorch-free. All of them keep the size; an image without pixels
/// is std::invalid_argument.

#include <array>
#include <cstdint>

#include "dermis/io/image.hpp"

namespace dermis {

/// Stretches each channel so that its darkest value becomes 0 and its brightest 255.
Image autocontrast(const Image& image);
/// Spreads each channel's histogram evenly.
Image equalize(const Image& image);
/// 255 - value.
Image invert(const Image& image);
/// Keeps the `bits` most significant bits of each value: 8 changes nothing, 0 is black.
/// Outside 0..8: std::invalid_argument.
Image posterize(const Image& image, int bits);
/// Inverts the values from `threshold` (0..256) on.
Image solarize(const Image& image, int threshold);
/// Adds `amount` (at least 0) to the values below 128, up to 255.
Image solarize_add(const Image& image, int amount);

/// The four below blend: 1 is the image itself, 0 its degenerate, above 1 exaggerates.
/// Towards the image's luma (ITU-R 601).
Image adjust_color(const Image& image, double factor);
/// Towards the rounded mean of the luma.
Image adjust_contrast(const Image& image, double factor);
/// Towards black.
Image adjust_brightness(const Image& image, double factor);
/// Towards a 3 x 3 smoothing (centre 5, neighbours 1); the outermost pixels stay.
Image adjust_sharpness(const Image& image, double factor);

using Rgb = std::array<std::uint8_t, 3>;

/// Bicubic (Keys' cubic with a = -1) look-up of output (x, y) at input
/// (m0 x + m1 y + m2, m3 x + m4 y + m5), both measured in pixels from the outer corner. What would
/// come from outside the image is `fill`.
Image affine(const Image& image, const std::array<double, 6>& matrix, const Rgb& fill);
/// Turns the content counter-clockwise about the centre, as affine() with `fill`.
Image rotate(const Image& image, double degrees, const Rgb& fill);

}  // namespace dermis
