#pragma once
/// \file
/// The texts that a PNG carries beside its pixels: what write_png() was given, and what other
/// programs wrote. LibTorch-free.

#include <filesystem>
#include <string>
#include <string_view>

#include "dermis/io/image.hpp"

namespace dermis {

/// What a reader of texts takes in; a file that asks for more is refused.
struct PngTextLimits {
  std::size_t bytes = 1 << 20;  ///< of one text, as stored and inflated
  std::size_t count = 64;       ///< texts in a file
};

/// The tEXt, zTXt and iTXt chunks in front of the pixels (where encode_png puts them), in the
/// file's order, as UTF-8. Nothing else is read: pixels are neither decoded nor checked. Empty for
/// bytes that do not begin as a PNG.
///
/// Throws std::runtime_error "[png] NAME: ..." where the file ends too early, the checksum of a
/// text is wrong, a text is malformed, does not inflate or is beyond `limits` (checked before
/// memory is taken).
PngText read_png_text(std::string_view bytes, const std::string& name,
                      const PngTextLimits& limits = {});

/// The same of a file, of which only the part in front of the pixels is read; also
/// std::runtime_error where it cannot be read.
PngText read_png_text(const std::filesystem::path& path, const PngTextLimits& limits = {});

}  // namespace dermis
