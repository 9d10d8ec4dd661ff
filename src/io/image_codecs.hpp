#pragma once
/// \file
/// What io/image.cpp asks of the two decoders. Pixels come as stored; orientation is applied by the
/// caller.

#include <string>
#include <string_view>

#include "dermis/io/image.hpp"

namespace dermis::detail {

struct DecodedImage {
  Image image;
  int orientation = 1;  ///< EXIF, 1..8
};

DecodedImage decode_jpeg(std::string_view bytes, const std::string& name,
                         const DecodeOptions& options);
DecodedImage decode_png(std::string_view bytes, const std::string& name,
                        const DecodeOptions& options);

/// decode_samples() of either format.
Samples decode_jpeg_samples(std::string_view bytes, const std::string& name,
                            const DecodeOptions& options);
Samples decode_png_samples(std::string_view bytes, const std::string& name,
                           const DecodeOptions& options);

/// What a file is that is neither JPEG nor PNG, as the end of "expected a JPEG or PNG file, got ":
/// "a TIFF image", "text that starts with 'not found'", "one that starts with 00 01 02 03".
std::string describe_foreign_file(std::string_view bytes);

/// std::runtime_error if that would be more pixels than allowed.
void check_pixels(std::int64_t width, std::int64_t height, const std::string& name,
                  const DecodeOptions& options);

/// Makes room for a decoded image, unless that would be more pixels than allowed.
Image allocate_image(std::int64_t width, std::int64_t height, const std::string& name,
                     const DecodeOptions& options);

}  // namespace dermis::detail
