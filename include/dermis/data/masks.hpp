#pragma once
/// \file
/// Lesion masks that lie on the images of a PixelSet pixel by pixel: the phantom's true ones, and
/// those of a folder (ISIC's segmentations).

#include <filesystem>

#include "dermis/data/phantom.hpp"
#include "dermis/data/pixels.hpp"

namespace dermis {

/// Images with their masks.
struct MaskedSet {
  PixelSet set;
  at::Tensor masks;               ///< uint8 [N, S, S], 1 in the lesion
  std::int64_t without_mask = 0;  ///< images left out because they have none

  /// As PixelSet::subset.
  MaskedSet subset(const std::vector<std::int64_t>& indices) const;
};

/// Images of `phantom` with the true masks, found by their ids in `part`; any size. Throws
/// std::invalid_argument for an id that is not of that part.
MaskedSet with_phantom_masks(const Phantom& phantom, PhantomPart part, const PixelSet& set);

/// Images with the masks in `folder`: JPEG or PNG, light inside the lesion, of the image's name or
/// NAME_segmentation (as ISIC 2016 to 2018 call them), squared and resized as the image was (mean
/// of what a pixel covers, inside from one half on). Images without a mask, or whose mask is empty
/// or all lesion after that, are left out and counted.
///
/// Throws std::invalid_argument when borders were cropped off the images (the mask does not know
/// where), std::runtime_error when the folder has no mask for any image, or one of other
/// proportions than its image.
MaskedSet with_masks(const std::filesystem::path& folder, const PixelSet& set,
                     Fit fit = Fit::CenterSquare);

}  // namespace dermis
