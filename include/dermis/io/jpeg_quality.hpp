#pragma once
/// \file
/// How hard a JPEG was compressed, from its header alone. LibTorch-free.

#include <optional>
#include <string_view>

#include "dermis/io/image.hpp"

namespace dermis {

/// What JPEG compression did to an image.
struct JpegQuality {
  int quality = 0;                                          ///< 1 to 100, libjpeg's scale
  ChromaSubsampling subsampling = ChromaSubsampling::None;  ///< the nearest of the three
  bool exact = false;  ///< the tables are libjpeg's of that quality; otherwise the nearest ones

  bool operator==(const JpegQuality& other) const {
    return quality == other.quality && subsampling == other.subsampling && exact == other.exact;
  }
};

/// Reads the quantisation tables in front of the frame and compares them with those of Annex K of
/// the JPEG standard, scaled as libjpeg scales them: exact for what libjpeg, libjpeg-turbo and
/// Pillow write, otherwise the quality of the least mean relative difference. None for bytes that
/// are no JPEG or whose header is damaged or incomplete; never throws for what bytes hold.
std::optional<JpegQuality> jpeg_quality(std::string_view bytes);

}  // namespace dermis
