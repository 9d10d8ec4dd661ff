#pragma once
/// \file
/// The same compression for synthetic images as for real ones. Real photographs are JPEGs, what a
/// generator draws is not: a classifier could tell a rare class, which is mostly synthetic, by the
/// blocks that are missing.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "dermis/data/pixels.hpp"
#include "dermis/io/jpeg_quality.hpp"

namespace dermis {

/// How one real image was compressed, at which size.
struct CodecTrace {
  int quality = 0;  ///< as jpeg_quality(); 0: it was not a JPEG
  ChromaSubsampling subsampling = ChromaSubsampling::None;
  std::int64_t width = 0, height = 0;  ///< pixels, before it was squared and resized

  bool operator==(const CodecTrace&) const = default;
};

/// The compression of real images, one trace an image: their empirical distribution.
using CodecDraw = std::vector<CodecTrace>;

/// The compression of the real images in `training`, whose files are below `images` (as load_folder
/// read them, original sizes filled in). Reads their headers. Throws std::runtime_error naming an
/// image that is not there.
CodecDraw codec_of(const PixelSet& training, const std::filesystem::path& images);

struct CodecOptions {
  /// Images whose shorter side was longer are compressed at this size, to bound time and memory (at
  /// 1024 some 50 ms an image): blocks that shrink below a pixel leave little to see.
  std::int64_t max_side = 1024;
};

/// Every synthetic image of `set` as if it had come as the file of a real one: enlarged to the
/// square of a real image drawn from `real`, compressed as that was (with JPEG's blocks where they
/// lay in it), decoded and resized back as load_pixels() does (Fit::CenterSquare, bicubic). The
/// draw depends on (seed, index in the set) alone, not on the class. Images stay as they are where
/// the one drawn was no JPEG, or `real` is empty (the phantom); real images of `set` always do.
PixelSet same_codec(const PixelSet& set, const CodecDraw& real, std::uint64_t seed,
                    const CodecOptions& options = {});

}  // namespace dermis
