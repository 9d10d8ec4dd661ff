#pragma once
/// \file
/// How alike two images of one size are, pixel by pixel: PSNR and SSIM. For reconstructions (an
/// autoencoder's, a JPEG's); they say nothing about whether a synthetic image is plausible.
/// LibTorch-free.

#include <array>
#include <vector>

#include "dermis/io/image.hpp"

namespace dermis {

/// Peak signal-to-noise ratio, 10 log10(255^2 / mean squared difference), decibels; infinity for
/// equal images. Sizes that differ are std::invalid_argument.
double psnr(const Image& a, const Image& b);

/// The defaults are the paper's. scikit-image's are {7, 0, true, true}, torchmetrics' {11, 1.5,
/// false, false}.
struct SSIMOptions {
  int window = 11;                 ///< side of the window, odd, at least 3
  double sigma = 1.5;              ///< of a Gaussian window, pixels; 0: a uniform window
  bool sample_covariance = false;  ///< variances with N - 1, N the pixels of the window
  bool crop = true;                ///< the mean is over the pixels whose window lies inside; false:
                                   ///< over all, the image going on mirrored without its edge
};

struct SSIM {
  double mean = 0;                   ///< over the channels, in [-1, 1]; 1 for equal images
  std::array<double, 3> channels{};  ///< red, green, blue
  std::vector<double> map;  ///< of each pixel and channel, in the order of Image::rgb. With
                            ///< `crop` the image goes on mirrored with its edge
};

/// Structural similarity of each channel (Wang et al., IEEE TIP 13(4), 2004, eq. 13), K1 0.01, K2
/// 0.03, data range 255. Throws std::invalid_argument for sizes that differ or are below the window
/// and for options out of range.
SSIM ssim(const Image& a, const Image& b, const SSIMOptions& options = {});

}  // namespace dermis
