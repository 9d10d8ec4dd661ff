#pragma once
/// \file
/// RGB images in memory, and JPEG and PNG in both directions. Decoded pixels equal Pillow's
/// `ImageOps.exif_transpose(Image.open(f)).convert("RGB")`, except for 16-bit grey PNGs: there
/// Pillow clips at 255, dermis keeps the high byte. LibTorch-free.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dermis {

/// 8-bit sRGB, row by row, three bytes a pixel: rgb.size() == width * height * 3.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> rgb;

  /// The three bytes of a pixel, x to the right, y downwards; not bounds-checked.
  std::uint8_t* pixel(std::int64_t x, std::int64_t y) { return rgb.data() + 3 * (y * width + x); }
  const std::uint8_t* pixel(std::int64_t x, std::int64_t y) const {
    return rgb.data() + 3 * (y * width + x);
  }

  bool operator==(const Image& other) const {
    return width == other.width && height == other.height && rgb == other.rgb;
  }
  bool operator!=(const Image& other) const { return !(*this == other); }
};

/// An image filled with one grey value (0: black). Sizes above 0, otherwise std::invalid_argument.
Image make_image(std::int64_t width, std::int64_t height, std::uint8_t fill = 0);

/// A rectangle of pixels; (x, y) is its upper left corner.
struct Box {
  std::int64_t x = 0, y = 0, width = 0, height = 0;

  bool operator==(const Box& other) const {
    return x == other.x && y == other.y && width == other.width && height == other.height;
  }
};

/// What decoding refuses, and whether it turns the image.
struct DecodeOptions {
  std::int64_t max_pixels =
      178956970;        ///< refused above this, before memory is taken (Pillow's own limit)
  bool upright = true;  ///< turn by the EXIF orientation; false: the pixels as stored
};

/// Decodes a JPEG or PNG, told apart by its first bytes. EXIF orientation is applied; grey, palette
/// and 16-bit (high byte kept) become RGB8; alpha is dropped; CMYK is converted as Pillow does.
/// Anything corrupt, truncated, of another format or above the pixel limit is std::runtime_error
/// naming `name`. Thread-safe.
Image decode_image(std::string_view bytes, const std::string& name,
                   const DecodeOptions& options = {});

/// Reads and decodes a file; errors name the path.
Image read_image(const std::filesystem::path& path, const DecodeOptions& options = {});

/// Samples of a file that do not fit RGB8, row by row.
struct Samples {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int channels = 0;
  std::vector<std::uint16_t> values;  ///< width * height * channels
};

/// What decode_image() would convert or cut: cyan, magenta, yellow and black of a JPEG with four
/// components (0 no ink, 255 full, as Pillow's CMYK), or the 16-bit values of a grey PNG. As
/// stored, not turned. Everything else is std::runtime_error naming `name`.
Samples decode_samples(std::string_view bytes, const std::string& name,
                       const DecodeOptions& options = {});

/// Key and value, stored as tEXt (ASCII) or iTXt (UTF-8). Keys: 1 to 79 ASCII characters.
using PngText = std::vector<std::pair<std::string, std::string>>;

/// PNG bytes: RGB8, not interlaced, the same bytes for the same image.
std::string encode_png(const Image& image, const PngText& text = {});

/// Writes a PNG atomically (see core/file.hpp).
void write_png(const std::filesystem::path& path, const Image& image, const PngText& text = {});

/// In which directions a JPEG holds every second colour value only.
enum class ChromaSubsampling {
  None,        ///< 4:4:4
  Horizontal,  ///< 4:2:2
  Both,        ///< 4:2:0
};

/// Baseline JPEG bytes, `quality` 1 to 100.
std::string encode_jpeg(const Image& image, int quality = 90,
                        ChromaSubsampling subsampling = ChromaSubsampling::Both);

namespace detail {

/// Throws std::invalid_argument "[tag] ..." unless sizes are above 0 and fit the bytes.
void check_image(const Image& image, const char* tag);

/// EXIF orientation 1..8 of a TIFF block ("II*\0..." or "MM\0*..."); 1 if there is none or the
/// block is damaged.
int exif_orientation(std::string_view tiff);

/// Turns the stored image upright: orientation as in EXIF, 1..8.
Image apply_orientation(Image image, int orientation);

}  // namespace detail
}  // namespace dermis
