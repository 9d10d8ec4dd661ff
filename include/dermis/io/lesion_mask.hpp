#pragma once
/// \file
/// The lesion in an image that has no segmentation, to measure it by (io/lesion_measures.hpp).
/// LibTorch-free.

#include "dermis/io/image.hpp"

namespace dermis {

/// White where the lesion is, else black; all black if nothing stands out. Looked at with at most
/// 128 pixels a side: the skin is a surface of second order in CIELAB over the outer third of the
/// picture, fitted again without what differs from it (illumination and vignette are no lesion);
/// medians over 5 pixels hide hairs; what differs by 0.4 of Otsu's threshold, at least 5, is
/// lesion: of that the central piece, without holes, its outline smoothed.
///
/// Beside the true masks of 240 phantom images of 64 pixels: intersection over union 0.86, rank
/// correlation of measures with the truth 0.59 for shape asymmetry (in true masks 0.79), 0.68 for
/// irregularity (0.93). skin_mask(), which looks for skin and paints hairs over, has 0.64, 0.10 and
/// 0.31 there. Not for judging a lesion.
Image lesion_mask(const Image& image);

}  // namespace dermis
