#pragma once
/// \file
/// Drawn images that are on the disk already.

#include <filesystem>
#include <stdexcept>

#include "dermis/data/pixels.hpp"
#include "dermis/data/provenance.hpp"

namespace dermis::detail {

/// Whether the file is the image that would carry `mark`; then its pixels go into `into`.
inline bool take_over(const std::filesystem::path& file, const Provenance& mark, at::Tensor into) {
  try {
    if (!std::filesystem::exists(file) || read_provenance(file) != mark) return false;
    const auto pixels = to_tensor(read_image(file));
    if (pixels.sizes() != into.sizes()) return false;
    into.copy_(pixels);
    return true;
  } catch (const std::runtime_error&) {  // cut off, or damaged: it is drawn again
    return false;
  }
}

}  // namespace dermis::detail
