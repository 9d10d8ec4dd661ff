#include "dermis/io/image.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "dermis/core/check.hpp"
#include "dermis/core/file.hpp"
#include "image_codecs.hpp"

namespace dermis {
namespace detail {

void check_pixels(std::int64_t width, std::int64_t height, const std::string& name,
                  const DecodeOptions& options) {
  check_runtime(height == 0 || width <= options.max_pixels / height, "[image] ", name,
                ": expected at most ", options.max_pixels, " pixels, got ", width, " x ", height);
}

Image allocate_image(std::int64_t width, std::int64_t height, const std::string& name,
                     const DecodeOptions& options) {
  check_pixels(width, height, name, options);
  Image image;
  image.width = width;
  image.height = height;
  image.rgb.resize(static_cast<std::size_t>(width * height * 3));
  return image;
}

int exif_orientation(std::string_view tiff) {
  if (tiff.size() < 8) return 1;
  const bool little = tiff.substr(0, 4) == std::string_view("II*\0", 4);
  if (!little && tiff.substr(0, 4) != std::string_view("MM\0*", 4)) return 1;
  const auto number = [&](std::size_t offset, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      value =
          (value << 8) | static_cast<unsigned char>(tiff[offset + (little ? bytes - 1 - i : i)]);
    }
    return value;
  };
  const std::size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;  // tag, type, count, value
    if (entry + 12 > tiff.size()) return 1;
    if (number(entry, 2) != 0x0112) continue;
    const std::uint32_t type = number(entry + 2, 2);
    const std::uint32_t count = number(entry + 4, 4);
    if (count != 1 || (type != 3 && type != 4)) return 1;  // SHORT; LONG from some writers
    const std::uint32_t value = number(entry + 8, type == 3 ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image apply_orientation(Image image, int orientation) {
  check_argument(orientation >= 1 && orientation <= 8,
                 "[image] expected an orientation of 1 to 8, got ", orientation);
  if (orientation == 1) return image;
  const std::int64_t width = image.width, height = image.height;
  const bool turned = orientation >= 5;
  Image upright = make_image(turned ? height : width, turned ? width : height);
  // Where the pixel at (0, 0) comes from, and how the source moves with a step in x and in y.
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const std::int64_t step_column = from_right ? -3 : 3;
  const std::int64_t step_row = (from_bottom ? -3 : 3) * width;
  const std::uint8_t* origin =
      image.pixel(from_right ? width - 1 : 0, from_bottom ? height - 1 : 0);
  const std::int64_t step_x = turned ? step_row : step_column,
                     step_y = turned ? step_column : step_row;
  std::uint8_t* out = upright.rgb.data();
  for (std::int64_t y = 0; y < upright.height; ++y) {
    for (std::int64_t x = 0; x < upright.width; ++x, out += 3) {
      const std::uint8_t* in = origin + x * step_x + y * step_y;
      std::copy(in, in + 3, out);
    }
  }
  return upright;
}

}  // namespace detail

namespace {

/// True for a JPEG, false for a PNG; throws on anything else.
bool is_jpeg(std::string_view bytes, const std::string& name) {
  const auto starts = [&](std::string_view magic) {
    return bytes.substr(0, magic.size()) == magic;
  };
  if (starts("\xFF\xD8\xFF")) return true;
  if (starts("\x89PNG\r\n\x1A\n")) return false;
  throw std::runtime_error(text("[image] ", name, ": expected a JPEG or PNG file, got ",
                                detail::describe_foreign_file(bytes)));
}

}  // namespace

Image decode_image(std::string_view bytes, const std::string& name, const DecodeOptions& options) {
  detail::DecodedImage decoded = is_jpeg(bytes, name) ? detail::decode_jpeg(bytes, name, options)
                                                      : detail::decode_png(bytes, name, options);
  if (!options.upright) return std::move(decoded.image);
  return detail::apply_orientation(std::move(decoded.image), decoded.orientation);
}

Samples decode_samples(std::string_view bytes, const std::string& name,
                       const DecodeOptions& options) {
  return is_jpeg(bytes, name) ? detail::decode_jpeg_samples(bytes, name, options)
                              : detail::decode_png_samples(bytes, name, options);
}

Image read_image(const std::filesystem::path& path, const DecodeOptions& options) {
  return decode_image(read_file(path), path.string(), options);
}

void write_png(const std::filesystem::path& path, const Image& image, const PngText& text) {
  write_atomically(path, encode_png(image, text));
}

}  // namespace dermis
